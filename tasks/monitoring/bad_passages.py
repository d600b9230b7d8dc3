"""Passages whose answers people mark bad more often than others: tested exactly, and mended for how
many passages were looked at.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sqlalchemy import select

from llmops.tasks.errors import LlmopsError
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.ledger import live_at
from llmops.tasks.ledger.tables import chunks, documents
from llmops.tasks.monitoring.figures import BadPassage, PassageState
from llmops.tasks.monitoring.traffic import Exchange, FoundPassage
from llmops.tasks.statistics.multiple import tarone
from llmops.tasks.traces.index import parts

LEAST = 3
"""Raters whose word on a passage is tested: fewer would name whatever one person dislikes."""
ALPHA = 0.05
MOST = 20
EXCERPT = 240


class BadPassages(NamedTuple):
    """`raters`: people (or conversations) who rated anything, `down` of them at least once down;
    `tested`: passages that enough of them rated.
    """

    passages: tuple[BadPassage, ...] = ()
    raters: int = 0
    down: int = 0
    tested: int = 0
    note: str = ""


class _Rated(NamedTuple):
    """What is known of a passage: who rated answers that cite it, who of them down."""

    knowledge_base: str
    passage: FoundPassage
    raters: set[str]
    down: set[str]
    traces: list[str]


def bad_passages(home: Path, exchanges: Sequence[Exchange]) -> BadPassages:
    """Passages that answers cite, and whose answers are rated down more than all answers are, the
    surest first.

    Only what an answer cites counts: a search finds some five passages for each question, and those
    that the answer does not use would get the blame of their neighbours
    (docs/monitoring-recommendations.md has what that costs). The units are raters, a person where
    one is named, else a conversation: their ratings hang together. A rater is down for a passage
    where any of their ratings of answers that cite it is down; for the base rate, where any rating
    is: so the test errs on the side of saying nothing.

    The test is Fisher's, one-sided: of N raters D are down; that x or more of the n who rated the
    passage are, is hypergeometric. Of passages that could never become significant nothing is lost
    by not testing them (Tarone 1990), the others are corrected by Bonferroni: at most 5 of 100
    reports name any passage without cause.
    """
    rated = [each for each in exchanges if each.rating]
    raters = {_rater(each) for each in rated}
    down = {_rater(each) for each in rated if each.rating == "down"}
    known = _by_passage(rated)
    enough = [each for each in known if len(each.raters) >= LEAST]
    result = BadPassages((), len(raters), len(down), len(enough))
    if not enough:
        return result._replace(note=_too_few(rated, known, len(raters)))
    adjusted = _tested(enough, len(raters), len(down))
    found = sorted(
        ((p, each) for p, each in zip(adjusted, enough, strict=True) if p < ALPHA),
        key=lambda pair: (pair[0], -len(pair[1].down), pair[1].passage.chunk_id),
    )[:MOST]
    counts = _found(exchanges)
    states = _states(home, [each for _, each in found])
    passages = tuple(
        _told(each, p, counts, states[each.knowledge_base, each.passage.chunk_id])
        for p, each in found
    )
    return result._replace(passages=passages)


def _rater(exchange: Exchange) -> str:
    return exchange.person or exchange.unit


def _by_passage(rated: Sequence[Exchange]) -> list[_Rated]:
    known: dict[tuple[str, str], _Rated] = {}
    for each in rated:
        for passage in {one.chunk_id: one for one in each.passages if one.cited}.values():
            key = (each.knowledge_base, passage.chunk_id)
            of = known.setdefault(key, _Rated(each.knowledge_base, passage, set(), set(), []))
            of.raters.add(_rater(each))
            if each.rating == "down":
                of.down.add(_rater(each))
                of.traces.append(each.id)
    return list(known.values())


def _tested(enough: Sequence[_Rated], raters: int, down: int) -> list[float]:
    """Adjusted p values, in the order given."""
    from scipy.stats import hypergeom

    n = np.array([len(each.raters) for each in enough])
    bad = np.array([len(each.down) for each in enough])
    most = np.minimum(n, down)
    p_values, least = (hypergeom.sf(x - 1, raters, down, n) for x in (bad, most))
    return tarone(np.minimum(1, p_values).tolist(), np.minimum(1, least).tolist(), ALPHA)


def _found(exchanges: Sequence[Exchange]) -> Mapping[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for each in exchanges:
        for chunk_id in {one.chunk_id for one in each.passages}:
            key = (each.knowledge_base, chunk_id)
            counts[key] = counts.get(key, 0) + 1
    return counts


def _told(
    rated: _Rated, p: float, counts: Mapping[tuple[str, str], int], state: PassageState
) -> BadPassage:
    passage = rated.passage
    text = " ".join(passage.text.split())
    return BadPassage(
        knowledge_base=rated.knowledge_base,
        chunk_id=passage.chunk_id,
        doc_id=passage.doc_id,
        uri=passage.uri,
        excerpt=text if len(text) <= EXCERPT else f"{text[:EXCERPT]}…",
        found=counts[rated.knowledge_base, passage.chunk_id],
        rated=len(rated.raters),
        down=len(rated.down),
        p=p,
        trace_ids=tuple(rated.traces),
        state=state,
    )


def _states(home: Path, found: Sequence[_Rated]) -> dict[tuple[str, str], PassageState]:
    """Whether the live version has each passage still. Ids of passages follow from their text: a
    document that is there without the passage says something else in its place.
    """
    states: dict[tuple[str, str], PassageState] = {}
    for name in sorted({each.knowledge_base for each in found}):
        mine = [each.passage for each in found if each.knowledge_base == name]
        there = _live_ids(home, name, mine)
        for passage in mine:
            states[name, passage.chunk_id] = (
                "unknown"
                if there is None
                else "live"
                if passage.chunk_id in there
                else "changed"
                if passage.doc_id in there
                else "gone"
            )
    return states


def _live_ids(home: Path, name: str, passages: Sequence[FoundPassage]) -> set[str] | None:
    """Which of these passages and of their documents the live version has; None where this home
    does not have the base.
    """
    kb = Handle(home=home, name=name)
    try:
        live = kb.published()
    except LlmopsError:
        return None
    wanted = ((chunks, "chunk_id"), (documents, "doc_id"))
    found: set[str] = set()
    with kb.ledger.read() as connection:
        for table, column in wanted:
            for part in parts({getattr(each, column) for each in passages}):
                query = select(table.c[column]).where(
                    table.c.kb == name, table.c[column].in_(part), live_at(table, live.version)
                )
                found |= set(connection.scalars(query))
    return found


def _too_few(rated: Sequence[Exchange], known: Sequence[_Rated], raters: int) -> str:
    if not rated:
        return "nobody rated an answer, so nothing can be said of bad passages"
    if not known:
        return (
            f"{len(rated):,} answers were rated, and none of them names the passages that it rests "
            "on: nothing can be said of bad passages"
        )
    most = max(len(each.raters) for each in known)
    return (
        f"{raters:,} people or conversations rated answers, at most {most} of them answers that "
        f"cite the same passage: at least {LEAST} are needed to tell"
    )
