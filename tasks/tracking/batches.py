"""Many traces in one transaction of MLflow's own database. By itself MLflow opens a session, looks
up the experiment and waits for the disk for each of them.
"""

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

if TYPE_CHECKING:
    from mlflow.entities import Experiment, Span, TraceInfo
    from mlflow.store.tracking.abstract_store import AbstractStore
    from sqlalchemy.orm import Session


class DatabaseStore(Protocol):
    """What is used of a store of MLflow that is a database."""

    ManagedSessionMaker: "Callable[..., contextlib.AbstractContextManager[Session]]"
    get_experiment: "Callable[[str], Experiment]"


def write_together(
    store: "AbstractStore", experiment: str, infos: "Sequence[TraceInfo]", spans: "Sequence[Span]"
) -> None:
    """Write new traces of an experiment with their spans. Where the store is a database, all are
    written or none, unless somebody else writes one of them meanwhile. Raises as MLflow does.
    """
    from mlflow.exceptions import MlflowException

    if not infos:
        return
    if hasattr(store, "ManagedSessionMaker"):
        # one of them may have come meanwhile, or the database has ended this for another writer:
        # MLflow copes with both where each has its own transaction; what stays is raised there
        with contextlib.suppress(MlflowException):
            _in_one_transaction(store, experiment, infos, spans)
            return
    for info in infos:
        store.start_trace(info)
    store.log_spans(experiment, list(spans))


def _in_one_transaction(
    store: "AbstractStore", experiment: str, infos: "Sequence[TraceInfo]", spans: "Sequence[Span]"
) -> None:
    """A copy of the store is what uses the one session: other threads have the store itself."""
    theirs = cast(DatabaseStore, store)
    with theirs.ManagedSessionMaker(read_only=False) as session, _whole(session):
        bound = copy.copy(store)
        ours = cast(DatabaseStore, bound)
        ours.ManagedSessionMaker = lambda **_: contextlib.nullcontext(session)
        ours.get_experiment = cache(theirs.get_experiment)
        with _flushed_once(session):
            for info in infos:
                bound.start_trace(_with_place(info))
            kept = list(session)  # alive, so that what follows need not read them again
        with _flushed_once(session):
            bound.log_spans(experiment, list(spans))
        del kept


def _with_place(info: "TraceInfo") -> "TraceInfo":
    """With the tag that says where the spans are: MLflow looks for it, trace by trace, when it gets
    them.
    """
    from mlflow.tracing.constant import SpansLocation, TraceTagKey

    place = {TraceTagKey.SPANS_LOCATION: SpansLocation.TRACKING_STORE.value}
    return replace(info, tags={**info.tags, **place})


@contextlib.contextmanager
def _flushed_once(session: "Session") -> Iterator[None]:
    """Rows go to the database together at the end, instead of a trace at a time."""
    session.flush = lambda *_: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        del session.flush
    session.flush()


@contextlib.contextmanager
def _whole(session: "Session") -> Iterator[None]:
    """MLflow takes back what its session has written, and goes on, where a trace is there already:
    here that would be the others, too, without a word.
    """

    def refused() -> NoReturn:
        raise RuntimeError("this transaction holds more than the trace that failed")

    session.rollback = refused  # type: ignore[method-assign]
    try:
        yield
    finally:
        del session.rollback
