"""Reviews brought to MLflow now: for a flow's end, where no application runs that would do it."""

from pathlib import Path

from llmops.tasks.traces.reviewed import assess, unassessed
from llmops.tasks.tracking.traces import trace_store


def bring(home: Path, app: str) -> int:
    """Bring the reviews of an application to MLflow that it does not have, as assessments of their
    traces. Returns how many; a second time there are none. Raises Unavailable where MLflow does
    not answer.
    """
    count = 0
    if not (rows := unassessed(home, app)):
        return count
    with trace_store(home) as store:
        while rows:
            count += assess(home, store, rows)
            rows = unassessed(home, app)
    return count
