"""Where the marks of charts go: plain numbers for the report's template, which draws them.
Positions are per cent of a chart's width.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmops.tasks.decisions.verdict_words import number, unmoved

WIDEST = 2.5
FEW = 5  # cases: what fewer say does not stretch an axis
MOST_TAGS = 20
Found = Mapping[str, Any]


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


def forests(record: Found) -> list[Forest]:
    """The deciding metric by candidate and by tag; the other metrics between 0 and 1; then those in
    per cent of the baseline.
    """
    metric, best, kinds, compared = (
        record["metric"],
        record["candidate"],
        record["metrics"],
        record["comparisons"],
    )
    sign = _sign(record, metric)
    own = [
        _line(
            f"{name}: all cases" if len(compared) > 1 else "all cases",
            one["metrics"].get(metric),
            sign,
            strong=name == best,
        )
        for name, one in compared.items()
    ]
    tags = sorted(compared[best]["tags"].items(), key=lambda item: (-item[1]["n"], item[0]))
    own += [_line(tag, found, sign, tag=True) for tag, found in tags[:MOST_TAGS]]
    others = {name: one for name, one in compared[best]["metrics"].items() if name != metric}
    shares = {name for name in others if kinds[name]["relative"]}
    plain = [
        _line(name, one, _sign(record, name))
        for name, one in others.items()
        if kinds[name]["bounded"] and name not in shares
    ]
    parts = [
        _line(name, _share(record, name, others[name]), _sign(record, name), percent=True)
        for name in others
        if name in shares
    ]
    unit = kinds.get(metric, {}).get("unit")
    note = f"difference{f' in {unit}' if unit else ''}{'' if sign > 0 else '; less is better'}"
    note += (
        f"; {len(tags) - MOST_TAGS} more tags are in the record" if len(tags) > MOST_TAGS else ""
    )
    found = [
        _forest(f"{metric}: {best} against {record['baseline']}", note, own, _bar(record)),
        _forest("Other metrics", f"of {best}, as differences", plain, 0.0),
        _forest(
            "Latency and cost",
            f"of {best}, as a share of the baseline's; less is better",
            parts,
            0.0,
            percent=True,
        ),
    ]
    return [one for one in found if one]


def _bar(record: Found) -> float:
    """In the metric's own direction; a bar that is a share of the baseline's mean is not drawn."""
    rule, metric = record["rule"], record["metric"]
    if record["metrics"].get(metric, {}).get("relative"):
        return 0.0
    return float(
        _sign(record, metric) * (rule["by"] if rule["rule"] == "better" else -rule["margin"])
    )


def _sign(record: Found, metric: str) -> int:
    return 1 if record["metrics"].get(metric, {}).get("higher_is_better", True) else -1


def _share(record: Found, metric: str, one: Found) -> Found | None:
    mean = (record["arms"][record["baseline"]]["metrics"].get(metric) or {}).get("value")
    if not mean or one["difference"] is None:
        return None
    return {
        **one,
        "difference": one["difference"] / mean,
        "interval": [end / mean for end in one["interval"]] if one["interval"] else None,
    }


def _line(
    label: str,
    one: Found | None,
    sign: int,
    *,
    strong: bool = False,
    tag: bool = False,
    percent: bool = False,
) -> Line | None:
    if one is None or one["difference"] is None:
        return None
    cases = f"{one['n']:,} case{'' if one['n'] == 1 else 's'}"
    scale = 100 if percent else 1
    interval = (
        [scale * end for end in one["interval"]] if one["interval"] and not unmoved(one) else None
    )
    return Line(label, cases, one["n"], scale * one["difference"], interval, sign, strong, tag)


def _forest(
    title: str, note: str, given: Sequence[Line | None], bar: float, *, percent: bool = False
) -> Forest | None:
    lines = [one for one in given if one is not None]
    if not lines:
        return None
    low, high = _range(lines, bar)

    def place(value: float) -> float:
        return round(100 * (min(max(value, low), high) - low) / (high - low), 3)

    marks = tuple(_mark(one, low, high, place, bar, " %" if percent else "") for one in lines)
    ticks = tuple(
        (place(tick), f"{_tick(tick)}{' %' if percent and tick else ''}")
        for tick in _ticks(low, high)
    )
    return Forest(title, note, marks, place(0), place(bar) if bar else None, _tick(bar), ticks)


def _range(lines: Sequence[Line], bar: float) -> tuple[float, float]:
    """Wide enough for the whole of the strong lines and for the differences of many cases; what
    lies beyond is cut.
    """
    sure = [end for one in lines if one.strong or len(lines) == 1 for end in one.interval or ()]
    inner = [0.0, bar, *sure, *(one.difference for one in lines if one.n >= FEW or one.strong)]
    if min(inner) == max(inner):
        inner += [one.difference for one in lines]
    reach = max(max(inner) - min(inner), 1e-9) * WIDEST
    ends = [end for one in lines for end in (one.difference, *(one.interval or ()))]
    low, high = (
        max(min([*inner, *ends]), min(inner) - reach / 2),
        min(max([*inner, *ends]), max(inner) + reach / 2),
    )
    room = 0.06 * (high - low) or 0.1
    return low - room, high + room


def _mark(one: Line, low: float, high: float, place: Any, bar: float, unit: str) -> Mark:
    ends = one.interval
    beyond = ends is not None and min(one.sign * end for end in ends) > one.sign * bar
    below = ends is not None and max(one.sign * end for end in ends) < one.sign * bar
    digits = 1 if unit else 3 if high - low < 20 else 0
    without = " (no interval)" if one.difference else " (the same on all)"
    text = f"{one.difference:+.{digits}f}{unit}" + (
        f" [{ends[0]:+.{digits}f}, {ends[1]:+.{digits}f}]" if ends else without
    )
    tone = "good" if beyond else "bad" if below else "unclear"
    all_of_it = [one.difference, *(ends or ())]
    left, right = (place(ends[0]), place(ends[1])) if ends else (place(one.difference),) * 2
    at = place(one.difference) if low <= one.difference <= high else None
    return Mark(
        one.label,
        one.note,
        text.replace("-", "\u2212"),
        tone,
        at,
        left,
        right,
        min(all_of_it) < low,
        max(all_of_it) > high,
        one.strong,
        one.tag,
    )


def _ticks(low: float, high: float, wanted: int = 7) -> list[float]:
    """Round numbers in the range, 0 among them."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in (1, 2, 2.5, 5, 10) if power * one >= rough * 0.999)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _tick(value: float) -> str:
    return number(round(value, 10)).replace("-", "\u2212")
