"""Traces in a real MLflow store: what they look like there, and that a deletion leaves nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from llmops.tasks.access import spending
from llmops.tasks.audit.verify import verify
from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.application import (
    answers,
    curated,
    feedback,
    live_scores,
    people,
    traces,
)
from llmops.tasks.ledger.tables import calls
from llmops.tasks.maintenance.explain_trace import explain_trace
from llmops.tasks.traces import deletion, index, reading, retention
from llmops.tasks.traces.feedback import Feedback
from llmops.tasks.traces.probing import probe
from llmops.tasks.traces.records import as_record, as_trace
from llmops.tasks.traces.spool import TraceSpool
from llmops.tasks.traces.writer import TraceWriter
from llmops.tasks.tracking.leftovers import files_holding
from llmops.tasks.tracking.trace_records import Rating
from llmops.tasks.tracking.traces import TraceStore, trace_store
from tests.traces.made import SECRET, person, recorded

pytestmark = pytest.mark.slow
SECONDS = 60.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traced")


@pytest.fixture
def writer(home: Path) -> Iterator[TraceWriter]:
    made = TraceWriter(home, "helpdesk", apart=False)
    made.start()
    yield made
    made.close()


@pytest.fixture
def store(home: Path) -> Iterator[TraceStore]:
    with trace_store(home) as opened:
        yield opened


def test_a_trace_comes_back_as_it_went(home: Path, store: TraceStore) -> None:
    trace = recorded(person="f" * 64)
    assert store.write("helpdesk", [as_record(trace)]).ids == {trace.id}
    assert store.write("helpdesk", [as_record(trace)]).ids == {trace.id}  # again: nothing doubles
    back = as_trace(store.read([trace.id])[trace.id])
    assert back == trace
    assert back.spans[1].attributes["gen_ai.retrieval.documents"] == [{"id": "a1", "score": 0.75}]


def test_mlflows_own_page_has_what_it_shows(home: Path, store: TraceStore) -> None:
    trace = recorded(person="e" * 64)
    store.write("helpdesk", [as_record(trace)])
    info = store._tracing.store.get_trace_info(trace.id)
    assert info.request_preview == trace.question
    assert info.response_preview == trace.answer
    assert info.token_usage["total_tokens"] == 150
    assert info.trace_metadata["mlflow.trace.session"] == "c1"
    assert info.trace_metadata["mlflow.trace.user"] == "e" * 64
    assert json.loads(info.trace_metadata["mlflow.trace.cost"])["total_cost"] == 0.0025
    assert info.tags["knowledge_base"] == "handbook"
    assert info.tags["app"] == "helpdesk"


def test_ratings_replace_each_other_and_go(home: Path, store: TraceStore) -> None:
    trace = recorded()
    store.write("helpdesk", [as_record(trace)])
    for value in ("up", "down"):
        store.rate(trace.id, Rating(key="k", name="rating", value=value, rationale=value))
    store.rate(trace.id, Rating(key="c", name="correction", value="so", expectation=True))
    ratings = {each.name: each for each in store.read([trace.id])[trace.id].ratings}
    assert (ratings["rating"].value, ratings["rating"].rationale) == ("down", "down")
    assert (ratings["correction"].value, ratings["correction"].expectation) == ("so", True)
    for key in ("k", "c"):
        store.rate(trace.id, Rating(key=key, name="rating", value=None))
    assert store.read([trace.id])[trace.id].ratings == ()


def test_feedback_reaches_the_trace_and_is_withdrawn(home: Path, writer: TraceWriter) -> None:
    trace = recorded(f"My key is {SECRET}")
    writer.put(trace)
    writer.feedback(trace.id, "b" * 64, Feedback("down", "wrong page", "on page 3"))
    assert writer.flush(SECONDS)
    found, ratings = reading.rated(home, trace.id)
    assert {(each.name, each.value) for each in ratings} == {
        ("rating", "down"),
        ("correction", "on page 3"),
    }
    assert SECRET not in found.model_dump_json()
    writer.feedback(trace.id, "b" * 64, Feedback(None))
    assert writer.flush(SECONDS)
    assert reading.rated(home, trace.id)[1] == ()


def test_a_conversation_is_one_persons(home: Path, writer: TraceWriter) -> None:
    ann, bob = person(home, "helpdesk/ann1"), person(home, "helpdesk/bob1")
    for number in range(3):
        writer.put(recorded(f"question {number}", f"answer {number}", person=ann))
    writer.put(recorded("of bob", person=bob))
    assert writer.flush(SECONDS)
    waiting = recorded("question 3", "answer 3", person=ann)
    index.enter(home, [waiting])
    TraceSpool(home, "waits", 10**9).put(waiting)
    turns = reading.conversation(home, "helpdesk", "c1", ann)
    assert [turn.question for turn in turns] == [f"question {number}" for number in range(4)]
    assert [turn.question for turn in reading.conversation(home, "helpdesk", "c1", bob)] == [
        "of bob"
    ]
    assert reading.conversation(home, "helpdesk", "c1", "nobody") == []
    explained = explain_trace(home, waiting.id)
    assert (explained["stored"], explained["answer"]) == (False, "answer 3")
    deletion.delete_trace(home, waiting.id)


@pytest.mark.parametrize(("age", "kept"), [(20, True), (40, True), (80, False)])
def test_what_a_trace_cost_is_known_to_the_end_of_the_month_after(
    home: Path, monkeypatch: pytest.MonkeyPatch, age: int, kept: bool
) -> None:
    app, day = f"aged-{age}", datetime(2026, 3, 25, 12, tzinfo=UTC)
    trace = recorded(app=app)
    index.enter(home, [trace])
    owner = trace.id.removeprefix("tr-")
    paid = {"reply": "", "tokens": 9, "cost_usd": 0.1, "created_at": day}
    score = {"metric": "f1", "app": app, "scorer": "s", "reason": "", "failed": False}
    with open_ledger(home).write() as connection:
        mine, began = traces.c.id == trace.id, day - timedelta(days=age)
        connection.execute(update(traces).where(mine).values(began_at=began))
        connection.execute(insert(calls).values(key=owner, owner=owner, **paid))
        connection.execute(insert(calls).values(key=f"other{age}", owner="d" * 32, **paid))
        connection.execute(insert(live_scores).values(trace_id=trace.id, scored_at=day, **score))
    spending.spent(home, f"key{age}", 0.1, 9, month="2026-02")
    monkeypatch.setattr(retention, "now", lambda: day)
    assert retention.prune(home, app, 7).places["rows"] == int(not kept)
    assert rows_left(home, trace.id) == [int(kept), 0, int(kept)]  # scores go at once
    with open_ledger(home).read() as connection:
        assert connection.scalar(select(calls.c.cost_usd).where(calls.c.key == f"other{age}"))
    assert spending.of_month(home, "2026-02")[f"key{age}"].cost_usd == 0.1


def rows_left(home: Path, trace_id: str) -> list[int]:
    """Of a trace, of its calls and of its scores."""
    columns = (traces.c.id, trace_id), (live_scores.c.trace_id, trace_id)
    owned = (calls.c.owner, trace_id.removeprefix("tr-"))
    with open_ledger(home).read() as connection:
        return [
            connection.scalar(select(func.count()).where(column == key)) or 0
            for column, key in (*columns, owned)
        ]


WORDS = "zanzibarquestion", "zanzibaranswer", "zanzibarcomment"


def known(home: Path) -> str:
    """Somebody with traces, feedback of their own and on another's, and answers from both."""
    ann = person(home, "helpdesk/ann")
    trace = recorded(f"{WORDS[0]}?", f"{WORDS[1]} is so", person=ann)
    other = recorded("of somebody else", person=person(home, "helpdesk/bob"))
    writer = TraceWriter(home, "helpdesk", apart=False)
    writer.start()
    for each in (trace, other):
        writer.put(each)
    writer.feedback(trace.id, ann, Feedback("up", WORDS[2]))
    writer.feedback(other.id, ann, Feedback("down", WORDS[2]))
    assert writer.flush(SECONDS)
    writer.close()
    shared = {"app": "helpdesk", "question": WORDS[0], "answer": WORDS[1], "hits": 0}
    owned = {"trace_id": trace.id, "person": ann, "created_at": now()}
    with open_ledger(home).write() as connection:
        connection.execute(insert(answers).values(key="k", scope="s", **shared, **owned))
        connection.execute(insert(curated).values(id="c", labels=[], **shared, **owned))
    TraceSpool(home, "helpdesk", 10**9).put(trace)
    return ann


def test_a_person_is_deleted_everywhere(
    home: Path, monkeypatch: pytest.MonkeyPatch, store: TraceStore
) -> None:
    ann = known(home)
    assert len(probe(home, WORDS)) > 3
    cost = sum(row.cost_usd for row in index.listed(home, limit=1000))
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        first = deletion.delete_person(home, "helpdesk/ann")
    assert not first.ok
    assert first.places["traces"] == 1
    assert first.places["spool"] == 1
    assert (first.places["answers"], first.places["curated"]) == (1, 1)
    assert first.places["feedback"] == 2
    assert probe(home, WORDS)  # MLflow still has it, and the deletion says so
    second = deletion.delete_person(home, "helpdesk/ann")
    assert second.ok
    assert (second.places["mlflow"], second.places["assessments"]) == (1, 1)
    assert probe(home, WORDS) == []
    with open_ledger(home).read() as connection:
        assert connection.execute(select(people).where(people.c.pseudonym == ann)).all() == []
        assert connection.execute(select(feedback).where(feedback.c.person == ann)).all() == []
        assert connection.execute(select(traces).where(traces.c.person == ann)).all() == []
    assert sum(row.cost_usd for row in index.listed(home, limit=1000)) == pytest.approx(cost)
    assert files_holding(home, [ann.encode()]) == []
    assert verify(home).ok
    assert deletion.delete_person(home, "helpdesk/ann").ok  # and again: nothing to do


def test_what_is_too_old_goes_and_what_is_protected_stays(
    home: Path, store: TraceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = datetime(2026, 11, 29, 12, tzinfo=UTC)  # 40 days before it is still the month before
    monkeypatch.setattr(retention, "now", lambda: today)
    old, young = recorded("old", app="aged"), recorded("young", app="aged")
    index.enter(home, [old, young])
    store.write("aged", [as_record(old), as_record(young)])
    long_ago = today - timedelta(days=40)
    with open_ledger(home).write() as connection:
        mine = traces.c.id == old.id
        connection.execute(update(traces).where(mine).values(began_at=long_ago))
    with pytest.raises(UsageError, match="younger than 60 days are protected"):
        retention.prune(home, "aged", 30, 60)
    assert retention.prune(home, "aged", 30, 7).places["mlflow"] == 1
    assert store.there([old.id, young.id]) == {young.id}
    row = index.row(home, old.id)
    assert row is not None
    assert (row.status, row.cost_usd) == ("pruned", old.cost_usd)
    with pytest.raises(UsageError, match="was deleted"):
        reading.trace(home, old.id)
