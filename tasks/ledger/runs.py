"""What each flow run came to, by its id: how a command learns what its run left behind."""

from typing import Any

from sqlalchemy import select

from llmops.tasks.ledger import Ledger, now, upsert
from llmops.tasks.ledger.tables import decisions, runs


def save_outcome(ledger: Ledger, run_id: str, name: str, outcome: dict[str, Any]) -> None:
    """Keep the JSON of an outcome; `name`: of the knowledge base or the evaluation."""
    row = {"id": run_id, "kb": name, "outcome": outcome, "finished_at": now()}
    with ledger.write() as connection:
        upsert(connection, runs, [row])


def saved_outcome(ledger: Ledger, run_id: str) -> dict[str, Any] | None:
    """The JSON that a run left; None where it left none."""
    with ledger.read() as connection:
        return connection.scalar(select(runs.c.outcome).where(runs.c.id == run_id))


def evaluations_recorded(ledger: Ledger) -> list[str]:
    """The names of the evaluations of which MLflow has something."""
    kept = select(decisions.c.name).where(decisions.c.mlflow_run_id.is_not(None)).distinct()
    with ledger.read() as connection:
        return list(connection.scalars(kept.order_by(decisions.c.name)))
