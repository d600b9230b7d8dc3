"""Curated answers that follow what people settled on: added with a correction, changed with it,
retired with it. What a person has done to one by hand stands.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from llmops.tasks.audit.actor import acting_as
from llmops.tasks.audit.people import known_pseudonym
from llmops.tasks.chat import curated
from llmops.tasks.chat.curated import LONGEST_ANSWER, LONGEST_QUESTION, CuratedAnswer, NewCurated
from llmops.tasks.datasets.evidence import SettledAnswer
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import audit

CURATED = ("curate", "retire_curated")


class Curating(NamedTuple):
    """Whose curated answers: of an application, by the flow of that name."""

    app: str
    name: str

    @property
    def actor(self) -> str:
        """What the audit log calls the one who does it."""
        return f"flow/{self.name}"


class CuratedCounts(BaseModel):
    """What became of them. `by_hand`: those that a person has changed, retired or written, and
    that were left alone; `skipped`: corrections that no curated answer can hold.
    """

    model_config = ConfigDict(frozen=True)
    added: int = 0
    changed: int = 0
    retired: int = 0
    kept: int = 0
    by_hand: int = 0
    skipped: int = 0


def wanted(evidence: Iterable[SettledAnswer]) -> tuple[dict[str, NewCurated], int]:
    """What should be curated, by trace, and how many corrections cannot be: whose trace does not
    say which labels were held, or whose texts are too long. Of several corrections of the same
    question for the same people, the newest.
    """
    chosen: dict[tuple[str, frozenset[str]], NewCurated] = {}
    skipped = 0
    for each in sorted(evidence, key=lambda one: (one.settled.at, one.lineage.trace_id)):
        if not (correction := each.settled.correction):
            continue
        long = len(each.question) > LONGEST_QUESTION or len(correction) > LONGEST_ANSWER
        if each.labels is None or long:
            skipped += 1
            continue
        new = NewCurated(
            question=each.question,
            answer=correction,
            labels=each.labels,
            trace_id=each.lineage.trace_id,
        )
        chosen[each.question, each.labels] = new
    return {new.trace_id: new for new in chosen.values()}, skipped


def follow(home: Path, whose: Curating, new: Mapping[str, NewCurated]) -> CuratedCounts:
    """Make the curated answers of the flow those that are wanted. Raises UsageError where there is
    no room for more.
    """
    known = {
        each.trace_id: each
        for each in curated.listed(home, whose.app, retired=True)
        if each.trace_id
    }
    ours = _ours(home, whose, known.values())
    counts = dict.fromkeys(CuratedCounts.model_fields, 0)
    with acting_as(whose.actor):
        for trace_id in sorted(known.keys() | new.keys()):
            there, want = known.get(trace_id), new.get(trace_id)
            what = _step(home, whose.app, there, want, ours=there is not None and there.id in ours)
            if what:
                counts[what] += 1
    return CuratedCounts(**counts)


def _step(
    home: Path, app: str, there: CuratedAnswer | None, want: NewCurated | None, *, ours: bool
) -> str:
    """What was done about one trace: the name of a count, "" for nothing."""
    reason = f"trace/{want.trace_id if want else there.trace_id if there else ''}"
    if there is None or (ours and there.retired_at is not None):
        if want is None:
            return ""
        curated.add(home, app, want, reason=reason)
        return "added"
    if not ours:
        return "by_hand" if want else ""
    if want is None:
        curated.retire(home, app, there.id, reason=reason)
        return "retired"
    if (there.question, there.answer, there.labels) == (want.question, want.answer, want.labels):
        return "kept"
    curated.change(home, app, there.id, want, reason=reason)
    return "changed"


def _ours(home: Path, whose: Curating, answers: Iterable[CuratedAnswer]) -> set[str]:
    """The ids of those that nobody but the flow has touched last."""
    ids = {f"curated/{each.id}": each.id for each in answers}
    with existing_ledger(home).read() as connection:
        me = known_pseudonym(connection, whose.actor)
        query = (
            select(audit.c.subject, audit.c.person)
            .where(audit.c.action.in_(CURATED))
            .order_by(audit.c.number)
        )
        last = {row.subject: row.person for row in connection.execute(query)}
    return {ids[subject] for subject, person in last.items() if subject in ids and person == me}
