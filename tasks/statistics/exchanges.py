"""Tests by exchanging units between two windows: if nothing changed, every way to deal the units
out is as likely as the one that was seen, so the level holds exactly for any number of units, any
spread and any tails. Fisher (1935), The Design of Experiments, section 21; Lehmann & Romano (2005),
Testing Statistical Hypotheses, section 15.2.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from llmops.tasks.statistics.arrays import Array

Labels = np.ndarray[Any, np.dtype[np.float32]]
"""Draws x units: 1 where a unit is dealt to this window, else 0."""

EXCEEDED = 40
"""As extreme draws after which no more are made: what is known of p then is within a sixth."""
MOST_DRAWS = 200_000
FIRST, BLOCK = 64, 4_000_000


class Exchanged(NamedTuple):
    """`p`: of the test; `draws`: how many were made."""

    p: float
    draws: int


def draws_for(level: float) -> int:
    """How many exchanges tell a p at this level from its neighbours."""
    return max(1_000, min(MOST_DRAWS, round(EXCEEDED / level)))


def dealt(units: int, now: int, draws: int, seed: int) -> Iterator[Labels]:
    """Blocks of draws: `now` of the units at random, each set of them as likely as any other. The
    first blocks are small, since most tests need few draws.
    """
    random, done, rows = np.random.default_rng([seed, units, now]), 0, FIRST
    labels = np.zeros(units, np.uint8)
    labels[:now] = 1
    while done < draws:
        rows = min(rows, draws - done, max(FIRST, BLOCK // units))
        yield random.permuted(np.tile(labels, (rows, 1)), axis=1).astype(np.float32)
        done, rows = done + rows, 2 * rows


def exchange_p(
    observed: float, statistic: Callable[[Labels], Array], blocks: Iterator[Labels]
) -> Exchanged:
    """How often chance gives a statistic as large as the observed one, the observed one counted:
    never 0, and valid however many draws there are (Phipson & Smyth 2010, Permutation p-values
    should never be zero).

    Ends early once 40 draws are as large, and is valid then too (Besag & Clifford 1991, Sequential
    Monte Carlo p-values).
    """
    least = observed - 1e-6 * max(1.0, abs(observed)) if np.isfinite(observed) else observed
    draws = exceeded = 0
    for block in blocks:
        larger = np.flatnonzero(statistic(block) >= least)
        if exceeded + len(larger) >= EXCEEDED:
            last = draws + int(larger[EXCEEDED - exceeded - 1]) + 1
            return Exchanged(EXCEEDED / last, last)
        draws, exceeded = draws + len(block), exceeded + len(larger)
    return Exchanged((1 + exceeded) / (1 + draws), draws)
