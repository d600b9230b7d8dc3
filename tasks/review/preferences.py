"""Which of several answers somebody liked better. A vote becomes a pair for each answer that was
not chosen: what preference training and comparisons of prompts are made from.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import permutations
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Row, delete, func, insert, select

from llmops.tasks.audit.people import names
from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import existing_ledger, now, open_ledger
from llmops.tasks.ledger.application import traces
from llmops.tasks.ledger.databases import storable
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.review import preferences
from llmops.tasks.plugins import canonical
from llmops.tasks.statistics.arrays import Interval
from llmops.tasks.statistics.intervals import share_interval
from llmops.tasks.traces.masking import masked_text

ID_DIGITS = 12
LONGEST_COMMENT = 4_000
LONGEST_QUESTION = 100_000
COUNTED = 20_000
"""The newest pairs, from which is counted who is liked better."""


class VoteMessage(BaseModel):
    """A message that a model was given."""

    model_config = ConfigDict(frozen=True)
    role: Literal["system", "user", "assistant"]
    content: str


class VotedAnswer(BaseModel):
    """An answer and what it was made with. `labels`: the access labels of its passages' search:
    whoever is shown it has to hold them.
    """

    model_config = ConfigDict(frozen=True)
    messages: tuple[VoteMessage, ...]
    answer: str
    prompt: str
    model: str
    knowledge_base: str
    version: int
    labels: tuple[str, ...] = ()


class Preference(BaseModel):
    """A pair. `trace_id`: the answer whose question it was; "" for a question that was typed."""

    model_config = ConfigDict(frozen=True)
    id: str
    app: str
    trace_id: str
    person: str
    question: str
    chosen: VotedAnswer
    rejected: VotedAnswer
    comment: str
    created_at: datetime

    def open_to(self, labels: Collection[str]) -> bool:
        return {*self.chosen.labels, *self.rejected.labels} <= set(labels)


class Liked(NamedTuple):
    """How often one prompt with one model was chosen of `pairs`. `interval`: of the share, by
    votes: the pairs of one vote are not independent.
    """

    prompt: str
    model: str
    chosen: int
    pairs: int
    share: float
    interval: Interval


def prefer(
    home: Path,
    app: str,
    person: str,
    question: str,
    chosen: VotedAnswer,
    rejected: Sequence[VotedAnswer],
    comment: str = "",
    trace_id: str = "",
) -> list[str]:
    """Keep a vote: the ids of its pairs. The same person's vote on the same answers takes the place
    of the one before, whichever it was. `person`: a pseudonym, "" for nobody known.

    Raises UsageError without a rejected answer, for texts that are too long, and for a trace or a
    person that was deleted.
    """
    if not rejected or len(comment) > LONGEST_COMMENT or len(question) > LONGEST_QUESTION:
        raise UsageError(
            f"got {len(rejected)} rejected answers, {len(question):,} characters of a question and "
            f"{len(comment):,} of a comment",
            hint=f"wanted: one answer at least, at most {LONGEST_QUESTION:,} and "
            f"{LONGEST_COMMENT:,} characters",
        )
    question, (chosen, *rejected) = _kept(question), map(_answer_kept, (chosen, *rejected))
    shared = {
        "app": app,
        "trace_id": trace_id,
        "person": person,
        "question": question,
        "comment": _kept(comment.strip()),
        "created_at": now(),
        "chosen": chosen.model_dump(mode="json"),
    }
    rows = [
        {**shared, "id": _id(app, person, question, chosen, other), "rejected": other.model_dump()}
        for other in rejected
    ]
    pairs = permutations((chosen, *rejected), 2)
    either = {_id(app, person, question, one, other) for one, other in pairs}
    with open_ledger(home).write() as connection:
        _check_there(connection, trace_id, person)
        connection.execute(delete(preferences).where(preferences.c.id.in_(either)))
        connection.execute(insert(preferences), rows)
    return [str(row["id"]) for row in rows]


def withdraw(home: Path, app: str, person: str, ids: Collection[str]) -> int:
    """Take one's own pairs back; how many there were."""
    mine = (preferences.c.app == app) & (preferences.c.person == person)
    with open_ledger(home).write() as connection:
        gone = delete(preferences).where(mine, preferences.c.id.in_(sorted(ids)))
        return connection.execute(gone).rowcount


def listed(
    home: Path, app: str, labels: Collection[str], *, limit: int = 50, offset: int = 0
) -> list[Preference]:
    """The newest pairs, newest first, of which somebody with these labels may see both answers:
    of `limit` that are looked at.
    """
    query = (
        select(preferences)
        .where(preferences.c.app == app)
        .order_by(preferences.c.created_at.desc(), preferences.c.id)
        .limit(limit)
        .offset(offset)
    )
    with existing_ledger(home).read() as connection:
        found = [_preference(row) for row in connection.execute(query)]
    return [each for each in found if each.open_to(labels)]


def count(home: Path, app: str) -> int:
    """The pairs of an application."""
    query = select(func.count()).select_from(preferences).where(preferences.c.app == app)
    with existing_ledger(home).read() as connection:
        return connection.scalar(query) or 0


def liked(home: Path, app: str) -> list[Liked]:
    """Who was chosen how often, the best liked first, over the newest pairs. Pairs of the same
    prompt and model say nothing of either.
    """
    one, other = preferences.c.chosen, preferences.c.rejected
    columns = (
        *(one["prompt"].as_string(), one["model"].as_string()),
        *(other["prompt"].as_string(), other["model"].as_string()),
        *(preferences.c.person, preferences.c.created_at),
    )
    query = (
        select(*columns)
        .where(preferences.c.app == app)
        .order_by(preferences.c.created_at.desc(), preferences.c.id)
        .limit(COUNTED)
    )
    with existing_ledger(home).read() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    outcomes: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for won, by, lost, against, person, at in rows:
        if (won, by) == (lost, against):
            continue
        vote = f"{person}/{at}"
        outcomes.setdefault((won, by), []).append((1.0, vote))
        outcomes.setdefault((lost, against), []).append((0.0, vote))
    found = [_liked(*who, pairs) for who, pairs in outcomes.items()]
    return sorted(found, key=lambda each: (-each.share, -each.pairs, each.prompt, each.model))


def _liked(prompt: str, model: str, pairs: Sequence[tuple[float, str]]) -> Liked:
    values, votes = [value for value, _ in pairs], [vote for _, vote in pairs]
    share = sum(values) / len(values)
    interval = share_interval(values, votes)
    return Liked(prompt, model, int(sum(values)), len(values), share, interval)


def _check_there(connection: Connection, trace_id: str, person: str) -> None:
    gone = (traces.c.id == trace_id) & traces.c.deleted_at.is_not(None)
    if trace_id and connection.scalar(select(traces.c.id).where(gone)):
        raise UsageError(f"the trace {trace_id[:40]!r} was deleted", where="trace_id")
    if person and person not in names(connection, [person]):
        raise UsageError("whoever votes was deleted", where="person")


def _id(app: str, person: str, question: str, one: VotedAnswer, other: VotedAnswer) -> str:
    parts = [app, person, question, one.model_dump(), other.model_dump()]
    return sha256(canonical(parts).encode("utf-8", "replace")).hexdigest()[:ID_DIGITS]


def _answer_kept(answer: VotedAnswer) -> VotedAnswer:
    messages = [
        message.model_copy(update={"content": _kept(message.content)})
        for message in answer.messages
    ]
    texts = {"answer": _kept(answer.answer), "messages": tuple(messages)}
    return answer.model_copy(update=texts)


def _kept(text: str) -> str:
    """Without secrets, as in traces, and without what a database does not take."""
    return str(storable(masked_text(text)))


def _preference(row: Row[tuple[object, ...]]) -> Preference:
    found = Preference.model_validate(dict(row._mapping))
    return found.model_copy(update={"created_at": aware(found.created_at)})
