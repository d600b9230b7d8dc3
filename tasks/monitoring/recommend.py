"""What people should do: questions to answer, passages to mend, documents to look at."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from llmops.tasks.errors import LlmopsError, Unavailable
from llmops.tasks.monitoring.bad_passages import bad_passages
from llmops.tasks.monitoring.figures import LISTS, Recommendations
from llmops.tasks.monitoring.traffic import Exchange
from llmops.tasks.monitoring.unanswered import Unanswered, unanswered
from llmops.tasks.monitoring.unused import MOST, Unused, unused
from llmops.tasks.plugins.embedders import Embedder

FEW = 30
"""Exchanges below which no list is made: it would be of single questions."""


def recommendations(
    home: Path,
    exchanges: Sequence[Exchange],
    embedder: Embedder,
    *,
    knowledge_bases: Sequence[str],
    since: datetime | None = None,
) -> Recommendations:
    """The three lists, each of twenty at most, and in `notes` what they rest on. `since`: when the
    window began, else the first exchange. A knowledge base that is not in this home, and an
    embedder that cannot be reached, is a note.
    """
    if len(exchanges) < FEW:
        few = f"{len(exchanges)} of at least {FEW}"
        return Recommendations(
            notes=(f"too few exchanges to recommend anything: {few}",),
            not_looked=dict.fromkeys(LISTS, f"{few} exchanges"),
        )
    questions = _unanswered(home, exchanges, embedder)
    bad = bad_passages(home, exchanges)
    begins = since or min(each.at for each in exchanges)
    found, problems = _unused(home, exchanges, knowledge_bases, begins)
    listed = [each for one in found.values() for each in one.documents]
    listed.sort(key=lambda each: (-each.chunks, each.knowledge_base, each.uri))
    notes = {
        "unanswered": questions.notes,
        "bad_passages": (bad.note,) if bad.note else (),
        "unused": (*(one.note for one in found.values()), *problems),
    }
    not_looked = {"unanswered": questions.not_looked, "bad_passages": bad.note}
    return Recommendations(
        unanswered=questions.questions,
        unused=tuple(listed[:MOST]),
        unused_count={name: one.total for name, one in found.items()},
        bad_passages=bad.passages,
        notes=tuple(note for of in notes.values() for note in of),
        notes_of=notes,
        not_looked={name: why for name, why in not_looked.items() if why},
    )


def _unanswered(home: Path, exchanges: Sequence[Exchange], embedder: Embedder) -> Unanswered:
    """The other lists want no embedder."""
    try:
        return unanswered(home, exchanges, embedder)
    except Unavailable as error:
        why = f"questions without an answer are not known: {error}"
        return Unanswered((), (why,), why)


def _unused(
    home: Path, exchanges: Sequence[Exchange], names: Sequence[str], since: datetime
) -> tuple[dict[str, Unused], list[str]]:
    found: dict[str, Unused] = {}
    problems = []
    for name in names:
        try:
            found[name] = unused(home, name, exchanges, since)
        except LlmopsError as error:
            problems.append(f"{name}: unused documents are not known: {error}")
    return found, problems
