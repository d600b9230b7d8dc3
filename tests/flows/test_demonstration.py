"""The demo's prompts, twice in one home: a worse one is turned away, a better one promoted, and the
second time it is the same.
"""

from pathlib import Path
from typing import Any

import pytest

from llmops import configs
from llmops.configs.index import IndexConfig


@pytest.fixture
def home(prefect_server: Path) -> Path:
    """A home with the demo's knowledge base, built with the embedder that costs next to nothing."""
    from llmops.flows.running import run_flow

    changes = ["embed.name=hash", "gate=null"]
    assert (
        run_flow(
            prefect_server, configs.read(configs.FOLDER / "python-help.yaml", IndexConfig, changes)
        )["status"]
        == "published"
    )
    return prefect_server


@pytest.mark.slow
def test_a_worse_prompt_is_rejected_a_better_one_promoted_and_the_demo_can_be_repeated(
    home: Path, tmp_path: Path
) -> None:
    from llmops.flows.demo.prompts import PROMPT
    from llmops.tasks.decisions import promotion

    text, steps = shown(home, tmp_path / "first")
    _, again = shown(home, tmp_path / "second")
    for worse, better in (steps, again):
        assert (worse["verdict"], better["verdict"]) == ("reject", "promote")
        assert worse["interval"][1] < 0 < better["interval"][0]
        assert worse["cases"]["used"] == better["cases"]["used"] == 151
        assert (
            better["promoted"]["previous_version"] == worse["arms"]["baseline"]["prompt"]["version"]
        )
        assert Path(better["record"]).is_file()
        assert better["links"]["report"].startswith("file://")
    assert [move["kind"] for move in promotion.history(home, PROMPT)["moves"]] == [
        "first",
        "promote",
        "rollback",
        "promote",
    ]
    low, high = steps[1]["interval"]
    assert (
        f"difference {steps[1]['difference']:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}."
        in text
    )
    assert "Rejected: version 1 of python-help-demo stays in use" in text
    assert "python-help-demo@champion goes from version 1 to 2" in text


def shown(home: Path, folder: Path) -> tuple[str, list[dict[str, Any]]]:
    """What a user reads, and what the steps came to."""
    from llmops.flows.demo.prompts import PromptSteps

    lines: list[str] = []
    steps: list[dict[str, Any]] = []
    PromptSteps(
        home,
        folder,
        steps,
        lambda number, text: lines.append(f"{number}. {text}"),
        lambda *said: lines.extend(said),
    ).run()
    return "\n".join(lines), steps
