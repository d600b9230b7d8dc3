"""Where the marks of charts go: plain numbers for the report's template, which draws them. Forests
show effects, in per cent of a chart's width; scatters quality against cost and latency, in pixels.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from llmops.tasks.decisions.decision import Decision, Figures
from llmops.tasks.decisions.words import number

WIDEST = 2.5
POINTS = "as a difference on the metric's scale from 0 to 1"
FEW = 5  # cases: what fewer say does not stretch an axis
MOST_TAGS = 20
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 360, 250, 46, 36, 14, 16


@dataclass(frozen=True)
class Mark:
    """One effect. `tone`: good, bad or unclear; `cut_low`, `cut_high`: it goes on beyond the chart;
    `at` None: it lies beyond.
    """

    label: str
    note: str
    text: str
    tone: str
    at: float | None
    low: float
    high: float
    cut_low: bool = False
    cut_high: bool = False
    strong: bool = False
    tag: bool = False


@dataclass(frozen=True)
class Forest:
    """Effects on one axis. `zero` and `bar` are positions, `ticks` positions with their labels;
    `bar` None: it is 0.
    """

    title: str
    note: str
    marks: tuple[Mark, ...]
    zero: float
    bar: float | None
    bar_label: str
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Line:
    """An effect before it is placed. `sign` -1: less is better."""

    label: str
    note: str
    n: int
    difference: float
    interval: Sequence[float] | None
    sign: int = 1
    strong: bool = False
    tag: bool = False


def forests(decision: Decision) -> list[Forest]:
    """The deciding metric by candidate and by tag; the other metrics between 0 and 1; then those in
    per cent of the baseline.
    """
    best, kinds = decision.candidate, decision.metrics
    others = {
        name: figures
        for name, figures in decision.comparisons[best].metrics.items()
        if name != decision.metric
    }
    plain = [
        _line(name, figures, decision.sign_of(name), role=_role(figures))
        for name, figures in others.items()
        if kinds[name].bounded and not kinds[name].relative
    ]
    of_baseline = decision.arms[decision.baseline].metrics
    means = {name: measure.value for name, measure in of_baseline.items()}
    shares = [
        _line(
            name,
            figures,
            decision.sign_of(name),
            mean=means.get(name),
            scale=100,
            role=_role(figures),
        )
        for name, figures in others.items()
        if kinds[name].relative
    ]
    charts = [
        _deciding(decision),
        _forest("Guards and other metrics", f"of {best}, {POINTS}", plain, 0.0),
        _forest(
            "Latency and cost",
            f"of {best}, in per cent of the baseline's mean; less is better",
            shares,
            0.0,
            percent=True,
        ),
    ]
    return [chart for chart in charts if chart]


def _deciding(decision: Decision) -> Forest | None:
    metric, best, compared = decision.metric, decision.candidate, decision.comparisons
    lines = [
        _line(
            f"{name}: all cases" if len(compared) > 1 else "all cases",
            one.metrics.get(metric),
            decision.sign,
            strong=name == best,
        )
        for name, one in compared.items()
    ]
    tags = sorted(compared[best].tags.items(), key=lambda item: (-item[1].n, item[0]))
    lines += [_line(tag, figures, decision.sign, tag=True) for tag, figures in tags[:MOST_TAGS]]
    unit = decision.metrics[metric].unit if metric in decision.metrics else ""
    less = "" if decision.sign > 0 else "; less is better"
    more = f"; {len(tags) - MOST_TAGS} more tags are in the record" if len(tags) > MOST_TAGS else ""
    scale = f"as a difference in {unit}" if unit else _scale(decision)
    note = f"this metric decides; {scale}{less}{more}"
    return _forest(f"{metric}: {best} against {decision.baseline}", note, lines, _bar(decision))


def _scale(decision: Decision) -> str:
    kind = decision.metrics.get(decision.metric)
    return POINTS if kind and kind.bounded else "as a difference in the metric's own unit"


def _role(figures: Figures) -> str:
    """What a metric that does not decide is there for."""
    if not figures.guards:
        return "informs"
    state = "holds" if figures.holds else "violated" if figures.violated else "not shown to hold"
    return f"guard: {state}"


def _bar(decision: Decision) -> float:
    """In the metric's own direction; a bar that is a share of the baseline's mean is not drawn."""
    kind = decision.metrics.get(decision.metric)
    return 0.0 if kind and kind.relative else float(decision.sign * decision.rule.bar)


def _line(
    label: str,
    figures: Figures | None,
    sign: int,
    *,
    strong: bool = False,
    tag: bool = False,
    mean: float | None = 1.0,
    scale: float = 1.0,
    role: str = "",
) -> Line | None:
    """`mean`: as a share of it, times `scale`; `role`: what the metric is there for. None where
    `mean` is None or 0, or nothing is known.
    """
    if figures is None or figures.difference is None or not mean:
        return None
    cases = f"{figures.n:,} case{'' if figures.n == 1 else 's'}{f' · {role}' if role else ''}"
    ends = figures.interval if figures.interval and not figures.unmoved else None
    interval = [scale * (end / mean) for end in ends] if ends else None
    difference = scale * (figures.difference / mean)
    return Line(label, cases, figures.n, difference, interval, sign, strong, tag)


def _forest(
    title: str, note: str, given: Sequence[Line | None], bar: float, *, percent: bool = False
) -> Forest | None:
    lines = [line for line in given if line is not None]
    if not lines:
        return None
    axis, unit = _axis(lines, bar), " %" if percent else ""
    marks = tuple(_mark(line, axis, bar, unit) for line in lines)
    ticks = tuple(
        (axis.place(tick), f"{_label(tick)}{unit if tick else ''}")
        for tick in _ticks(axis.low, axis.high)
    )
    at = axis.place(bar) if bar else None
    return Forest(title, note, marks, axis.place(0), at, _label(bar), ticks)


class Axis(NamedTuple):
    """What lies within a chart; what lies beyond is placed at its edge."""

    low: float
    high: float

    def place(self, value: float) -> float:
        within = min(max(value, self.low), self.high)
        return round(100 * (within - self.low) / (self.high - self.low), 3)


def _axis(lines: Sequence[Line], bar: float) -> Axis:
    """Wide enough for the whole of the strong lines and for the differences of many cases; what
    lies beyond is cut.
    """
    sure = [end for one in lines if one.strong or len(lines) == 1 for end in one.interval or ()]
    inner = [0.0, bar, *sure, *(one.difference for one in lines if one.n >= FEW or one.strong)]
    if min(inner) == max(inner):
        inner += [line.difference for line in lines]
    reach = max(max(inner) - min(inner), 1e-9) * WIDEST
    ends = [end for line in lines for end in (line.difference, *(line.interval or ()))]
    low = max(min([*inner, *ends]), min(inner) - reach / 2)
    high = min(max([*inner, *ends]), max(inner) + reach / 2)
    room = 0.06 * (high - low) or 0.1
    return Axis(low - room, high + room)


def _mark(line: Line, axis: Axis, bar: float, unit: str) -> Mark:
    ends, difference = line.interval, line.difference
    turned = [line.sign * end for end in ends or ()]
    good = bool(turned) and min(turned) > line.sign * bar
    bad = bool(turned) and max(turned) < line.sign * bar
    digits = 1 if unit else 3 if axis.high - axis.low < 20 else 0
    within = (
        f" [{ends[0]:+.{digits}f}, {ends[1]:+.{digits}f}]"
        if ends
        else " (no interval)"
        if difference
        else " (the same on all)"
    )
    reached = [difference, *(ends or ())]
    left, right = ends or (difference, difference)
    return Mark(
        label=line.label,
        note=line.note,
        text=f"{difference:+.{digits}f}{unit}{within}".replace("-", "\u2212"),
        tone="good" if good else "bad" if bad else "unclear",
        at=axis.place(difference) if axis.low <= difference <= axis.high else None,
        low=axis.place(left),
        high=axis.place(right),
        cut_low=min(reached) < axis.low,
        cut_high=max(reached) > axis.high,
        strong=line.strong,
        tag=line.tag,
    )


def _ticks(low: float, high: float, wanted: int = 7) -> list[float]:
    """Round numbers in the range, 0 among them."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _label(value: float) -> str:
    return number(round(value, 10)).replace("-", "\u2212")


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


def scatters(decision: Decision) -> list[Scatter]:
    """One chart for cost per 1,000 answers and one for the median latency; none where no arm
    differs from 0 there.
    """
    metric = decision.metric
    arms = {
        name: arm for name, arm in decision.arms.items() if arm.metrics.get(metric) and arm.answered
    }
    if metric in ("latency", "cost") or len(arms) < 2:
        return []
    costs = {name: 1000 * arm.cost_usd / arm.answered for name, arm in arms.items()}
    waits = {name: arm.latency_ms.p50 or 0.0 for name, arm in arms.items()}
    wanted = (
        ("Quality and cost", "USD per 1,000 answers", costs),
        ("Quality and latency", "median latency, ms", waits),
    )
    return [
        _scatter(decision, title, label, prices)
        for title, label, prices in wanted
        if any(prices.values())
    ]


def _scatter(decision: Decision, title: str, label: str, across: Mapping[str, float]) -> Scatter:
    metric = decision.metric
    quality = {name: decision.arms[name].metrics[metric] for name in across}
    ends = [end for measure in quality.values() for end in measure.interval]
    low, high = _padded(min(ends), max(ends))
    least, most = _padded(min(across.values()), max(across.values()))

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - least) / (most - least), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * (value - low) / (high - low), 1)

    turned = {name: decision.sign * measure.value for name, measure in quality.items()}
    points = tuple(
        Point(
            number=number,
            name=name,
            x=x(across[name]),
            y=y(quality[name].value),
            low=y(quality[name].interval[0]),
            high=y(quality[name].interval[1]),
            front=_undominated(name, turned, across),
            baseline=name == decision.baseline,
            text=f"{metric} {quality[name].value:.3f}, {across[name]:.4g} {label}",
        )
        for number, name in enumerate(decision.arms, 1)
        if name in across
    )
    return Scatter(
        title,
        label,
        metric,
        points,
        tuple((x(tick), _label(tick)) for tick in _ticks(least, most, 4)),
        tuple((y(tick), _label(tick)) for tick in _ticks(low, high, 4)),
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
