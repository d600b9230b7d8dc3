"""What was trained, and what it has learnt from: models by the version of their data set, rankings
by the traces, people and documents of their questions. What learnt from something that was erased
is named, and not taken back: whether it goes is for people to say.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import select, update

from llmops.tasks.lake import write_atomically
from llmops.tasks.ledger import existing_ledger, open_ledger
from llmops.tasks.ledger.tables import knowledge_bases, rankings
from llmops.tasks.traces.written import gone_people, gone_traces

NOTE = "learnt_from.json"
"""In the folder of a training."""
KEY = "learnt_from"
"""In the decision of a ranking."""


class TrainingNote(BaseModel):
    """What a training learns from. `model`: its name or path, "" before there is one. `begins`: the
    models that it begins with, as its config names them.
    """

    model_config = ConfigDict(frozen=True)
    dataset: str
    version: int
    model: str = ""
    begins: tuple[str, ...] = ()


class RankingNote(BaseModel):
    """What the questions of a ranking come from. `documents`: uris as hashes, since this stays."""

    model_config = ConfigDict(frozen=True)
    traces: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()


def write_note(folder: Path, note: TrainingNote) -> None:
    write_atomically(folder / NOTE, note.model_dump_json(indent=2).encode())


def models_of(home: Path, versions: Collection[tuple[str, int]]) -> list[str]:
    """The trainings on these versions of data sets, as `helpdesk openai-0123 on helpdesk v3`."""
    found = []
    for file in sorted((home / "trainings").glob(f"*/*/{NOTE}")):
        try:
            note = TrainingNote.model_validate_json(file.read_bytes())
        except (OSError, ValidationError):
            found.append(f"{file.parent.parent.name} {file.parent.name}, whose note is damaged")
            continue
        if (note.dataset, note.version) in versions:
            model = f" ({note.model})" if note.model else ""
            name = f"{file.parent.parent.name} {file.parent.name}{model}"
            found.append(f"{name} on {note.dataset} v{note.version}")
    return found


def rankings_of_deleted(home: Path) -> list[str]:
    """Those that learnt from traces that were deleted, or from people who were."""
    notes = _notes(home)
    lost = gone_traces(home, {each for note in notes.values() for each in note.traces})
    nobody = gone_people(home, {each for note in notes.values() for each in note.people})
    return [
        name
        for name, note in notes.items()
        if lost.intersection(note.traces) or nobody.intersection(note.people)
    ]


def rankings_of_documents(home: Path, kb: str, hashes: Collection[str]) -> list[str]:
    """Those of a knowledge base that learnt from documents, given by the hashes of their uris."""
    notes = _notes(home, kb)
    return [name for name, note in notes.items() if set(hashes).intersection(note.documents)]


def _notes(home: Path, kb: str = "") -> dict[str, RankingNote]:
    """Rankings as `ranking 3 of handbook (live)`, in the order of their numbers."""
    live = knowledge_bases.c.ranking.label("live")
    query = (
        select(rankings.c.kb, rankings.c.number, rankings.c.decision, live)
        .join(knowledge_bases, knowledge_bases.c.name == rankings.c.kb)
        .order_by(rankings.c.kb, rankings.c.number)
    )
    found = {}
    with existing_ledger(home).read() as connection:
        for row in connection.execute(query.where(rankings.c.kb == kb) if kb else query):
            told = row.decision.get(KEY) if isinstance(row.decision, Mapping) else None
            shown = " (live)" if row.number == row.live else ""
            name = f"ranking {row.number} of {row.kb}{shown}"
            found[name] = RankingNote.model_validate(told or {})
    return found


def forget_questions(home: Path, trace_ids: Collection[str]) -> int:
    """Take the questions of traces that are deleted out of what trainings have told of the worst
    ones, in the ledger and in the notes of the page. Returns how many there were.
    """
    numbers = {each.removeprefix("tr-") for each in trace_ids}
    count = 0
    with open_ledger(home).write() as connection:
        for row in connection.execute(select(rankings)).all():
            gone, decision = _without(row.decision, numbers)
            if gone:
                mine = (rankings.c.kb == row.kb) & (rankings.c.number == row.number)
                connection.execute(update(rankings).where(mine).values(decision=decision))
                count += gone
    for file in sorted((home / "builds").glob("*/train/reply.json")):
        try:
            reply = json.loads(file.read_bytes())
        except (OSError, ValueError):  # nothing, or not a whole one: the page shows nothing of it
            continue
        training = reply.get("training") if isinstance(reply, dict) else None
        gone, training = _without(training, numbers)
        if gone:
            write_atomically(file, json.dumps({**reply, "training": training}).encode())
            count += gone
    return count


def _without(told: object, numbers: Collection[str]) -> tuple[int, object]:
    """A question that comes from a trace is called by its number: feedback-…, clicks-…"""
    figures = told.get("figures") if isinstance(told, Mapping) else None
    worst = figures.get("worst") if isinstance(figures, Mapping) else None
    if not isinstance(told, Mapping) or not isinstance(figures, Mapping) or not worst:
        return 0, told
    kept = [each for each in worst if str(each.get("id", "")).rpartition("-")[2] not in numbers]
    return len(worst) - len(kept), {**told, "figures": {**figures, "worst": kept}}
