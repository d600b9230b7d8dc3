"""Two arms on the same yes-no cases: McNemar's exact test, and Tango's score interval of the
difference of the two shares.
"""

from functools import partial

import numpy as np

from llmops.tasks.statistics.arrays import Interval

CLOSE = 1e-12


def exact_p(wins: int, losses: int) -> float:
    """The two-sided p of McNemar's exact test: `wins` of the cases that differ are binomial with
    1/2; 1 where none differs.

    McNemar (1947), Note on the sampling error of the difference between correlated proportions or
    percentages.
    """
    from scipy.special import bdtr

    return (
        min(1.0, 2 * float(bdtr(min(wins, losses), wins + losses, 0.5))) if wins != losses else 1.0
    )


def score(wins: int, losses: int, n: int, difference: float) -> float:
    """Tango's z of H0: share of wins - share of losses = `difference`, -1 < difference < 1.
    Positive where the data lie above.

    Tango (1998), Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design.
    """
    b = -wins - losses + (2 * n - wins + losses) * difference
    c = -losses * difference * (1 - difference)
    share = (np.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    variance = n * (2 * share + difference * (1 - difference))
    distance = wins - losses - n * difference
    return (
        float(distance / np.sqrt(variance))
        if variance > CLOSE
        else float(np.sign(distance) * np.inf)
        if abs(distance) > CLOSE
        else 0.0
    )


def score_p(wins: int, losses: int, n: int, difference: float) -> float:
    """The two-sided p of Tango's test. From -1 down and from 1 up: 1 where the data are just so,
    else 0.
    """
    from scipy.special import ndtr

    if abs(difference) >= 1:
        return float(abs((wins - losses) / n - difference) < CLOSE)
    return 2 * float(ndtr(-abs(score(wins, losses, n, difference))))


def score_interval(wins: int, losses: int, n: int, alpha: float) -> Interval:
    """All differences that Tango's test does not reject: it has a width even where no case differs,
    and stays in [-1, 1].
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    critical, seen = float(ndtri(1 - alpha / 2)), (wins - losses) / n
    beyond = partial(_beyond, wins, losses, n, critical)
    edge = 1 - 1e-12
    low = (
        brentq(beyond, -edge, seen, args=(1,), xtol=1e-14)
        if seen > -edge and beyond(-edge, 1) > 0
        else -1.0
    )
    high = (
        brentq(beyond, seen, edge, args=(-1,), xtol=1e-14)
        if seen < edge and beyond(edge, -1) > 0
        else 1.0
    )
    return float(low), float(high)


def _beyond(wins: int, losses: int, n: int, critical: float, difference: float, side: int) -> float:
    """Above 0 where the test rejects `difference` because the data lie above it (side 1) or below
    it (side -1).
    """
    return min(side * score(wins, losses, n, difference), 1e6) - critical
