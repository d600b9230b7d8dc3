"""Corrections whose support has left the documents: what a person wrote may be wrong by now."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select

from llmops.tasks.datasets.evidence import SettledAnswer
from llmops.tasks.datasets.golden import relevant_to
from llmops.tasks.errors import UsageError
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.live_texts import text_loaders
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import audit
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.review import review_items
from llmops.tasks.ledger.tables import documents, versions
from llmops.tasks.retrieval.golden import GoldenSet, Question, missing
from llmops.tasks.review.items import NewItem
from llmops.tasks.review.reopening import reopen

OUTDATED, PRIORITY = "outdated", 85.0
"""The reason of an item, and its priority: a person's answer that is given to others, and may be
wrong, comes before one answer that somebody marked down.
"""
LONGEST_NOTE = 600


class Outdated(NamedTuple):
    """A correction, and what no longer stands where it stood. `quote`: None where the document is
    gone.
    """

    trace_id: str
    correction: str
    uri: str
    quote: str | None

    @property
    def note(self) -> str:
        """What a reviewer is told."""
        gone = (
            f"{self.uri} no longer says: {self.quote}"
            if self.quote
            else f"{self.uri} is not in the knowledge base any more"
        )
        return f"{_short(gone)} — The answer that people get so far: {_short(self.correction)}"


def ask_again(
    home: Path, app: str, queue: str, wanted: int, evidence: Iterable[SettledAnswer]
) -> list[Outdated]:
    """Reopen what is outdated: until people have looked again, nothing is made of it. Bases that
    are gone are passed over: nobody knows what holds now.
    """
    found = outdated(home, queue, evidence)
    items = [NewItem(each.trace_id, (OUTDATED,), PRIORITY, each.note) for each in found]
    if items:
        reopen(home, app, queue, items, wanted)
    return found


def outdated(home: Path, queue: str, evidence: Iterable[SettledAnswer]) -> list[Outdated]:
    """Corrections of which a supporting sentence, or its document, is not live any more; of what
    was reopened before, only where the document has changed since.
    """
    by_base: dict[str, list[SettledAnswer]] = {}
    for each in evidence:
        if each.settled.correction and each.lineage.knowledge_base:
            by_base.setdefault(each.lineage.knowledge_base, []).append(each)
    asked = _reopened(home, queue) if by_base else {}
    return [
        lost
        for base in sorted(by_base)
        for lost in _outdated_in(Handle(home=home, name=base), by_base[base], asked)
    ]


def _outdated_in(
    kb: Handle, evidence: Iterable[SettledAnswer], asked: Mapping[str, datetime]
) -> list[Outdated]:
    try:
        loaders = text_loaders(kb)
    except UsageError:  # nothing is live: it was dropped, or never published
        return []
    by_trace = {each.lineage.trace_id: each for each in evidence}
    found: dict[str, Outdated] = {}
    for lost in missing(_questions(by_trace), loaders):
        trace_id = lost.question
        before, changed = asked.get(trace_id), _changed_at(kb, lost.uri)
        if before is not None and (changed is None or changed <= before):
            continue
        correction = by_trace[trace_id].settled.correction
        quote = lost.quote if lost.uri in loaders else None
        found.setdefault(trace_id, Outdated(trace_id, correction, lost.uri, quote))
    return list(found.values())


def _questions(evidence: Mapping[str, SettledAnswer]) -> GoldenSet:
    """Each by its trace, with the passages that support the correction; those that none does are
    left out.
    """
    support = {trace_id: relevant_to(each) for trace_id, each in evidence.items()}
    return GoldenSet(
        tuple(
            Question(id=trace_id, question=evidence[trace_id].question, relevant=relevant)
            for trace_id, relevant in sorted(support.items())
            if relevant
        ),
        sha256="",
    )


def _changed_at(kb: Handle, uri: str) -> datetime | None:
    """Since when a document is as it is: its newest change was published, or a rollback led from
    another state of it to this one; None where nobody knows any more.
    """
    published, rolled = _published_at(kb, uri), _rolled_at(kb, uri)
    return max((each for each in (published, rolled) if each is not None), default=None)


def _published_at(kb: Handle, uri: str) -> datetime | None:
    mine = (documents.c.kb == kb.name) & (documents.c.uri == uri)
    live = kb.published().version
    with kb.ledger.read() as connection:
        began = connection.scalar(
            select(func.max(documents.c.valid_from)).where(mine, documents.c.valid_from <= live)
        )
        ended = connection.scalar(
            select(func.max(documents.c.valid_to)).where(mine, documents.c.valid_to <= live)
        )
        newest = max((each for each in (began, ended) if each is not None), default=None)
        number = (versions.c.kb == kb.name) & (versions.c.version == newest)
        at = connection.scalar(select(versions.c.published_at).where(number))
    return aware(at) if at else None


def _rolled_at(kb: Handle, uri: str) -> datetime | None:
    """The last move to a version of before or after in which the document is another one than in
    the version that was live; what nobody knows of that one any more counts as another.
    """
    published = (versions.c.kb == kb.name) & (versions.c.status == "published")
    mine = (documents.c.kb == kb.name) & (documents.c.uri == uri)
    moved = (audit.c.subject == f"kb/{kb.name}") & (audit.c.action == "rollback")
    with kb.ledger.read() as connection:
        kept = set(connection.scalars(select(versions.c.version).where(published)))
        rows = connection.execute(select(documents.c.valid_from, documents.c.valid_to).where(mine))
        spans = [(row.valid_from, row.valid_to) for row in rows]
        moves = connection.execute(select(audit).where(moved).order_by(audit.c.number.desc()))
        for move in moves:
            before, after = int(move.before or 0), int(move.after)
            if before not in kept or _began(spans, before) != _began(spans, after):
                return aware(datetime.fromisoformat(move.at))
    return None


def _began(spans: Iterable[tuple[int, int | None]], version: int) -> set[int]:
    """With which versions the rows began that hold in a version."""
    return {
        begins for begins, ends in spans if begins <= version and (ends is None or version < ends)
    }


def _reopened(home: Path, queue: str) -> dict[str, datetime]:
    query = select(review_items.c.trace_id, review_items.c.reopened_at).where(
        review_items.c.queue == queue, review_items.c.reopened_at.is_not(None)
    )
    with existing_ledger(home).read() as connection:
        return {row.trace_id: aware(row.reopened_at) for row in connection.execute(query)}


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_NOTE else f"{line[: LONGEST_NOTE - 1]}…"
