"""A record that release 0.1 wrote."""

import json
from pathlib import Path

from llmops.tasks.decisions.decision import Decision
from llmops.tasks.decisions.verify import recomputed

FOLDER = Path(__file__).parents[1] / "fixtures" / "home-0.1" / "home" / "decisions"


def test_a_record_of_release_0_1_still_stands_and_is_kept_to_the_last_key() -> None:
    (path,) = FOLDER.glob("*.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert recomputed(content) == []
    decision = Decision.model_validate(content)
    assert decision.content() == content
    assert decision.sealed().sha256 == content["sha256"]
    later = {**content, "new": {"key": [1]}}
    assert Decision.model_validate(later).content() == later
