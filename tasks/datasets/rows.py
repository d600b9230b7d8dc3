"""Training rows from settled answers and from votes between two answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from sqlalchemy import select

from llmops.tasks.datasets.evidence import SettledAnswer
from llmops.tasks.datasets.golden import id_of
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import traces
from llmops.tasks.ledger.review import preferences
from llmops.tasks.rows import Row, RowMessage
from llmops.tasks.schemas import Lineage

Messages = tuple[RowMessage, ...]


def rows_of(evidence: Sequence[SettledAnswer]) -> list[Row]:
    """A corrected answer is a pair; one that was only judged is the answer with its score."""
    return [_row(each) for each in evidence if each.answer or each.settled.correction]


def _row(evidence: SettledAnswer) -> Row:
    settled, answer = evidence.settled, _assistant(evidence.answer)
    better = _assistant(settled.correction)
    same = settled.correction == evidence.answer
    asked = tuple(RowMessage.model_validate(each) for each in evidence.asked)
    known: RowFacts = {
        "id": id_of(evidence),
        "group": evidence.group,
        "lineage": _lineage(evidence.lineage),
    }
    if settled.correction and evidence.answer and not same:
        return Row(messages=asked, chosen=better, rejected=answer, **known)
    if settled.correction:
        return Row(messages=(*asked, *better), score=1.0, **known)
    score = 1.0 if settled.verdict == "good" else 0.0
    return Row(messages=(*asked, *answer), score=score, **known)


def votes(home: Path, app: str) -> list[Row]:
    """The pairs of the votes between two answers; those on deleted traces are left out."""
    gone = select(traces.c.id).where(traces.c.deleted_at.is_not(None))
    query = select(preferences).where(preferences.c.app == app, preferences.c.trace_id.not_in(gone))
    with existing_ledger(home).read() as connection:
        rows = connection.execute(query.order_by(preferences.c.id)).all()
    return [
        Row(
            id=f"vote-{row.id}",
            messages=_prompt(row.chosen) or (RowMessage(role="user", content=row.question),),
            group=row.trace_id or f"vote-{row.id}",
            chosen=_assistant(_text(row.chosen, "answer")),
            rejected=_assistant(_text(row.rejected, "answer")),
            lineage=_lineage(
                Lineage(
                    trace_id=row.trace_id,
                    reviewers=(row.person,) if row.person else (),
                    app=app,
                    knowledge_base=_text(row.chosen, "knowledge_base"),
                    version=_number(row.chosen),
                    prompt=_text(row.chosen, "prompt"),
                    model=_text(row.chosen, "model"),
                )
            ),
        )
        for row in rows
        if _text(row.chosen, "answer") and _text(row.rejected, "answer")
    ]


class RowFacts(TypedDict):
    """What all rows of an answer have."""

    id: str
    group: str
    lineage: dict[str, object]


def _lineage(lineage: Lineage) -> dict[str, object]:
    return lineage.model_dump(mode="json", exclude_none=True)


def _assistant(text: str) -> Messages:
    return (RowMessage(role="assistant", content=text),)


def _prompt(side: object) -> Messages:
    messages = side.get("messages") if isinstance(side, Mapping) else None
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        return ()
    return tuple(
        RowMessage(role=each["role"], content=str(each["content"]))
        for each in messages
        if isinstance(each, Mapping) and {"role", "content"} <= each.keys()
    )


def _text(side: object, name: str) -> str:
    value = side.get(name) if isinstance(side, Mapping) else None
    return value if isinstance(value, str) else ""


def _number(side: object) -> int | None:
    value = side.get("version") if isinstance(side, Mapping) else None
    return value if isinstance(value, int) else None
