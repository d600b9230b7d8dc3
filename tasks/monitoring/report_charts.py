"""Where the marks of the report's charts go: plain numbers for its template, which draws them as
SVG. Places are pixels of a chart's own box, from its top left.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeGuard

from llmops.tasks.monitoring.figures import Drift, Kpi
from llmops.tasks.monitoring.report_words import amount, day

WIDTH, HEIGHT, PAD = 240, 60, 6
WIDE, TALL, LEFT, BOTTOM = 560, 190, 72, 24


class Curve(NamedTuple):
    """A line, broken where a day has no value. `paths`: of SVG, `dots`: days alone between days
    without a value, and the last one.
    """

    name: str
    paths: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    last: tuple[float, float] | None


class Spark(NamedTuple):
    """A small chart of one KPI. `start`: where the window begins; `band`: (top, height) of its
    interval, from there on; `before`: where the value of the windows before it lies, up to there;
    of a sum, what a day of them came to.
    """

    curve: Curve
    start: float
    band: tuple[float, float] | None
    before: float | None
    first_day: str
    last_day: str
    said: str
    width: int = WIDTH
    height: int = HEIGHT


class CurveChart(NamedTuple):
    """A large chart of KPIs of one unit. `start`: where the window begins; `ticks`: (place,
    label).
    """

    title: str
    curves: tuple[Curve, ...]
    start: float
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    said: str
    width: int = WIDE
    height: int = TALL
    left: int = LEFT
    bottom: int = TALL - BOTTOM


class BarPart(NamedTuple):
    """A part of a bar, in per cent of its width."""

    name: str
    tone: str
    x: float
    width: float
    text: str


class Bar(NamedTuple):
    """Parts that are a whole together."""

    name: str
    parts: tuple[BarPart, ...]

    @property
    def said(self) -> str:
        return f"{self.name}: " + ", ".join(f"{each.name} {each.text}" for each in self.parts)


class Stem(NamedTuple):
    """A week's distance; `unusual`: beyond what chance reaches in 95 of 100 cases."""

    x: float
    y: float
    label: str
    text: str
    unusual: bool
    current: bool


class Weeks(NamedTuple):
    """Distances by week. `usual`: the top of the band of what is usual."""

    stems: tuple[Stem, ...]
    usual: float | None
    usual_text: str
    y_ticks: tuple[tuple[float, str], ...]
    said: str
    width: int = WIDE
    height: int = TALL
    left: int = LEFT
    bottom: int = TALL - BOTTOM


class Scale(NamedTuple):
    """From values to pixels, upside down."""

    low: float
    high: float
    top: float
    bottom: float

    def place(self, value: float) -> float:
        within = min(max(value, self.low), self.high)
        share = (within - self.low) / (self.high - self.low)
        return round(self.bottom - (self.bottom - self.top) * share, 1)


def spark(kpi: Kpi, since: str) -> Spark | None:
    """None where no two days have a value: a curve would say nothing. `since`: the day on which
    the window begins.
    """
    values = [value for _, value in kpi.curve if _is_number(value)]
    if len(values) < 2:
        return None
    ends, before = kpi.interval or (), _before(kpi, since)
    scale = _scale([*values, *ends, *_known(before)], PAD, HEIGHT - PAD)
    band = None
    if kpi.interval:
        top, bottom = scale.place(kpi.interval[1]), scale.place(kpi.interval[0])
        band = (top, max(1.0, round(bottom - top, 1)))
    days = "; ".join(f"{day(name)} {amount(value, kpi.unit)}" for name, value in kpi.curve)
    return Spark(
        curve=_curve(kpi, scale, PAD, WIDTH - PAD),
        start=_start(kpi, since, PAD, WIDTH - PAD, 0),
        band=band,
        before=scale.place(before) if _is_number(before) else None,
        first_day=day(kpi.curve[0][0]),
        last_day=day(kpi.curve[-1][0]),
        said=f"{kpi.label} by day: {days}",
    )


def _before(kpi: Kpi, since: str) -> float | None:
    """What has no interval is counted: its days are less than its window."""
    if kpi.before is None or kpi.interval is not None:
        return kpi.before
    days = [value for name, value in kpi.curve if _is_number(value) and name < since]
    return sum(days) / len(days) if days else None


def lines(title: str, kpis: Sequence[Kpi], since: str) -> CurveChart | None:
    """The KPIs of one unit that have a curve, on one axis from 0; None where none has."""
    shown = [each for each in kpis if sum(_is_number(value) for _, value in each.curve) > 1]
    if not shown:
        return None
    values = [value for each in shown for _, value in each.curve if _is_number(value)]
    scale = _scale([0.0, *values], 10, TALL - BOTTOM, exact_low=True)
    longest = max(shown, key=lambda each: len(each.curve))
    places = _places(len(longest.curve), LEFT + 12, WIDE - 30)
    named = [(x, day(name)) for x, (name, _) in zip(places, longest.curve, strict=True)]
    return CurveChart(
        title=title,
        curves=tuple(_curve(each, scale, LEFT + 12, WIDE - 30) for each in shown),
        start=_start(longest, since, LEFT + 12, WIDE - 30, LEFT),
        x_ticks=_some(named, 7),
        y_ticks=tuple(
            (scale.place(tick), amount(tick, shown[0].unit)) for tick in _ticks(scale, 4)
        ),
        said="; ".join(
            f"{each.label}: "
            + ", ".join(f"{day(name)} {amount(value, each.unit)}" for name, value in each.curve)
            for each in shown
        ),
    )


def feedback(kpis: Sequence[Kpi]) -> tuple[Bar, ...]:
    """What people said of answers, in this window and before: of all answers, those rated good,
    those rated bad, and those that nobody rated.
    """
    known = {each.name: each for each in kpis}
    rated, up = known.get("rated_share"), known.get("up_share")
    if rated is None or up is None:
        return ()
    bars = (
        _bar("This window", rated.value, up.value),
        _bar("Before", rated.before, up.before),
    )
    return tuple(each for each in bars if each is not None)


def _bar(name: str, rated: float | None, up: float | None) -> Bar | None:
    if not (_is_number(rated) and _is_number(up)):
        return None
    shares = (
        ("rated good", "good", rated * up),
        ("rated bad", "bad", rated * (1 - up)),
        ("not rated", "rest", 1 - rated),
    )
    parts, x = [], 0.0
    for part, tone, share in shares:
        parts.append(
            BarPart(part, tone, round(100 * x, 2), round(100 * share, 2), amount(share, "share"))
        )
        x += share
    return Bar(name, tuple(parts))


def weeks(drift: Drift) -> Weeks | None:
    """None where no week has a distance."""
    known = [(name, value) for name, value in drift.weeks if _is_number(value)]
    if not known:
        return None
    values = [value for _, value in known]
    scale = _scale([0.0, *values, *_known(drift.usual)], 14, TALL - BOTTOM, exact_low=True)
    places = _places(len(drift.weeks), LEFT + 26, WIDE - 30)
    stems = tuple(
        Stem(
            x=x,
            y=scale.place(value),
            label=day(name),
            text=amount(value),
            unusual=drift.usual is not None and value > drift.usual,
            current=place == len(drift.weeks) - 1,
        )
        for place, (x, (name, value)) in enumerate(zip(places, drift.weeks, strict=True))
        if _is_number(value)
    )
    usual = f"; usual up to {amount(drift.usual)}" if _is_number(drift.usual) else ""
    return Weeks(
        stems=stems,
        usual=scale.place(drift.usual) if _is_number(drift.usual) else None,
        usual_text=amount(drift.usual) if _is_number(drift.usual) else "",
        y_ticks=tuple((scale.place(tick), amount(tick)) for tick in _ticks(scale, 4)),
        said="; ".join(f"{each.label} {each.text}" for each in stems) + usual,
    )


def _curve(kpi: Kpi, scale: Scale, left: float, right: float) -> Curve:
    places = _places(len(kpi.curve), left, right)
    stretches: list[list[tuple[float, float]]] = [[]]
    for x, (_, value) in zip(places, kpi.curve, strict=True):
        if _is_number(value):
            stretches[-1].append((x, scale.place(value)))
        elif stretches[-1]:
            stretches.append([])
    drawn = [each for each in stretches if each]
    return Curve(
        kpi.label,
        tuple("M" + "L".join(f"{x} {y}" for x, y in each) for each in drawn if len(each) > 1),
        tuple(each[0] for each in drawn if len(each) == 1),
        drawn[-1][-1] if drawn else None,
    )


def _start(kpi: Kpi, since: str, left: float, right: float, edge: float) -> float:
    """Half a day before the window's first day; the edge, where the curve has no day before."""
    places = _places(len(kpi.curve), left, right)
    inside = [place for place, (name, _) in enumerate(kpi.curve) if name >= since]
    if not inside or not inside[0]:
        return edge
    return round((places[inside[0]] + places[inside[0] - 1]) / 2, 1)


def _places(count: int, left: float, right: float) -> list[float]:
    if count == 1:
        return [round((left + right) / 2, 1)]
    return [round(left + (right - left) * place / (count - 1), 1) for place in range(count)]


def _scale(values: Iterable[float], top: float, bottom: float, *, exact_low: bool = False) -> Scale:
    given = list(values)
    low, high = min(given), max(given)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return Scale(low if exact_low and low == 0 else low - room, high + room, top, bottom)


def _ticks(scale: Scale, wanted: int) -> list[float]:
    """Round numbers within the scale."""
    rough = (scale.high - scale.low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(scale.low / step), math.floor(scale.high / step)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _some(items: Sequence[tuple[float, str]], most: int) -> tuple[tuple[float, str], ...]:
    """At most so many, evenly, the last one among them."""
    step = max(1, math.ceil(len(items) / most))
    return tuple(items[(len(items) - 1) % step :: step])


def _known(value: float | None) -> list[float]:
    return [value] if _is_number(value) else []


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
