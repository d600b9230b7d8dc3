"""Deleting a person, or one trace, everywhere that the application has brought it.

The ledger comes first: a mark stays there that keeps late writes out. What could not be reached is
named, and the same deletion finishes it later. The cost stays: it says nothing of anybody.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Connection, Select, delete, func, select, update

from llmops.tasks.audit.log import Entry, append
from llmops.tasks.audit.people import erase, known_pseudonym
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.application import (
    answers,
    clicks,
    curated,
    feedback,
    live_scores,
    people,
    traces,
)
from llmops.tasks.ledger.review import triaged
from llmops.tasks.ledger.runs import evaluations_recorded
from llmops.tasks.traces.feedback import apply
from llmops.tasks.traces.index import FeedbackRow, parts
from llmops.tasks.traces.monitored import REMARK, forget_quotes, forget_vectors
from llmops.tasks.traces.published import told_of_deleted
from llmops.tasks.traces.reading import unknown
from llmops.tasks.traces.reviewed import (
    AssessmentRow,
    assess,
    forget_reviews,
    forget_sessions,
    of_nobody,
    reviews_of,
    withdraw_reviews,
)
from llmops.tasks.traces.spool import SpoolFull, spools
from llmops.tasks.traces.trace import COMPARED
from llmops.tasks.traces.trained import forget_questions
from llmops.tasks.traces.written import clean, registered
from llmops.tasks.tracking.evaluated import forget_made_of
from llmops.tasks.tracking.leftovers import compact_file, compact_store
from llmops.tasks.tracking.traces import trace_store

PENDING = {"deleted": "deleting", "pruned": "pruning"}
"""What a mark says until MLflow has let the trace go, too."""
LOCK_SECONDS = 5.0


class Deleted(BaseModel):
    """`places`: how much was deleted, by place; `unreached`: what could not be done now, and is by
    the same deletion again; `remarks`: what is for others to do.
    """

    model_config = ConfigDict(frozen=True)
    places: dict[str, int]
    unreached: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.unreached


def delete_person(home: Path, name: str) -> Deleted:
    """Forget somebody: `name` is `APP/USER` or `key/ID`, as the application calls them. Where they
    are not known, what an earlier deletion has left undone is finished.
    """
    with open_ledger(home).write() as connection:
        pseudonym = known_pseudonym(connection, name)
        places = {"sessions": forget_sessions(connection, name)}
        if pseudonym:
            mine = [row.id for row in connection.execute(_ids(traces.c.person == pseudonym))]
            places |= _forget(connection, mine, "deleted")
            for table in (answers, curated, clicks):
                gone = connection.execute(delete(table).where(table.c.person == pseudonym))
                places[table.name] = places.get(table.name, 0) + gone.rowcount
            places["curated"] += _uncurate(connection, pseudonym)
            places["feedback"] += _withdraw(connection, pseudonym)
            for place, count in withdraw_reviews(connection, pseudonym).items():
                places[place] = places.get(place, 0) + count
            append(connection, Entry(action="erase_person", subject=f"person/{pseudonym}"))
            erase(connection, name)
            places["people"] = 1
    return finish(home, places)


def of_person(home: Path, name: str) -> dict[str, int]:
    """How much of somebody there is in the ledger, by table."""
    with open_ledger(home).read() as connection:
        pseudonym = known_pseudonym(connection, name)
        tables = (traces, feedback, clicks, answers, curated)
        counted = [
            select(func.count()).select_from(table).where(table.c.person == (pseudonym or None))
            for table in tables
        ]
        said = {
            table.name: connection.scalar(query) or 0
            for table, query in zip(tables, counted, strict=True)
        }
        return said | reviews_of(connection, name, pseudonym)


def delete_trace(home: Path, trace_id: str) -> Deleted:
    """Delete one trace with all that hangs on it. Raises UsageError for one that is not known."""
    with open_ledger(home).read() as connection:
        if connection.execute(select(traces.c.id).where(traces.c.id == trace_id)).first() is None:
            raise unknown(trace_id)
    return delete_traces(home, [trace_id])


def delete_traces(home: Path, ids: Collection[str]) -> Deleted:
    """The same for several, each with its entry in the audit log; those that are gone already, or
    not known, are only brought to their end.
    """
    places = dict[str, int]()
    with open_ledger(home).write() as connection:
        there = traces.c.deleted_at.is_(None)
        mine = [
            each
            for part in parts(ids)
            for each in connection.scalars(select(traces.c.id).where(traces.c.id.in_(part), there))
        ]
        if mine:
            places = _forget(connection, mine, "deleted")
        for each in mine:
            append(connection, Entry(action="delete_trace", subject=f"trace/{each}"))
    return finish(home, places)


def forget(home: Path, ids: Collection[str], status: str) -> dict[str, int]:
    """Mark traces as gone, and take what hangs on them out of the ledger; `finish` does the
    rest.
    """
    with open_ledger(home).write() as connection:
        return _forget(connection, ids, status)


def finish(home: Path, places: dict[str, int]) -> Deleted:
    """Bring every deletion to its end that has begun: spool, MLflow, files that were written from
    reviews, and the bytes in files.
    """
    pending = _pending(home)
    places = dict(places)
    unreached: list[str] = []
    remarks: list[str] = []
    ids = {trace_id for found in pending.values() for trace_id in found}
    places["spool"] = _from_spools(home, ids)
    forget_vectors(home, _deleting(home))
    for app, mine in pending.items():
        quotes, count = partial(forget_quotes, home, app, mine), len(unreached)
        told = f"MLflow, {len(mine)} traces of {app}, and the reports that quote them"
        if quoted := _tried(unreached, told, quotes):
            places["reports"] = places.get("reports", 0) + quoted
            remarks.append(REMARK)
        if len(unreached) > count:
            continue  # only what is pending still is looked for by the next deletion
        what = f"MLflow, {len(mine)} traces of {app}"
        gone = _tried(unreached, what, partial(_from_mlflow, home, app, mine))
        places["mlflow"] = places.get("mlflow", 0) + gone
    if withdrawn := _withdrawn(home):
        what = f"MLflow, {len(withdrawn)} ratings"
        places["assessments"] = _tried(unreached, what, lambda: _unrated(home, withdrawn))
    if reviewed := of_nobody(home):
        what = f"MLflow, {len(reviewed)} reviews"
        done = _tried(unreached, what, lambda: _unreviewed(home, reviewed))
        places["assessments"] = places.get("assessments", 0) + done
    for path in registered(home):
        done = _tried(unreached, str(path), partial(clean, home, path))
        places["written_files"] = places.get("written_files", 0) + done
    if ids:
        places["questions"] = forget_questions(home, ids)
    if ids or withdrawn or reviewed or any(places.values()):
        remarks = list(dict.fromkeys([*remarks, *told_of_deleted(home)]))
        _tried(unreached, "the free pages of MLflow's file", lambda: _compacted(home, remarks))
        ledger = Path(open_ledger(home).where)
        if ledger.is_file():
            _tried(unreached, "the free pages of the ledger", lambda: _cleaned(ledger))
    return Deleted(places=places, unreached=tuple(unreached), remarks=tuple(remarks))


def _forget(connection: Connection, ids: Collection[str], status: str) -> dict[str, int]:
    counts = {"traces": 0, "feedback": 0, "answers": 0, "curated": 0}
    every = {*ids, *_trials(connection, ids)}
    for part in parts(every):
        gone = {"status": PENDING[status], "deleted_at": now(), "person": "", "conversation": ""}
        mine = traces.c.id.in_(part)
        counts["traces"] += connection.execute(update(traces).where(mine).values(**gone)).rowcount
        for table in (feedback, clicks, answers, curated, live_scores, triaged):
            removed = connection.execute(delete(table).where(table.c.trace_id.in_(part)))
            counts[table.name] = counts.get(table.name, 0) + removed.rowcount
    return counts | forget_reviews(connection, every)


def _trials(connection: Connection, ids: Collection[str]) -> set[str]:
    """The comparisons that tried the question of one of these traces once more."""
    tried = select(traces.c.id).where(traces.c.status == COMPARED)
    return {
        each
        for part in parts(ids)
        for each in connection.scalars(tried.where(traces.c.conversation.in_(part)))
    }


def _uncurate(connection: Connection, pseudonym: str) -> int:
    """Curated answers that say what somebody has corrected, whoever curated them."""
    said = (
        select(curated.c.id, curated.c.answer, feedback.c.correction)
        .join(feedback, feedback.c.trace_id == curated.c.trace_id)
        .where(feedback.c.person == pseudonym, feedback.c.correction != "")
    )
    rows = connection.execute(said).all()
    theirs = [row.id for row in rows if row.answer == row.correction.strip()]
    gone = [connection.execute(delete(curated).where(curated.c.id == each)) for each in theirs]
    return sum(each.rowcount for each in gone)


def _withdraw(connection: Connection, pseudonym: str) -> int:
    """What somebody said of answers to others: the texts go now. A row stays, empty, where MLflow
    has an assessment that has to go, too.
    """
    mine = feedback.c.person == pseudonym
    stored = select(traces.c.id).where(traces.c.stored_at.is_not(None))
    elsewhere = feedback.c.trace_id.not_in(stored)
    gone = connection.execute(delete(feedback).where(mine, elsewhere)).rowcount
    empty = {"rating": None, "comment": "", "correction": "", "key_id": "", "stored_at": None}
    left = update(feedback).where(mine).values(**empty, updated_at=now())
    return gone + connection.execute(left).rowcount


def _withdrawn(home: Path) -> list[FeedbackRow]:
    """Ratings of people who were deleted, whose assessments MLflow may still have."""
    with open_ledger(home).read() as connection:
        nobody = feedback.c.person.not_in(select(people.c.pseudonym)) & (feedback.c.person != "")
        empty = feedback.c.rating.is_(None) & feedback.c.stored_at.is_(None)
        rows = connection.execute(select(feedback).where(nobody, empty)).all()
    return [FeedbackRow.model_validate(dict(row._mapping)) for row in rows]


def _unrated(home: Path, rows: Sequence[FeedbackRow]) -> int:
    with trace_store(home) as store:
        apply(home, store, rows)
    with open_ledger(home).write() as connection:
        for row in rows:
            mine = (feedback.c.trace_id == row.trace_id) & (feedback.c.person == row.person)
            connection.execute(delete(feedback).where(mine))
    return len(rows)


def _unreviewed(home: Path, rows: Sequence[AssessmentRow]) -> int:
    with trace_store(home) as store:
        return assess(home, store, rows)


def _pending(home: Path) -> dict[str, list[str]]:
    """The traces that MLflow may still have, by application."""
    with open_ledger(home).read() as connection:
        rows = connection.execute(_ids(traces.c.status.in_(PENDING.values()))).all()
    apps = sorted({row.app for row in rows})
    return {app: [row.id for row in rows if row.app == app] for app in apps}


def _deleting(home: Path) -> list[str]:
    """The applications of which traces were deleted, rather than pruned."""
    query = select(traces.c.app).where(traces.c.status == PENDING["deleted"]).distinct()
    with open_ledger(home).read() as connection:
        return list(connection.scalars(query))


def _from_spools(home: Path, ids: Collection[str]) -> int:
    count = 0
    for spool in spools(home):
        files = [
            path
            for path in spool.folder.rglob("*")
            if path.is_file() and any(path.name.find(trace_id) >= 0 for trace_id in ids)
        ]
        if not files:
            continue
        try:
            # what is being sent now is let through first; where that takes too long, the mark in
            # the ledger makes the sender take it back
            with spool.sending(LOCK_SECONDS):
                count += spool.drop(files)
        except SpoolFull:
            count += spool.drop(files)
    return count


def _from_mlflow(home: Path, app: str, ids: Sequence[str]) -> int:
    """First what evaluations have made of them: a mark that is done is not looked at again."""
    count = forget_made_of(home, evaluations_recorded(open_ledger(home)), ids)
    with trace_store(home) as store:
        count += store.delete(app, ids)
        left = store.there(ids)
    if left:
        raise LlmopsError(f"{len(left)} traces are still there: {', '.join(sorted(left)[:3])}")
    with open_ledger(home).write() as connection:
        for part in parts(ids):
            for status, pending in PENDING.items():
                mine = traces.c.id.in_(part) & (traces.c.status == pending)
                done = update(traces).where(mine).values(status=status, stored_at=None)
                connection.execute(done)
    return count


def _compacted(home: Path, remarks: list[str]) -> int:
    if remark := compact_store(home):
        remarks.append(remark)
    return 0


def _cleaned(ledger: Path) -> int:
    compact_file(ledger)
    return 0


def _tried(unreached: list[str], what: str, work: Callable[[], int]) -> int:
    try:
        return work()
    except LlmopsError as error:
        unreached.append(f"{what}: {error}")
        return 0


def _ids(condition: ColumnElement[bool]) -> Select[tuple[str, str]]:
    return select(traces.c.id, traces.c.app).where(condition).order_by(traces.c.id)
