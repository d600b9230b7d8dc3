"""Traces written in one transaction, in a real store beside those that MLflow writes alone."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import pytest

from llmops.tasks.tracking import prepare, tracking_uri
from llmops.tasks.tracking.batches import write_together
from llmops.tasks.tracking.store import experiment_of, opened
from llmops.tasks.tracking.trace_records import SpanRecord, TraceRecord, mlflow_spans

if TYPE_CHECKING:
    from mlflow.entities import Feedback, Span, TraceInfo
    from mlflow.store.tracking.abstract_store import AbstractStore
    from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.slow
BEGAN = 1_790_000_000_000_000_000


class Place(NamedTuple):
    client: "MlflowClient"
    store: "AbstractStore"
    experiment: str

    def seen(self, prefix: str) -> dict[str, object]:
        """All that is shown of the traces whose ids begin so, by the rest of their ids."""
        traces = self.client.search_traces(locations=[self.experiment], max_results=500)
        named = {str(each.info.trace_id): each.to_dict() for each in traces}
        return {
            key.removeprefix(prefix): _plain(each, prefix)
            for key, each in named.items()
            if key.startswith(prefix)
        }


def _plain(value: object, prefix: str) -> object:
    """Without what differs between any two traces."""
    if isinstance(value, dict):
        return {
            key: _plain(each, prefix)
            for key, each in value.items()
            if key not in ("assessment_id", "mlflow.artifactLocation", "trace_id", "traceId")
        }
    if isinstance(value, list):
        return [_plain(each, prefix) for each in value]
    return value.replace(prefix, "") if isinstance(value, str) else value


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("home")
    prepare(home)
    with opened(home, tracking_uri(home)) as client:
        experiment = experiment_of(client, "some evaluation", None)
        yield Place(client, client._tracking_client.store, experiment)


def written_by(place: Place, letter: str, count: int) -> "tuple[list[TraceInfo], list[Span]]":
    """So many traces with ids that begin with the letter: every third failed, and one costs."""
    from mlflow.entities import TraceInfo, TraceLocation, TraceState

    infos, spans = [], []
    for number in range(count):
        key, error = f"tr-{letter}{number:031x}", "it broke" if number % 3 == 2 else None
        trace = asked(key, number, error)
        spans += list(mlflow_spans(trace))
        infos.append(
            TraceInfo(
                trace_id=key,
                trace_location=TraceLocation.from_experiment_id(place.experiment),
                request_time=BEGAN // 1_000_000,
                execution_duration=5,
                state=TraceState.ERROR if error else TraceState.OK,
                request_preview=f"Größe {number}?",
                response_preview=f"It is {number}.",
                tags={"hard": "true", "mlflow.traceName": "asked"},
                assessments=[rated(key)],
            )
        )
    return infos, spans


def asked(key: str, number: int, error: str | None) -> TraceRecord:
    root = SpanRecord(
        id=f"{number + 1:016x}",
        parent=None,
        name="asked",
        kind="CHAIN",
        start_ns=BEGAN,
        end_ns=BEGAN + 5_000_000,
        inputs={"question": f"Größe {number}?"},
        outputs=f"It is {number}.",
        error=error,
    )
    model = root.model_copy(
        update={
            "id": f"{number + 1000:016x}",
            "parent": root.id,
            "kind": "CHAT_MODEL",
            "model": "echo",
            "usage": (7, number, 0.25),
        }
    )
    return TraceRecord(id=key, name="asked", tags={"hard": "true"}, spans=(root, model))


def rated(key: str) -> "Feedback":
    from mlflow.entities import AssessmentSource, Feedback

    return Feedback(
        name="exact_match",
        value=1.0,
        source=AssessmentSource("CODE", "exact_match"),
        trace_id=key,
        create_time_ms=5,
        last_update_time_ms=5,
    )


@contextlib.contextmanager
def wrote(place: Place) -> Iterator[list[str]]:
    """The first statement that writes of each transaction."""
    from sqlalchemy import event

    engine, first, fresh = place.store.engine, [], [True]  # type: ignore[attr-defined]

    def executed(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if fresh[0] and not statement.startswith(("PRAGMA", "SELECT")):
            first.append(statement)
            fresh[0] = False

    def ended(_connection: object) -> None:
        fresh[0] = True

    event.listen(engine, "before_cursor_execute", executed)
    event.listen(engine, "commit", ended)
    try:
        yield first
    finally:
        event.remove(engine, "before_cursor_execute", executed)
        event.remove(engine, "commit", ended)


def test_together_they_are_what_they_are_alone(place: Place) -> None:
    infos, spans = written_by(place, "a", 7)
    with wrote(place) as transactions:
        write_together(place.store, place.experiment, infos, spans)
    assert len(transactions) == 1
    infos, spans = written_by(place, "b", 7)
    for info in infos:
        place.store.start_trace(info)
    place.store.log_spans(place.experiment, spans)
    together, alone = place.seen("tr-a"), place.seen("tr-b")
    assert len(together) == 7
    assert together == alone


def test_one_that_somebody_else_has_written_harms_no_other(place: Place) -> None:
    infos, spans = written_by(place, "c", 5)
    place.store.start_trace(infos[3])
    write_together(place.store, place.experiment, infos, spans)
    infos, spans = written_by(place, "d", 5)
    write_together(place.store, place.experiment, infos, spans)
    there, other = place.seen("tr-c"), place.seen("tr-d")
    assert there.keys() == other.keys()
    assert {key: each for key, each in there.items() if not key.endswith("3")} == {
        key: each for key, each in other.items() if not key.endswith("3")
    }


def test_a_transaction_that_fails_leaves_nothing_and_says_so(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even traces without spans, which would count as written from then on."""
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    begun: list[str] = []

    def full(_: object, info: "TraceInfo") -> "TraceInfo":
        raise MlflowException(f"database or disk is full: {info.trace_id}")

    def broken(*_: object) -> NoReturn:
        begun.append("spans")
        monkeypatch.setattr(SqlAlchemyStore, "start_trace", full)
        raise MlflowException("database or disk is full")

    monkeypatch.setattr(SqlAlchemyStore, "log_spans", broken)
    infos, spans = written_by(place, "e", 3)
    with pytest.raises(MlflowException, match="disk is full: tr-e"):
        write_together(place.store, place.experiment, infos, spans)
    monkeypatch.undo()
    assert (begun, place.seen("tr-e")) == (["spans"], {})


def test_what_mlflow_takes_back_is_written_one_by_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so where it finds a trace of its own there, and knows of no others."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    real = SqlAlchemyStore.log_spans

    def undone(self: SqlAlchemyStore, experiment: str, spans: "list[Span]") -> "list[Span]":
        monkeypatch.setattr(SqlAlchemyStore, "log_spans", real)
        with self.ManagedSessionMaker(read_only=False) as session:
            session.rollback()
        return spans

    monkeypatch.setattr(SqlAlchemyStore, "log_spans", undone)
    infos, spans = written_by(place, "9", 3)
    write_together(place.store, place.experiment, infos, spans)
    assert len(place.seen("tr-9")) == 3


def test_a_store_that_is_no_database_gets_them_one_by_one(place: Place) -> None:
    """As a server does."""
    calls: list[str] = []

    class Remote:
        def start_trace(self, info: "TraceInfo") -> None:
            calls.append(str(info.trace_id)[:4])

        def log_spans(self, location: str, spans: "list[Span]") -> None:
            calls.append(f"{len(spans)} spans to {location}")

    infos, spans = written_by(place, "f", 2)
    write_together(Remote(), place.experiment, infos, spans)  # type: ignore[arg-type]
    assert calls == ["tr-f", "tr-f", f"4 spans to {place.experiment}"]


def test_no_trace_is_looked_up_by_itself(place: Place) -> None:
    counts = []
    for letter, count in (("7", 3), ("8", 30)):
        infos, spans = written_by(place, letter, count)
        with asked_for(place) as questions:
            write_together(place.store, place.experiment, infos, spans)
        counts.append(len(questions))
    assert counts[0] == counts[1]


@contextlib.contextmanager
def asked_for(place: Place) -> Iterator[list[str]]:
    """The statements that read."""
    from sqlalchemy import event

    engine, read = place.store.engine, []  # type: ignore[attr-defined]

    def executed(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            read.append(statement)

    event.listen(engine, "before_cursor_execute", executed)
    try:
        yield read
    finally:
        event.remove(engine, "before_cursor_execute", executed)
