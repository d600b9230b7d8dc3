"""How an evaluation ends: what fails after the decision is said, and changes nothing of it."""

from pathlib import Path
from typing import Any

from llmops.tasks.decisions.record import recomputed
from llmops.tasks.errors import Unavailable
from tests.decisions.decided import decided


def test_what_fails_after_the_decision_is_a_remark_and_the_record_stands(tmp_path: Path) -> None:
    from llmops.tasks.evaluated import carefully

    def fails() -> dict[str, Any]:
        raise Unavailable("MLflow cannot be reached")

    record = decided(tmp_path)
    found = carefully(record, fails)
    assert (found["remarks"], found["warnings"]) == (
        ["MLflow cannot be reached"],
        record["warnings"],
    )
    assert recomputed(found) == []
