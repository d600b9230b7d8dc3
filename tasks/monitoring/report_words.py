"""Figures of a monitor in words: amounts with units, days, changes, drift, the method."""

import math
from datetime import date

from llmops.tasks.monitoring.figures import Drift, Kpi, Monitored

SHARES = ("share", "%")
"""Units of values from 0 to 1 that are shown as per cent."""


def amount(value: float | None, unit: str = "") -> str:
    """Few digits, as many as matter: `12.5 %`, `1,240 ms`, `0.0042 USD`; `–` for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if unit in SHARES:
        return f"{_digits(100 * value)} %"
    return f"{_digits(value)}{f' {unit}' if unit else ''}"


def _digits(value: float) -> str:
    size = abs(value)
    if not size:
        return "0"
    places = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    if size < 0.01:
        places = min(12, 1 - math.floor(math.log10(size)))
    text = f"{value:,.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "0") else text.replace("-", "\u2212")


def day(name: str) -> str:
    """`23 Nov` of `2026-11-23`; anything else as it is."""
    try:
        return f"{date.fromisoformat(name[:10]):%-d %b}"
    except ValueError:
        return name


def interval(kpi: Kpi) -> str:
    """`8.1 to 12.4 %`."""
    if kpi.interval is None:
        return ""
    low, high = (amount(end, kpi.unit) for end in kpi.interval)
    unit = " %" if kpi.unit in SHARES else f" {kpi.unit}" if kpi.unit else ""
    return f"{low.removesuffix(unit)} to {high}"


def change(kpi: Kpi) -> str:
    """Against the windows before, as an arrow and a share: `▲ 12 %`; of shares, as points. Not a
    finding: it may be chance.
    """
    if kpi.value is None or kpi.before is None:
        return ""
    difference = kpi.value - kpi.before
    if not difference:
        return "= as before"
    sign = "▲" if difference > 0 else "▼"
    if kpi.unit in SHARES:
        return f"{sign} {_two(100 * difference)} points"
    if not kpi.before:
        return f"{sign} from 0"
    return f"{sign} {_two(100 * difference / kpi.before)} %"


def _two(value: float) -> str:
    """Two digits that matter, without a sign: `0.21`, `4.3`, `120`."""
    size = abs(value)
    return f"{size:,.0f}" if size >= 10 else f"{size:.2g}"


def outside(kpi: Kpi) -> bool:
    """Whether the value of before lies outside of the window's interval."""
    if kpi.interval is None or kpi.before is None:
        return False
    return not kpi.interval[0] <= kpi.before <= kpi.interval[1]


def tone(kpi: Kpi) -> str:
    """good or bad where the value of before lies outside of the interval and one way is better,
    else plain.
    """
    if kpi.value is None or kpi.before is None or kpi.better is None or not outside(kpi):
        return "plain"
    return "good" if (kpi.value > kpi.before) == (kpi.better == "more") else "bad"


def window(monitored: Monitored) -> str:
    """`23 Nov to 30 Nov 2026 (7 days), beside the 8 windows before it`."""
    span = f"{monitored.since:%-d %b %Y %H:%M} to {monitored.until:%-d %b %Y %H:%M} UTC"
    days = f"{_digits(monitored.days)} day{'' if monitored.days == 1 else 's'}"
    count = monitored.reference_windows
    beside = (
        "with nothing before it to compare with"
        if not count
        else f"beside the {count} window{'' if count == 1 else 's'} of the same length before it"
    )
    return f"{span} ({days}), {beside}"


def drift_said(drift: Drift) -> str:
    """`Questions are unlike those of before.`"""
    what = drift.what.capitalize()
    if drift.status == "unknown":
        why = drift.reason or f"too few to tell, {drift.n:,} against {drift.n_before:,} before"
        return f"{what}: not known, {why}".rstrip(".") + "."
    said = "are unlike those of before" if drift.status == "drifted" else "are as they were before"
    why = f" {drift.reason[0].upper()}{drift.reason[1:]}." if drift.reason else ""
    return f"{what} {said}.{why}"


def drift_figures(drift: Drift) -> str:
    """The numbers of the test."""
    numbers = [f"{drift.n:,} against {drift.n_before:,} before"]
    if drift.distance is not None:
        usual = (
            f"; 95 of 100 windows that differ by chance alone stay below {amount(drift.usual)}"
            if drift.usual is not None
            else ""
        )
        numbers.append(f"distance {amount(drift.distance)}{usual}")
    if drift.p is not None:
        level = f", told below {amount(drift.level)}" if drift.level is not None else ""
        numbers.append(f"p {amount(drift.p)}{level}")
    return "; ".join(numbers)


def counted(count: int, one: str, many: str = "") -> str:
    """`1 question`, `3 questions`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def method(monitored: Monitored) -> list[str]:
    """How the findings were made, and how often they are wrong."""
    rates = [each.false_alarms_per_year for each in monitored.drifts if each.false_alarms_per_year]
    said = [
        "Figures: rates and means with 95 % intervals whose units are conversations, because "
        "questions of one conversation hang together.",
    ]
    if monitored.drifts:
        rate = (
            f" Each of these tests, and that for new topics, gives at most {amount(max(rates))} "
            "false alarms a year on average, however often it looks."
            if rates
            else ""
        )
        said.append(
            "Change: whole conversations are exchanged between this window and those before, and "
            "the distance of their texts' embeddings is compared with what chance gives." + rate
        )
    return [
        *said,
        "Questions that the documents do not answer: nothing that was found is about them, or the "
        "answer was refused, is not supported by its passages, or was rated down; those that ask "
        "the same are together, and what as many conversations got a good answer to is left out.",
        "Passages marked bad: Fisher's exact test by raters against the application's own rate of "
        "bad marks, mended for the number of passages: at most 5 of 100 reports name any without "
        "cause.",
        "Documents that no question found: in the base all the time, and found by chance alone "
        "more likely than not.",
    ]
