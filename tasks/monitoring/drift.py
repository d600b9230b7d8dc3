"""Whether people ask something else than before, whether the answers are others, and which topics
are new: each told no more often by chance than is said. docs/monitoring-statistics.md has how that
was measured.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from llmops.tasks.monitoring.figures import Drift, NewTopic
from llmops.tasks.monitoring.sampling import UnitTexts, embedded, sampled
from llmops.tasks.monitoring.topic_words import topic_words
from llmops.tasks.monitoring.traffic import Exchange
from llmops.tasks.plugins.embedders import Embed, Embedder
from llmops.tasks.statistics.change import level_per_look
from llmops.tasks.statistics.drift import (
    LEAST_UNITS,
    Surroundings,
    UnitPool,
    WindowDrift,
    pooled,
    surroundings,
    topic_p,
    usable,
    window_drift,
)
from llmops.tasks.statistics.topics import MOST, NEAR, topics

PARTS = 3
"""Questions, answers and topics share the rate of false alarms."""
MOST_TOPICS, MOST_EXAMPLES, MOST_IDS = 20, 5, 50
SUPPORTED = 0.5
"""Score `grounded` from which on the passages support an answer: docs/monitoring-recommendations.md
has what it was chosen by."""

What = Literal["questions", "answers"]


def drifts(
    current: Sequence[Exchange],
    windows: Sequence[Sequence[Exchange]],
    embedder: Embedder,
    *,
    false_alarms_per_year: float,
    looks_per_year: float,
) -> tuple[tuple[Drift, ...], tuple[NewTopic, ...]]:
    """Drift of questions and of answers, and new topics. `windows`: those before, in any order; one
    without exchanges is left out. Each of the three spends a third of the rate of false alarms.
    Questions count whatever came of them. Answers count where something was answered: a refusal is
    no text of its own, and its rate is another measure. Raises Unavailable where the embedder does
    not answer.
    """
    rate = false_alarms_per_year / PARTS
    level = level_per_look(rate, looks_per_year)
    before = sorted((each for each in windows if each), key=_began, reverse=True)
    every = [current, *before]
    asked = _Looked.at(every, _question, embedder.embed_query)
    questions = _drift("questions", asked, level, rate)
    answers = _drift("answers", _Looked.at(every, _answer, embedder.embed), level, rate)
    fresh = () if questions.status == "unknown" else _new_topics(asked, current, level)
    return (questions, answers), fresh


def _began(window: Sequence[Exchange]) -> float:
    return min(exchange.at for exchange in window).timestamp()


def _question(exchange: Exchange) -> str:
    return exchange.question.strip()


def _answer(exchange: Exchange) -> str:
    return exchange.answer.strip() if exchange.status == "ok" else ""


class _Looked(NamedTuple):
    """What is looked at of all windows, the newest first. `began`: the day of each window;
    `counts`: exchanges of the window and of those before; `rows`: for each row of the pool, its
    unit and the place of its text there.
    """

    began: tuple[str, ...]
    counts: tuple[int, int]
    pool: UnitPool
    around: Surroundings | None
    rows: list[tuple[UnitTexts, int]]

    @classmethod
    def at(
        cls,
        every: Sequence[Sequence[Exchange]],
        text: Callable[[Exchange], str],
        embed: Embed,
    ) -> "_Looked":
        windows = sampled(every, text)
        vectors = embedded(embed, windows)
        pool = pooled(vectors)
        rows = [
            (unit, int(place))
            for units, parts in zip(windows, vectors, strict=True)
            for unit, part in zip(units, parts, strict=True)
            for place in usable(part)
        ]
        began = tuple(
            min(each.at for each in window).date().isoformat() if window else "" for window in every
        )
        texts = [sum(map(len, unit.exchanges)) for units in windows for unit in units]
        current = sum(texts[: len(windows[0])])
        enough = min(pool.current, pool.units - pool.current) >= LEAST_UNITS
        around = surroundings(pool, NEAR) if enough else None
        return cls(began, (current, sum(texts) - current), pool, around, rows)


def _drift(what: What, looked: _Looked, level: float, rate: float) -> Drift:
    n, n_before = looked.counts
    pool = looked.pool
    drift = window_drift(pool, looked.around.unlike, level=level) if looked.around else None
    if drift is None:
        return Drift(
            what=what,
            status="unknown",
            n=n,
            n_before=n_before,
            false_alarms_per_year=rate,
            reason=_too_little(pool),
        )
    drifted = drift.p <= level
    distances = dict(enumerate(drift.distances))
    weeks = [(began, distances.get(age)) for age, began in enumerate(looked.began)]
    return Drift(
        what=what,
        status="drifted" if drifted else "same",
        n=n,
        n_before=n_before,
        distance=drift.distance,
        usual=drift.usual,
        p=drift.p,
        level=level,
        false_alarms_per_year=rate,
        weeks=tuple(weeks[::-1]),
        reason=_since(drift, looked.began) if drifted else "",
    )


def _too_little(pool: UnitPool) -> str:
    before = pool.units - pool.current
    where = "in this window" if pool.current < LEAST_UNITS else "in the windows before"
    count = pool.current if pool.current < LEAST_UNITS else before
    return f"too few people or conversations {where}: {count} of at least {LEAST_UNITS}"


def _since(drift: WindowDrift, began: Sequence[str]) -> str:
    if drift.newest == 1:
        return "this window is unlike those before it"
    return (
        f"the newest {drift.newest} windows together, since {began[drift.newest - 1]}, are unlike "
        f"those before them: a shift that stays"
    )


def _new_topics(looked: _Looked, current: Sequence[Exchange], level: float) -> tuple[NewTopic, ...]:
    """Topics of questions that are near none of the windows before, where so many of them are more
    than chance; the one of most units first.
    """
    pool, around = looked.pool, looked.around
    if around is None:
        return ()
    owner = pool.unit_of_row
    mine = pool.ages[owner] == 0
    fresh = np.flatnonzero(mine & (around.best_before < NEAR))[:MOST]
    others = [unit.texts[place] for row, (unit, place) in enumerate(looked.rows) if not mine[row]]
    searched = any(each.passages for each in current)
    told = []
    for topic in topics(pool.vectors[fresh]):
        members = fresh[list(topic.members)]
        size = int(around.alike[members].max())
        if topic_p(size, around.alike, pool.current, pool.units) <= level:
            told.append(_topic([looked.rows[int(row)] for row in members], others, searched))
    return tuple(sorted(told, key=lambda each: -each.conversations)[:MOST_TOPICS])


def _topic(
    members: Sequence[tuple[UnitTexts, int]], others: Sequence[str], searched: bool
) -> NewTopic:
    """The question that is most like the others comes first."""
    texts = [unit.texts[place] for unit, place in members]
    asked = [each for unit, place in members for each in unit.exchanges[place]]
    answered = [covered(each, searched) for each in asked if each.status != "failed"]
    return NewTopic(
        words=topic_words(texts, others),
        questions=len(asked),
        conversations=len({each.unit for each in asked}),
        covered=sum(answered) / len(answered) if answered else None,
        examples=tuple(dict.fromkeys(texts))[:MOST_EXAMPLES],
        trace_ids=tuple(each.id for each in asked)[:MOST_IDS],
    )


def covered(exchange: Exchange, searched: bool) -> bool:
    """Whether the knowledge base answered: neither refused nor empty, from a passage (where
    exchanges say which were found: `searched`), not rated down, and not without support in its
    passages where that was scored. How near the best passage is says nothing: searches score in
    ways of their own.
    """
    grounded = exchange.scores.get("grounded")
    return (
        exchange.status == "ok"
        and bool(exchange.answer.strip())
        and (bool(exchange.passages) or not searched)
        and exchange.rating != "down"
        and (grounded is None or grounded >= SUPPORTED)
    )
