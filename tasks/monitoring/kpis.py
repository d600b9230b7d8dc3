"""What an application's traffic comes to: each measure over the window, with its interval, over the
windows before, and day by day. docs/monitoring.md says what each of them counts.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from llmops.tasks.errors import ConfigError
from llmops.tasks.monitoring.figures import Interval, Kpi
from llmops.tasks.monitoring.tally import DAY, NOBODY, SCORE
from llmops.tasks.plugins import find
from llmops.tasks.plugins.scorers import Scorer
from llmops.tasks.statistics import cluster_robust
from llmops.tasks.statistics.intervals import mean_interval, share_interval, totals
from llmops.tasks.statistics.quantiles import quantile, quantile_interval

Way = Literal["more", "less"] | None
MANY_UNITS = 2_000
"""From so many conversations on the interval of a mean is that of a t test: a bootstrap takes
seconds, and says the same to three digits."""


class KpiMeasure(NamedTuple):
    """`kind`: how a column becomes a number; `among`: the flag of the rows that count, "" for
    all.
    """

    name: str
    label: str
    unit: str
    better: Way
    kind: Literal["sum", "distinct", "share", "mean", "p50", "p95"]
    column: str
    among: str = ""


MEASURES = (
    KpiMeasure("requests", "Requests", "", None, "sum", "one"),
    KpiMeasure("conversations", "Conversations", "", None, "distinct", "conversation"),
    KpiMeasure("people", "People", "", None, "distinct", "person"),
    KpiMeasure("latency_p50_ms", "Latency, median", "ms", "less", "p50", "latency", "answered"),
    KpiMeasure(
        "latency_p95_ms", "Latency, 95th percentile", "ms", "less", "p95", *("latency", "answered")
    ),
    KpiMeasure("error_rate", "Errors", "share", "less", "share", "failed"),
    KpiMeasure("refusal_rate", "Refusals", "share", "less", "share", "refused", "answered"),
    KpiMeasure(
        "no_passage_rate",
        "Searches that found nothing",
        "share",
        "less",
        "share",
        *("empty", "searched"),
    ),
    KpiMeasure(
        "rated_share", "Answers that were rated", "share", None, "share", "rated", "answered"
    ),
    KpiMeasure("up_share", "Ratings that are good", "share", "more", "share", "up", "rated"),
    KpiMeasure(
        "opened_share",
        "Answers whose sources were opened",
        "share",
        None,
        "share",
        *("opened", "sourced"),
    ),
    KpiMeasure("tokens", "Tokens", "", None, "sum", "tokens"),
    KpiMeasure("tokens_per_request", "Tokens of a request", "", None, "mean", "tokens"),
    KpiMeasure("cost_usd", "Cost", "USD", "less", "sum", "cost"),
    KpiMeasure("cost_per_request_usd", "Cost of a request", "USD", "less", "mean", "cost"),
)
"""In the order in which they are shown; scores follow."""
PRESENT = {"people": "person", "conversations": "conversation", "opened_share": "opened"}
"""Measures that are of nothing where nothing in the column says anything: an application may not
know who asks.
"""


def traffic_kpis(frame: pd.DataFrame, until: datetime, days: float) -> tuple[Kpi, ...]:
    """Every measure of a `TrafficTally`. Measures that nothing is known of, in any window, are left
    out.
    """
    frame = frame.assign(one=1)
    return tuple(
        _kpi(measure, frame, until, days) for measure in _measures(frame) if _known(measure, frame)
    )


def _measures(frame: pd.DataFrame) -> Iterator[KpiMeasure]:
    yield from MEASURES
    for column in sorted(name for name in frame.columns if name.startswith(SCORE)):
        metric = column.removeprefix(SCORE)
        yield KpiMeasure(column, metric, "", _better(metric), "mean", column)


def _better(metric: str) -> Way:
    """Which way is good; None for a scorer that is called after nothing we know."""
    try:
        scorer = find(Scorer.family, metric.partition(".")[0])
    except ConfigError:
        return None
    return "more" if issubclass(scorer, Scorer) and scorer.higher_is_better else "less"


def _known(measure: KpiMeasure, frame: pd.DataFrame) -> bool:
    column = PRESENT.get(measure.name)
    if column is None:
        return measure.name == "requests" or bool(len(_rows(measure, frame)))
    values = frame[column].to_numpy()
    return bool((values != NOBODY).any() if values.dtype != np.bool_ else values.any())


def _rows(measure: KpiMeasure, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that a measure is of."""
    rows = frame[frame[measure.among]] if measure.among else frame
    return rows[rows[measure.column].notna()]


def _kpi(measure: KpiMeasure, frame: pd.DataFrame, until: datetime, days: float) -> Kpi:
    rows = _rows(measure, frame)
    now, before = rows[rows["window"] == 0], rows[rows["window"] > 0]
    oldest = int(frame["day"].max()) if len(frame) else 0
    value = _value(measure, now)
    return Kpi(
        name=measure.name,
        label=measure.label,
        unit=measure.unit,
        value=value,
        interval=_interval(measure, now) if value is not None else None,
        n=len(now),
        before=_before(measure, before, oldest, days),
        better=measure.better,
        curve=tuple(_curve(measure, rows, until, oldest)),
    )


def _value(measure: KpiMeasure, rows: pd.DataFrame) -> float | None:
    values = rows[measure.column].to_numpy()
    if measure.kind == "sum":
        return float(values.sum())
    if measure.kind == "distinct":
        return float(len(np.unique(values[values != NOBODY])))
    if not len(values):
        return None
    if measure.kind in QUANTILES:
        return quantile(values, QUANTILES[measure.kind])
    return float(np.mean(values.astype(np.float64)))


QUANTILES = {"p50": 0.5, "p95": 0.95}


def _interval(measure: KpiMeasure, rows: pd.DataFrame) -> Interval | None:
    """Sums and counts have none: all that was asked is counted, and nothing is drawn."""
    if measure.kind in ("sum", "distinct"):
        return None
    values, units = rows[measure.column].to_numpy(np.float64), rows["unit"].tolist()
    if measure.kind in QUANTILES:
        return quantile_interval(values, QUANTILES[measure.kind], units)
    return share_interval(values, units) if measure.kind == "share" else _of_mean(values, units)


def _of_mean(values: "np.ndarray[tuple[int], np.dtype[np.float64]]", units: list[int]) -> Interval:
    sums, sizes = totals(values, units)
    if len(sums) <= MANY_UNITS or np.ptp(sums / sizes) < 1e-12:
        return mean_interval(values, units)
    low, high = cluster_robust.interval(cluster_robust.fit(sums, sizes), 0.05)
    return float(low), float(high)


def _before(measure: KpiMeasure, rows: pd.DataFrame, oldest: int, days: float) -> float | None:
    """The same over all reference windows together. A sum is that of as many days as the window
    has, and begins with the first exchange that there is; people and conversations are counted
    window by window, and those windows count in which the application was there all the time.
    """
    if not len(rows):
        return None
    if measure.kind == "sum":
        covered = oldest + 1 - days
        total = float(rows[measure.column].sum())
        return total / covered * days if covered >= 1 else None
    if measure.kind == "distinct":
        whole = rows[rows["window"] * days + days <= oldest + 1]
        counts = [_value(measure, part) or 0.0 for _, part in whole.groupby("window")]
        return sum(counts) / len(counts) if counts else None
    return _value(measure, rows)


def _curve(
    measure: KpiMeasure, rows: pd.DataFrame, until: datetime, oldest: int
) -> Iterator[tuple[str, float | None]]:
    """Day by day, each of 24 hours and called by the date on which it begins."""
    days = rows["day"].to_numpy()
    by_day = {int(day): rows[days == day] for day in np.unique(days)}
    nothing = 0.0 if measure.kind in ("sum", "distinct") else None
    for day in range(oldest, -1, -1):
        value = _value(measure, by_day[day]) if day in by_day else nothing
        yield day_name(until, day), value


def day_name(until: datetime, day: int) -> str:
    """The date on which the day begins that ends so many days before `until`."""
    return f"{until - (day + 1) * DAY:%Y-%m-%d}"
