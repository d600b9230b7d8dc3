"""Our review queue and MLflow's, in a real store of MLflow's."""

from pathlib import Path

import pytest
from sqlalchemy import select

from llmops.tasks.audit.people import names
from llmops.tasks.errors import Unavailable
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.review import review_items, reviews
from llmops.tasks.review.items import NewItem, enqueue
from llmops.tasks.traces import index
from llmops.tasks.traces.records import as_record
from llmops.tasks.tracking.review_queues import CORRECTION, VERDICT, review_queues
from llmops.tasks.tracking.traces import trace_store
from llmops.tasks.triage.elsewhere import Synchronised, synchronise
from tests.datasets.made import APP, answered

pytestmark = pytest.mark.slow


def said(home: Path, trace_id: str, name: str, value: str) -> None:
    """What somebody answers on MLflow's page, as its page writes it."""
    from mlflow.entities import AssessmentSource, Expectation, Feedback

    source = AssessmentSource("HUMAN", "ann@example.org")
    made = (
        Feedback(name=name, value=value, source=source, trace_id=trace_id)
        if name == VERDICT
        else Expectation(name=name, value=value, source=source, trace_id=trace_id)
    )
    with review_queues(home, APP) as queues:
        queues._store.create_assessment(made)


def done(home: Path, trace_id: str, status: str = "complete") -> None:
    with review_queues(home, APP) as queues:
        queue = queues._store.get_review_queue_by_name(queues._experiment, name=APP)
        queues._store.set_review_queue_item_status(
            queue.queue_id, item_id=trace_id, status=status, completed_by="ann@example.org"
        )


def kept(home: Path) -> list[tuple[str, int, str, str, str]]:
    with open_ledger(home).read() as connection:
        rows = connection.execute(select(reviews).order_by(reviews.c.number)).all()
        who = names(connection, [row.reviewer for row in rows])
    return [
        (row.trace_id, row.number, row.verdict, row.correction, who[row.reviewer]) for row in rows
    ]


def test_items_go_there_and_answers_come_back_once_each(tmp_path: Path) -> None:
    first, second, waiting = answered(tmp_path), answered(tmp_path), answered(tmp_path)
    enqueue(tmp_path, APP, APP, [NewItem(t.id, ("x",), 1.0) for t in (first, second, waiting)], 1)
    with pytest.raises(Unavailable, match="no traces of 'helpdesk' yet"):
        synchronise(tmp_path, APP, APP)
    with trace_store(tmp_path) as store:
        store.write(APP, [as_record(trace) for trace in (first, second)])
    index.mark_stored(tmp_path, [first.id, second.id])
    assert synchronise(tmp_path, APP, APP) == Synchronised(put=2, taken=0)
    assert synchronise(tmp_path, APP, APP) == Synchronised(put=0, taken=0)

    said(tmp_path, first.id, VERDICT, "bad")
    said(tmp_path, first.id, CORRECTION, "Better.")
    assert synchronise(tmp_path, APP, APP).taken == 0, "they are not done with it"
    done(tmp_path, first.id)
    done(tmp_path, second.id, "declined")
    person = "mlflow/ann@example.org"
    expected = {
        (first.id, 1, "bad", "Better.", person),
        (second.id, 1, "discard", "", person),
    }
    for _ in range(2):
        assert synchronise(tmp_path, APP, APP) == Synchronised(put=0, taken=2)
        assert set(kept(tmp_path)) == expected
    said(tmp_path, first.id, VERDICT, "good")
    synchronise(tmp_path, APP, APP)
    assert (first.id, 2, "good", "Better.", person) in kept(tmp_path)
    with open_ledger(tmp_path).read() as connection:
        states = {row.trace_id: row.state for row in connection.execute(select(review_items))}
    assert states == {first.id: "done", second.id: "discarded", waiting.id: "open"}
