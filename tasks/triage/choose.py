"""From what the ledger knows to the items of a review queue."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypedDict

from sqlalchemy import ColumnElement, Connection, case, func, select

from llmops.tasks.ledger import existing_ledger, now
from llmops.tasks.ledger.application import feedback, live_scores, traces
from llmops.tasks.ledger.review import review_items, triaged
from llmops.tasks.review.items import NewItem, enqueue
from llmops.tasks.traces import spool
from llmops.tasks.traces.trace import ANSWERED
from llmops.tasks.triage.signals import Seen, TriagedAnswer, TriageRules, chosen

GROUNDED = "grounded"


class _Said(TypedDict):
    up: int
    down: int
    corrected: bool


NOTHING = _Said(up=0, down=0, corrected=False)


class Triaged(NamedTuple):
    """`chosen`: what is new in the queue; `left`: how many more have a reason, and come with later
    runs.
    """

    chosen: tuple[TriagedAnswer, ...]
    added: int
    left: int

    def by_reason(self) -> dict[str, int]:
        """How many were chosen for which reason; one can have several."""
        given = [reason for each in self.chosen for reason in each.reasons]
        return {reason: given.count(reason) for reason in dict.fromkeys(given)}


def triage(
    home: Path, app: str, queue: str, days: float, rules: TriageRules, wanted: int
) -> Triaged:
    """Put into the queue what people should look at, the most pressing first, at most `rules.most`
    that are new. What is there already gains reasons, and is not counted.
    """
    seen = known(home, app, now() - timedelta(days=days))
    there = _there(home, queue)
    picked = chosen(seen, rules)
    new = [each for each in picked if each.trace_id not in there]
    gaining = [
        each
        for each in picked
        if each.trace_id in there and not set(each.reasons) <= set(there[each.trace_id])
    ]
    put = new[: rules.most]
    items = [NewItem(each.trace_id, each.reasons, each.priority) for each in [*put, *gaining]]
    added = enqueue(home, app, queue, items, wanted) if items else 0
    return Triaged(chosen=tuple(put), added=added, left=len(new) - len(put))


def known(home: Path, app: str, since: datetime) -> list[Seen]:
    """What the ledger knows of the answers of the window whose texts can be read."""
    waiting = spool.waiting_ids(home, app)
    window = (traces.c.app == app) & (traces.c.began_at >= since)
    return [seen for seen, stored in _seen(home, window) if stored or seen.trace_id in waiting]


def facts(home: Path, trace_id: str) -> Seen:
    """What the ledger knows of one answer; nothing for one that is none, or was deleted."""
    seen = _seen(home, traces.c.id == trace_id)
    return seen[0][0] if seen else Seen(trace_id)


def _seen(home: Path, condition: ColumnElement[bool]) -> list[tuple[Seen, bool]]:
    """Each answer with whether MLflow has it."""
    window = condition & traces.c.deleted_at.is_(None)
    answers = (
        select(
            *(traces.c.id, traces.c.status, traces.c.stored_at.is_not(None).label("stored")),
            *(triaged.c.grounded, triaged.c.topic, triaged.c.alike),
            (triaged.c.trace_id.is_not(None) & triaged.c.grounded.is_(None)).label("unscored"),
        )
        .outerjoin(triaged, triaged.c.trace_id == traces.c.id)
        .where(window, traces.c.status.in_(ANSWERED))
    )
    with existing_ledger(home).read() as connection:
        rows = connection.execute(answers).all()
        said = _said(connection, window)
        scores = _scores(connection, window)
    return [
        (
            Seen(
                trace_id=row.id,
                refused=row.status == "refused",
                # what a look gave no score, as a person wrote it, has none from elsewhere either
                grounded=row.grounded if row.unscored else scores.get(row.id, row.grounded),
                alike=row.alike if row.topic else 0,
                **said.get(row.id, NOTHING),
            ),
            row.stored,
        )
        for row in rows
    ]


def _said(connection: Connection, window: ColumnElement[bool]) -> dict[str, _Said]:
    """How many people said what of each answer."""
    rated = feedback.c.rating
    query = (
        select(
            feedback.c.trace_id,
            func.sum(case((rated == "up", 1), else_=0)).label("up"),
            func.sum(case((rated == "down", 1), else_=0)).label("down"),
            func.max(case((feedback.c.correction != "", 1), else_=0)).label("corrected"),
        )
        .join(traces, traces.c.id == feedback.c.trace_id)
        .where(window, rated.is_not(None))
        .group_by(feedback.c.trace_id)
    )
    return {
        row.trace_id: _Said(up=row.up, down=row.down, corrected=bool(row.corrected))
        for row in connection.execute(query)
    }


def _scores(connection: Connection, window: ColumnElement[bool]) -> dict[str, float]:
    """Live scores of the answers, where there are some."""
    query = (
        select(live_scores.c.trace_id, live_scores.c.value)
        .join(traces, traces.c.id == live_scores.c.trace_id)
        .where(window, live_scores.c.metric == GROUNDED, live_scores.c.value.is_not(None))
    )
    return {row.trace_id: row.value for row in connection.execute(query)}


def _there(home: Path, queue: str) -> dict[str, list[str]]:
    """The traces of a queue, with their reasons."""
    query = select(review_items.c.trace_id, review_items.c.reasons)
    with existing_ledger(home).read() as connection:
        rows = connection.execute(query.where(review_items.c.queue == queue))
        return {row.trace_id: row.reasons for row in rows}
