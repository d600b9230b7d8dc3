"""What a rule may be about, by name: of an application, a knowledge base, or the home."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Of = Literal["app", "knowledge_base", "home"]
Kind = Literal["sum", "share", "quantile", "mean", "now", "monitored"]
SCORE = "score:"


class MeasureKind(NamedTuple):
    """`kind`: a sum over the window; a share of exchanges; a quantile or a mean over them; how
    things stand now; what the last monitor found. `share`: of a quantile. `unit`: for people.
    """

    kind: Kind
    of: Of = "app"
    unit: str = ""
    share: float = 0.0


MEASURES: Mapping[str, MeasureKind] = {
    "requests": MeasureKind("sum"),
    "cost_usd": MeasureKind("sum", unit="$"),
    "tokens": MeasureKind("sum"),
    "error_rate": MeasureKind("share", unit="%"),
    "refusal_rate": MeasureKind("share", unit="%"),
    "down_rate": MeasureKind("share", unit="%"),
    "rated_share": MeasureKind("share", unit="%"),
    "latency_p50_ms": MeasureKind("quantile", unit="ms", share=0.5),
    "latency_p95_ms": MeasureKind("quantile", unit="ms", share=0.95),
    "drift_questions": MeasureKind("monitored"),
    "drift_answers": MeasureKind("monitored"),
    "new_topics": MeasureKind("monitored"),
    "freshness_hours": MeasureKind("now", "knowledge_base", "h"),
    "quarantined": MeasureKind("now", "knowledge_base"),
    "documents": MeasureKind("now", "knowledge_base"),
    "spool_waiting": MeasureKind("now", "home"),
    "month_usd": MeasureKind("now", "home", "$"),
    "month_share": MeasureKind("now", "home", "%"),
    "disk_free_gb": MeasureKind("now", "home", "GB"),
    "disk_free_share": MeasureKind("now", "home", "%"),
}
SCORED = MeasureKind("mean")
"""Of `score:METRIC`, as the score flow has scored them."""


def measure_kind(metric: str) -> MeasureKind | None:
    """None for a metric that there is not."""
    if metric.startswith(SCORE) and len(metric) > len(SCORE):
        return SCORED
    return MEASURES.get(metric)


def shown(value: float, unit: str) -> str:
    """As people write it."""
    if unit == "%":
        return f"{100 * value:.3g} %"
    if unit == "$":
        return f"${value:,.2f}" if abs(value) >= 0.01 or not value else f"${value:.4f}"
    number = f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"
    return f"{number} {unit}".rstrip()
