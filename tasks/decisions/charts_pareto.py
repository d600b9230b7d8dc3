"""Quality against cost and latency: which arms are worth their price."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.tasks.decisions.charts import _tick, _ticks

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 360, 250, 46, 36, 14, 16
Found = Mapping[str, Any]


@dataclass(frozen=True)
class Point:
    """An arm; `front`: no other arm is as good or better in both. Pixels, from the top left; `low`
    and `high` are of the interval.
    """

    number: int
    name: str
    x: float
    y: float
    low: float
    high: float
    front: bool
    baseline: bool
    text: str


@dataclass(frozen=True)
class Scatter:
    """`x_ticks` and `y_ticks` are pixels with labels."""

    title: str
    across: str
    up: str
    points: tuple[Point, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    bottom: int = HEIGHT - BOTTOM
    top: int = TOP
    right: int = WIDTH - RIGHT


def scatters(record: Found) -> list[Scatter]:
    """One chart for cost per 1,000 answers and one for the median latency; none where no arm
    differs from 0 there.
    """
    metric = record["metric"]
    arms = {
        name: arm
        for name, arm in record["arms"].items()
        if arm["metrics"].get(metric) and arm["answered"]
    }
    sign = 1 if record["metrics"].get(metric, {}).get("higher_is_better", True) else -1
    costs = {name: 1000 * arm["cost_usd"] / arm["answered"] for name, arm in arms.items()}
    waits = {name: arm["latency_ms"]["p50"] for name, arm in arms.items()}
    wanted = (
        ("Quality and cost", "USD per 1,000 answers", costs),
        ("Quality and latency", "median latency, ms", waits),
    )
    if metric in ("latency", "cost") or len(arms) < 2:
        return []
    return [
        _scatter(record, title, label, found, sign)
        for title, label, found in wanted
        if any(found.values())
    ]


def _scatter(
    record: Found, title: str, label: str, across: Mapping[str, float], sign: int
) -> Scatter:
    metric = record["metric"]
    good = {name: record["arms"][name]["metrics"][metric] for name in across}
    ends = [end for one in good.values() for end in one["interval"]]
    low, high = _padded(min(ends), max(ends))
    least, most = _padded(min(across.values()), max(across.values()))

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - least) / (most - least), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - low) / (high - low), 1)

    turned = {name: sign * one["value"] for name, one in good.items()}
    points = tuple(
        Point(
            number,
            name,
            x(across[name]),
            y(good[name]["value"]),
            y(good[name]["interval"][0]),
            y(good[name]["interval"][1]),
            _undominated(name, turned, across),
            name == record["baseline"],
            f"{metric} {good[name]['value']:.3f}, {across[name]:.4g} {label}",
        )
        for number, name in enumerate(record["arms"], 1)
        if name in across
    )
    return Scatter(
        title,
        label,
        metric,
        points,
        tuple((x(tick), _tick(tick)) for tick in _ticks(least, most, 4)),
        tuple((y(tick), _tick(tick)) for tick in _ticks(low, high, 4)),
    )


def _undominated(name: str, good: Mapping[str, float], price: Mapping[str, float]) -> bool:
    return not any(
        good[other] >= good[name]
        and price[other] <= price[name]
        and (good[other], price[other]) != (good[name], price[name])
        for other in good
        if other != name
    )


def _padded(low: float, high: float) -> tuple[float, float]:
    room = 0.12 * (high - low) or max(0.1 * abs(high), 1e-6)
    return low - room, high + room
