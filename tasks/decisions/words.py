"""Sentences for people about effects, guards and verdicts."""

import math

from llmops.tasks.decisions.effects import Effect, Guard
from llmops.tasks.decisions.evidence import Metric
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.statistics.power import least_clusters

ALIKE = 1e-9
FAR = 100  # times the cases that there are: beyond that no number of cases is worth naming


def number(value: float, unit: str = "") -> str:
    """Few digits, as many as matter: `0.123`, `0.00042`, `1,240 ms`."""
    size = abs(value)
    digits = (
        0
        if size >= 100 or not size
        else 1
        if size >= 10
        else 3
        if size >= 0.001
        else min(12, 1 - math.floor(math.log10(size)))
    )
    text = f"{value:,.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{'0' if text == '-0' else text}{' ' + unit if unit else ''}"


def percent(value: float) -> str:
    return f"{100 * value:.3g} %"


def moves(found: Effect, kind: Metric) -> str:
    """`token_f1 rises by 0.12 [0.05, 0.19]`: the interval is of what it rises or falls by."""
    if found.difference is None:
        return f"{found.metric} cannot be compared ({found.note})"
    sign = -1 if found.difference < 0 else 1
    size = number(abs(found.difference), kind.unit) + (
        f" ({percent(abs(found.share))})" if found.share is not None else ""
    )
    ends = (
        sorted(sign * end for end in found.interval)
        if found.interval and not found.test.startswith("none")
        else None
    )
    within = f" [{number(ends[0])}, {number(ends[1])}]" if ends else ""
    if found.difference == 0:
        return f"{found.metric} does not change{within}"
    return f"{found.metric} {'falls' if sign < 0 else 'rises'} by {size}{within}"


def on(found: Effect) -> str:
    """`on 300 cases in 40 groups`."""
    cases = f"{found.n:,} case{'' if found.n == 1 else 's'}"
    return f"on {cases}" + (f" in {found.clusters:,} groups" if found.clusters != found.n else "")


def chance(found: Effect, adjusted: float | None, candidates: int) -> str:
    """`(p = 0.012)`; with several candidates the corrected one. Intervals that may be looked at
    again and again have none.
    """
    if found.p_value is None or adjusted is None:
        return ""
    return (
        f" ({_p(adjusted)}{f' after Holm for {candidates} candidates' if candidates > 1 else ''})"
    )


def _p(value: float) -> str:
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.2g}"


def passed(found: Effect, kind: Metric, rule: Rule) -> str:
    """Why the deciding metric lets a candidate pass."""
    if rule.rule == "not_worse":
        return f"{moves(found, kind)} {on(found)}: not worse by {amount(-found.bar, kind)} or more"
    wanted = f", more than the {amount(rule.by, kind)} that is wanted" if rule.by else ""
    return f"{moves(found, kind)} {on(found)}{wanted}"


def failed(found: Effect, kind: Metric, rule: Rule) -> str:
    if rule.rule == "not_worse":
        return (
            f"{moves(found, kind)} {on(found)}: worse by more than the "
            f"{amount(-found.bar, kind)} that is accepted"
        )
    wanted = f", less than the {amount(rule.by, kind)} that is wanted" if rule.by else ""
    return f"{moves(found, kind)} {on(found)}{wanted}"


def open_question(found: Effect, kind: Metric, alpha: float) -> str:
    """Why the deciding metric decides nothing, and what would help."""
    if found.difference is None or found.n < 2:
        return f"{found.metric} cannot be compared: {found.note}"
    if found.same:
        return (
            f"both arms have the same {found.metric} on all {found.n:,} cases: there is "
            f"nothing to decide by"
        )
    if found.interval is None or found.test.startswith("none"):
        return (
            f"{moves(found, kind)} {on(found)}, but "
            f"{found.note or 'there is no spread to test with'}"
        )
    return f"{moves(found, kind)} {on(found)}: too close to tell; {wanting(found, kind, alpha)}"


def wanting(found: Effect, kind: Metric, alpha: float) -> str:
    """How many more cases would tell, and what these could have shown."""
    seen = found.minimum_detectable_effect
    visible = (
        f"with these a difference of {amount(seen, kind, found.bar)} would be found in 4 of 5 runs"
        if seen is not None
        else ""
    )
    more = (found.cases_needed or 0) - found.n
    if found.cases_needed is None or more > FAR * found.n:
        words = _uncounted(found, alpha)
    elif more <= 0:
        words = "a few more cases may tell"
    else:
        gap = amount(abs(found.gain), kind, found.bar)
        words = (
            f"about {rounded(more):,} more cases would be needed to see a difference of "
            f"{gap}{' from the bar' if found.bar else ''}"
        )
    return "; ".join(filter(None, (words, visible)))


def _uncounted(found: Effect, alpha: float) -> str:
    """Why no number of cases can be named that would tell."""
    least, units = least_clusters(alpha), "cases" if found.clusters == found.n else "groups"
    if found.clusters < least:
        return (
            f"{found.clusters} {units} are too few for any difference to be told from chance, "
            f"at least {least} are needed"
        )
    if found.cases_needed is None and abs(found.gain) > ALIKE:
        return f"all {units} differ by the same amount, which does not say how many more would tell"
    alike = (
        "what is seen is as good as the bar itself"
        if found.bar
        else "the arms are as good as alike"
    )
    return f"{alike}, and no sensible number of cases would tell them apart"


def amount(value: float, kind: Metric, bar: float = 1.0) -> str:
    """A bar or a margin: a share of the baseline's mean for relative metrics. With `bar` 0 it is in
    the metric's unit.
    """
    if kind.relative and bar == 1.0:
        return percent(value)
    return number(value, kind.unit)


def rounded(count: int) -> int:
    """Two digits that matter, upwards: more would say more than is known."""
    step = int("1".ljust(len(str(count)) - 1, "0"))
    return -(-count // step) * step


def guard(one: Guard, kind: Metric) -> str:
    """What became of a guard."""
    said, accepted = moves(one.effect, kind), f"{amount(one.margin, kind)} is accepted"
    if one.violated:
        return f"{said} {on(one.effect)}, and only {accepted}"
    if one.holds:
        return f"{said}: {accepted}" if not one.effect.free else f"{one.metric} is 0 in both arms"
    if one.effect.difference is None or one.effect.n < 2:
        return f"the guard {one.metric} cannot be compared: {one.effect.note}"
    return (
        f"that {one.metric} stays within its margin is not shown: {said} {on(one.effect)}, "
        f"{accepted}; {_more(one.effect)}"
    )


def _more(found: Effect) -> str:
    more = (found.cases_needed or 0) - found.n
    if found.gain < 0:
        return "by what was seen it does not"
    if found.cases_needed is None or more <= 0:
        return found.note or "a few more cases may tell"
    return f"about {rounded(more):,} more cases would tell"
