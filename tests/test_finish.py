"""How a flow ends: what fails after the decision is said, and changes nothing of it."""

from pathlib import Path

from llmops.tasks.decisions.verify import recomputed
from llmops.tasks.errors import Unavailable
from tests.decisions.decided import decided
from tests.decisions.measured import typed


def test_what_fails_after_the_decision_is_a_remark_and_the_record_stands(tmp_path: Path) -> None:
    from llmops.tasks.evaluate import Evaluated
    from llmops.tasks.finish import careful

    def fails(_outcome: Evaluated) -> Evaluated:
        raise Unavailable("MLflow cannot be reached")

    record = decided(tmp_path)
    found = careful(fails)(Evaluated(typed(record))).public()
    assert (found["remarks"], found["warnings"]) == (
        ["MLflow cannot be reached"],
        record["warnings"],
    )
    assert recomputed(found) == []
