"""Questions that the documents do not answer: by what says so of each exchange, and put together
with those that ask the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llmops.tasks.monitoring.figures import UnansweredQuestion
from llmops.tasks.monitoring.likeness import LONGEST, Support, likeness
from llmops.tasks.monitoring.traffic import Exchange
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.schemas import Vectors
from llmops.tasks.statistics.topics import MOST as TOGETHER
from llmops.tasks.statistics.topics import topics

MOST = 20
LOOKED_AT = 5_000
"""Exchanges that are looked at: those that something speaks against first, then a sample."""
SAME = 0.7
"""Likeness from which on two questions ask the same."""
WEAK, STRONG = 0.5, 0.8
"""Score `grounded`: below WEAK the passages do not support the answer, from STRONG on they do."""
LEAST, OFTEN = 0.5, 3
"""How sure a group has to be on average, unless so many conversations are in it."""
COMPARED = 1_024


class Doubt(NamedTuple):
    """What speaks against an exchange. `weight`: how often it is right
    (docs/monitoring-recommendations.md has what it was measured on); `why`: in words.
    """

    weight: float
    why: str


EMPTY = Doubt(0.9, "nothing was found")
NONE = Doubt(0.9, "what was found is about something else")
FAR = Doubt(0.6, "what was found is hardly about it")
DISLIKED = Doubt(0.6, "rated down, and no passage is near")
UNGROUNDED = Doubt(0.6, "the passages do not support the answer")
REFUSED = Doubt(0.3, "refused")
REFUSED_NEAR = Doubt(0.1, "refused, though a passage is near")


class _Asked(NamedTuple):
    """An exchange with what its best passage has for it, and what speaks against its answer."""

    exchange: Exchange
    support: Support | None
    doubt: Doubt | None
    good: bool


class _Group(NamedTuple):
    """Exchanges that ask the same, the most typical first; `right`: conversations whose like
    question was answered well; `sure`: conversations, each by the weight of what speaks against it.
    """

    members: tuple[_Asked, ...]
    right: int
    sure: float

    @property
    def conversations(self) -> int:
        return len({each.exchange.unit for each in self.members})

    @property
    def is_sure(self) -> bool:
        """Whether the answers are bad rather than good, and more than one refusal in doubt."""
        count = self.conversations
        return self.right < count and (self.sure >= LEAST * count or count >= OFTEN)


class Unanswered(NamedTuple):
    """`notes`: what else is to be known of it; `not_looked`: why nobody could look."""

    questions: tuple[UnansweredQuestion, ...] = ()
    notes: tuple[str, ...] = ()
    not_looked: str = ""


def unanswered(
    home: Path, exchanges: Sequence[Exchange], embedder: Embedder, most: int = MOST
) -> Unanswered:
    """Those that most conversations asked in vain, each conversation counting as much as what
    speaks against its answer is sure.

    An exchange counts where something was searched: a guard that refuses orders or a topic says
    nothing of the documents. A question that as many conversations got a good answer to, or that
    anybody rated up, is left out. Scores of a search are not looked at: a hybrid search scales them
    to the best of each question. Raises Unavailable where the embedder cannot be reached.
    """
    there = [each for each in exchanges if _counts(each)]
    texts = sum(not each.question.strip() for each in exchanges)
    notes = [f"{texts:,} exchanges have no text here, and are in no list"] if texts else []
    if not there:
        why = "no exchange has a text and was searched for"
        return Unanswered((), (*notes, why), why)
    looked = _chosen(there)
    if len(looked) < len(there):
        notes.append(f"unanswered questions are of {len(looked):,} of {len(there):,} exchanges")
    like = likeness(home, looked, embedder)
    asked = [_asked(each, best) for each, best in zip(looked, like.support, strict=True)]
    groups = [each for each in _groups(asked, like.vectors) if each.is_sure]
    groups.sort(key=_rank)
    if len(groups) > most:
        notes.append(f"{len(groups):,} questions were found, the first {most:,} of them are listed")
    return Unanswered(tuple(_told(each) for each in groups[:most]), (*notes, *_near(asked)))


def _counts(exchange: Exchange) -> bool:
    searched = bool(exchange.knowledge_base or exchange.passages)
    says = any(map(str.isalnum, exchange.question))
    return searched and says and exchange.status in ("ok", "refused")


def _chosen(there: Sequence[Exchange]) -> list[Exchange]:
    """By a hash, so that the same are looked at again."""
    ordered = sorted(
        there, key=lambda each: (not _plainly(each), sha256(each.id.encode()).digest())
    )
    return ordered[:LOOKED_AT]


def _plainly(exchange: Exchange) -> bool:
    """Whether anything speaks against it before texts are compared."""
    grounded = exchange.scores.get("grounded")
    return (
        exchange.status == "refused"
        or not exchange.passages
        or exchange.rating == "down"
        or (grounded is not None and grounded < WEAK)
    )


def _asked(exchange: Exchange, support: Support | None) -> _Asked:
    grounded = exchange.scores.get("grounded")
    doubt = _doubt(exchange, support, grounded)
    good = doubt is None and (
        exchange.rating == "up" or (grounded is not None and grounded >= STRONG)
    )
    return _Asked(exchange, support, doubt, good)


def _doubt(exchange: Exchange, support: Support | None, grounded: float | None) -> Doubt | None:
    """The surest that applies; None for an answer that somebody rated up."""
    refused, near = exchange.status == "refused", support.nearness if support else "unsure"
    if exchange.rating == "up" and not refused:
        return None
    applies = (
        (EMPTY, not exchange.passages),
        (NONE, near == "none"),
        (FAR, near == "far"),
        (DISLIKED, exchange.rating == "down" and near != "near"),
        (UNGROUNDED, grounded is not None and grounded < WEAK),
        (REFUSED, refused and near != "near"),
        (REFUSED_NEAR, refused),
    )
    return next((doubt for doubt, holds in applies if holds), None)


def _groups(asked: Sequence[_Asked], vectors: Vectors) -> Iterator[_Group]:
    """The doubtful ones put together; good answers count for the group that they are most like."""
    doubtful = [row for row, each in enumerate(asked) if each.doubt][:TOGETHER]
    good = [row for row, each in enumerate(asked) if each.good]
    if not doubtful:
        return
    made = topics(vectors[doubtful], SAME)
    of = np.zeros(len(doubtful), np.int64)
    for number, topic in enumerate(made):
        of[list(topic.members)] = number
    units: list[set[str]] = [set() for _ in made]
    praised = [False] * len(made)
    for start in range(0, len(good), COMPARED):
        rows = good[start : start + COMPARED]
        likes = vectors[rows] @ vectors[doubtful].T
        for row, nearest, most in zip(rows, likes.argmax(axis=1), likes.max(axis=1), strict=True):
            if most >= SAME:
                units[of[nearest]].add(asked[row].exchange.unit)
                praised[of[nearest]] |= asked[row].exchange.rating == "up"
    for topic, right, up in zip(made, units, praised, strict=True):
        members = tuple(asked[doubtful[row]] for row in topic.members)
        if not up:
            yield _Group(members, len(right), _sure(members))


def _sure(members: Sequence[_Asked]) -> float:
    """Each conversation by its surest exchange."""
    weights: dict[str, float] = {}
    for each in members:
        unit, weight = each.exchange.unit, each.doubt.weight if each.doubt else 0.0
        weights[unit] = max(weight, weights.get(unit, 0.0))
    return sum(weights.values())


def _rank(group: _Group) -> tuple[float, float, str]:
    """Of equals, what is farthest from all passages first."""
    known = [each.support.value for each in group.members if each.support]
    return -round(group.sure, 6), sum(known) / len(known) if known else 1.0, _first(group).id


def _first(group: _Group) -> Exchange:
    return group.members[0].exchange


def _told(group: _Group) -> UnansweredQuestion:
    counts: dict[Doubt, int] = {}
    for each in group.members:
        if each.doubt:
            counts[each.doubt] = counts.get(each.doubt, 0) + 1
    return UnansweredQuestion(
        question=_first(group).question[:LONGEST],
        asked=len(group.members),
        conversations=group.conversations,
        why=_why(counts, group),
        nearest=_nearest(group.members),
        trace_ids=tuple(each.exchange.id for each in group.members),
    )


def _why(counts: Mapping[Doubt, int], group: _Group) -> str:
    ordered = sorted(counts, key=lambda each: (-counts[each], -each.weight))
    said = "; ".join(
        each.why if len(group.members) == 1 else f"{counts[each]}× {each.why}" for each in ordered
    )
    if group.right:
        return f"{said}; answered in {group.right} other conversation" + (
            "s" if group.right > 1 else ""
        )
    return said


def _nearest(members: Sequence[_Asked]) -> str:
    """The document of the first passage of the question that came closest."""
    there = [each for each in members if each.exchange.passages]
    if not there:
        return ""
    best = max(there, key=lambda each: each.support.value if each.support else 0.0)
    return best.exchange.passages[0].uri


def _near(asked: Sequence[_Asked]) -> list[str]:
    """Refusals that the documents may not be to blame for."""
    refused = [each for each in asked if each.exchange.status == "refused"]
    near = [each for each in refused if each.doubt == REFUSED_NEAR]
    if not near:
        return []
    return [
        f"{len(near):,} of {len(refused):,} refusals had a passage near the question: there the "
        "prompt, the model or retrieve.min_score may refuse what the documents answer"
    ]
