"""A user's own scorer: one file in a package of theirs, found by its entry point."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
USE = """
import json
from llmops.tasks.plugins import Spec, names
from llmops.tasks.plugins.scorers import Case, Sample, Scorer
from llmops.tasks.errors import ConfigError
scorer = Spec(name="brevity", options={"most": 2, "id": "short"}).build(Scorer)
samples = [Sample(case=Case(id="c", inputs={}, expected=expected), answer=answer)
           for answer, expected in (("one two", {}), ("one two three four", {}), ("one two three four", {"words": 4}), ("", {}))]
try:
    Spec(name="brevty").build(Scorer)
except ConfigError as error:
    hint = str(error)
print(json.dumps({"known": "brevity" in names("scorers"), "values": [score.value for score in scorer.score_all(samples)],
                  "missing": scorer.missing(Case(id="c", inputs={}, expected={"words": "few"})), "hint": hint}))
"""  # noqa: E501


@pytest.mark.slow
def test_a_scorer_of_a_third_party(tmp_path: Path) -> None:
    build = "from hatchling.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    made = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)],
        cwd=TESTS / "third_party",
        capture_output=True,
        text=True,
        check=True,
    )
    wheel = tmp_path / made.stdout.strip().splitlines()[-1]
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-e", str(wheel), str(tmp_path / "site")], check=True
    )
    path = f"{tmp_path / 'site'}:{TESTS.parent}"
    found = subprocess.run(
        [sys.executable, "-c", USE],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    said = json.loads(found.stdout)
    assert said == {
        "known": True,
        "values": [1.0, 0.5, 1.0, 0.0],
        "missing": "expected.words is no whole number",
        "hint": said["hint"],
    }
    assert "did you mean brevity?" in said["hint"]
