"""The demo, whole and twice in one home: it shows what it promises, and a second time what happened the first time."""

import io
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_the_demo_rejects_a_worse_prompt_promotes_a_better_one_and_can_be_repeated(prefect_server: Path) -> None:
    from flows.demonstration import Demonstration
    from flows.demonstration_prompts import PROMPT
    from tasks.evaluation import registry

    home, out = prefect_server, io.StringIO()
    steps = Demonstration(home, out).run()
    again = Demonstration(home, io.StringIO()).run()
    for found in (steps, again):
        worse, better = (step for step in found if step["step"] == "evaluate")
        assert (worse["verdict"], better["verdict"]) == ("reject", "promote")
        assert worse["interval"][1] < 0 < better["interval"][0]
        assert worse["cases"]["used"] == better["cases"]["used"] == 151
        assert better["promoted"]["previous_version"] == worse["arms"]["baseline"]["prompt"]["version"]
        assert Path(better["record"]).is_file()
    assert [step["status"] for step in steps if step["step"] == "build"] == ["published", "unchanged", "published", "blocked"]
    kinds = [move["kind"] for move in registry.history(home, PROMPT)["moves"]]
    assert sorted(kinds) == ["first", "promote", "promote", "rollback"]
    says(out.getvalue(), better=next(step for step in steps if step.get("promoted")))


def says(text: str, better: dict[str, Any]) -> None:
    """What a new user reads: the numbers of the record, and where the report lies."""
    low, high = better["interval"]
    assert f"difference {better['difference']:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}" in text
    assert str(better["links"]["report"]) in text
    assert "Rejected" in text and "Promoted" in text and "prompts rollback python-help-demo" in text
    assert "Traceback" not in text and "None" not in text
