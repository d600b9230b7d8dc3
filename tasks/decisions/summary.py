"""A decision for people who will not open the report: Markdown for Prefect and pull requests, JUnit
XML for CI.
"""

import html
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.etree import ElementTree as tree

from llmops.tasks.decisions.decision import ArmComparison, Decision, Figures, Measure
from llmops.tasks.decisions.words import number, percent

LENGTH = 500
WORST = 5
EFFECTS = ("arm", "metric", "difference", "p", "cases", "counts as")
MARKS = {"promote": "✅ promote", "reject": "❌ reject", "inconclusive": "⚪ inconclusive"}
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Of XML 1.0, also as references."""
MOST_ERRORS = 200


def summary_markdown(decision: Decision) -> str:
    """Verdict, arms, effects, the cases that lost most, and what now. Whatever is quoted is shown
    as text.
    """
    parts = [
        f"## {text(decision.name)}: {MARKS[decision.verdict]}",
        text(decision.reason, 2000),
    ]
    if decision.hint:
        parts.append(f"**What now:** {text(decision.hint)}")
    if decision.promoted and decision.promote:
        alias = f"{decision.promote.prompt}@{decision.promote.alias}"
        became = "is now" if decision.promoted.moved else "already was"
        parts.append(f"**{text(alias)} {became} version {decision.promoted.version}.**")
    parts += [
        "### Arms",
        _arms(decision),
        "### Differences to " + text(decision.baseline),
        _effects(decision),
    ]
    if tags := _tags(decision):
        parts += [f"### {text(decision.metric)} of {text(decision.candidate)} by tag", tags]
    if lost := losses(decision):
        parts += [
            "### Cases that lost most",
            _table(["case", "baseline", "candidate", "difference"], lost),
        ]
    parts.append(_small(decision))
    if warnings := [*decision.warnings, *decision.remarks]:
        parts.append("### Warnings\n\n" + "\n".join(f"- {text(warning)}" for warning in warnings))
    places = {"record": decision.record, **decision.links}
    if where := [f"- {text(name)}: {link(target)}" for name, target in places.items() if target]:
        parts.append("### Records\n\n" + "\n".join(where))
    return "\n\n".join(parts) + "\n"


def losses(decision: Decision, most: int = WORST) -> list[list[str]]:
    """The cases on which the candidate lost most in the deciding metric: id, both values,
    difference.
    """
    values, pairs = decision.pairs.values, decision.pairs
    new = values[decision.candidate].get(decision.metric)
    if new is None:
        return []
    # a metric of pairs has no values of the baseline: half is a tie
    old = values[decision.baseline].get(decision.metric) or [0.5] * len(new)
    lost = [
        (decision.sign * (a - b), case, a, b)
        for case, a, b in zip(pairs.cases, new, old, strict=True)
        if a is not None and b is not None and decision.sign * (a - b) < 0
    ]
    worst = sorted(lost, key=lambda row: row[:2])[:most]
    return [[case, number(b), number(a), signed(a - b)] for _, case, a, b in worst]


def costs(decision: Decision) -> bool:
    """Whether anything was paid, now or when a remembered answer was asked for: where nothing was,
    no column says so.
    """
    return any(arm.cost_usd for arm in decision.arms.values()) or decision.spent.cost_usd > 0


def _arms(decision: Decision) -> str:
    metrics = list(dict.fromkeys([decision.metric, *decision.rule.not_worse]))
    usd = ["USD"] if costs(decision) else []
    head = ["arm", "prompt", "answered", "errors", *metrics, *usd, "ms p50", "ms p95"]
    rows = [
        [
            name,
            arm.prompt.uri,
            f"{arm.answered} of {arm.attempted}",
            str(arm.errored),
            *(measure(arm.metrics.get(metric)) for metric in metrics),
            *(number(arm.cost_usd) for _ in usd),
            *("–" if ms is None else number(ms) for ms in (arm.latency_ms.p50, arm.latency_ms.p95)),
        ]
        for name, arm in decision.arms.items()
    ]
    return _table(head, rows)


def _effects(decision: Decision) -> str:
    rows: list[list[str]] = [
        [name, Bold(metric) if metric == decision.metric else metric, *rest]
        for name, metric, *rest in effect_rows(decision)
    ]
    return _table(EFFECTS, rows)


def effect_rows(decision: Decision) -> Iterator[list[str]]:
    """A row per candidate and metric, in the columns of EFFECTS: what decides first, then guards.

    In the column p stands the p value of the interval beside it: that the difference is 0. One of a
    bar or a margin stands beside that.
    """
    wanted = [decision.metric, *decision.rule.not_worse]
    for name, compared in decision.comparisons.items():
        for metric, figures in sorted(
            compared.metrics.items(),
            key=lambda item: wanted.index(item[0]) if item[0] in wanted else 99,
        ):
            decides = metric == decision.metric
            barred = decides and bool(bar_of(decision))
            bare = barred or figures.guards or figures.unmoved
            told = "–" if bare else _chance(figures.p_value)
            role = _deciding(decision, figures) if decides else _role(figures)
            if figures.note.startswith("neither arm costs") and not (decides or figures.guards):
                continue  # nothing is told by it
            moved = effect(figures, unit_of(decision, metric))
            yield [name, metric, moved, told, str(figures.n), role]


def bar_of(decision: Decision) -> float:
    """What a difference is compared with, where that is not 0."""
    rule = decision.rule
    return (rule.by if rule.rule == "better" else rule.margin) or 0.0


def _deciding(decision: Decision, figures: Figures) -> str:
    bar = bar_of(decision)
    if not bar:
        return "deciding"
    words = f"better by {bar:g}" if decision.rule.rule == "better" else f"not worse by {bar:g}"
    p = "" if figures.p_value is None else f", p {_chance(figures.p_value)}"
    return f"deciding: {words}{p}"


def _role(figures: Figures) -> str:
    if not figures.guards:
        return ""
    word = "holds" if figures.holds else "violated" if figures.violated else "not shown to hold"
    p = figures.p_value if figures.adjusted_p is None else figures.adjusted_p
    chance = "" if p is None else f", p {_chance(p)}"
    return f"guard: {word}, margin {figures.margin:g}{chance}"


def _chance(p: float | None) -> str:
    return "–" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def _tags(decision: Decision) -> str:
    compared = decision.comparisons.get(decision.candidate)
    if compared is None or not compared.tags:
        return ""
    rows = [[tag, effect(figures), str(figures.n)] for tag, figures in compared.tags.items()]
    return _table(["tag", "difference", "cases"], rows)


def effect(figures: Figures | Decision, unit: str = "") -> str:
    """`+0.12 [+0.05, +0.19]`, with its unit after it."""
    if figures.difference is None:
        return "–"
    if isinstance(figures, Figures) and figures.unmoved:
        return "the same on all"
    ends = f" [{', '.join(map(signed, figures.interval))}]" if figures.interval else ""
    return f"{signed(figures.difference)}{ends}{' ' + unit if unit else ''}"


def signed(value: float) -> str:
    size = number(abs(value))
    return f"{'-' if value < 0 and size != '0' else '+'}{size}"


def measure(each: Measure | None, unit: str = "") -> str:
    """`0.912 [0.88, 0.94]`, with its unit after it."""
    if each is None:
        return "–"
    ends = ", ".join(map(number, each.interval))
    return f"{number(each.value)} [{ends}]{' ' + unit if unit else ''}"


def unit_of(decision: Decision, metric: str) -> str:
    return decision.metrics[metric].unit if metric in decision.metrics else ""


def _small(decision: Decision) -> str:
    spent, cases = decision.spent, decision.cases
    facts = [
        f"{cases.used} of {cases.total} cases",
        f"intervals of {percent(1 - decision.rule.alpha)}",
        f"{spent.calls} calls, {spent.cached} remembered",
        *([f"{number(spent.cost_usd)} USD"] if costs(decision) else []),
        f"decision {decision.id}",
        f"sha256 {decision.sha256[:12]}",
    ]
    early = f"\n\nEnded early: {text(decision.stopped)}" if decision.stopped else ""
    return text(" · ".join(facts)) + early


def text(value: str, length: int = LENGTH) -> str:
    """Any text as Markdown that shows it literally, on one line: no markup, no HTML, no end of a
    table cell, no mention of anyone.
    """
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in value).split())
    plain = plain if len(plain) <= length else f"{plain[:length]}…"
    return re.sub(r"([\\`*_{}\[\]()#+!|~:@])", r"\\\1", html.escape(plain, quote=False))


def link(target: str) -> str:
    """A Markdown link for the web's addresses; anything else, such as a file, as text."""
    web = target.startswith(("http://", "https://")) and not re.search(r"[\s<>]", target)
    return f"<{target}>" if web else text(target)


class Bold(str):
    """A cell that stands out."""

    __slots__ = ()


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [
        [text(cell) for cell in header],
        ["---"] * len(header),
        *(
            [f"**{text(cell)}**" if isinstance(cell, Bold) else text(cell) for cell in row]
            for row in rows
        ),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: str) -> str:
    return f"**{text(cell)}**" if isinstance(cell, Bold) else text(cell)


class Check(NamedTuple):
    """A test of the XML. `outcome`: empty where it passed, else the element's name."""

    name: str
    outcome: str
    why: str


def junit(decision: Decision) -> str:
    """JUnit XML, which CI systems show as tests: a suite for each candidate, with the deciding
    metric, each guard, and whether few enough calls failed; then a suite of failed cases.

    A rule that is shown to be broken is a failure, one about which nothing can be said is skipped.
    The suites follow the schema of the Jenkins xUnit plugin (testsuites > testsuite > testcase >
    failure | error | skipped).
    """
    root = tree.Element("testsuites", name=_clean(f"llmops evaluate {decision.name}"))
    for candidate, compared in decision.comparisons.items():
        checks = list(_checks(decision, candidate, compared))
        _suite(root, decision, f"{decision.name}.{candidate}", checks)
    if errors := list(_errors(decision)):
        _suite(root, decision, f"{decision.name}.cases", errors)
    suites = list(root)
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.set("time", f"{decision.seconds or 0:.3f}")
    tree.indent(root)
    xml = tree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}\n'


def _checks(decision: Decision, candidate: str, compared: ArmComparison) -> Iterator[Check]:
    rule = decision.rule
    guards = {
        name: figures
        for name, figures in compared.metrics.items()
        if figures.guards and name in rule.not_worse
    }
    broken = any(figures.violated for figures in guards.values())
    least = rule.by if rule.rule == "better" else rule.margin
    bar = f" by {least:g}" if least else ""
    rejected = "failure" if compared.verdict == "reject" and not broken else ""
    yield Check(
        f"{decision.metric}: {rule.rule.replace('_', ' ')}{bar}",
        "skipped" if compared.verdict == "inconclusive" else rejected,
        compared.reason,
    )
    for name, figures in guards.items():
        yield Check(
            f"{name}: not worse by {figures.margin:g}",
            "" if figures.holds else "failure" if figures.violated else "skipped",
            f"{name}: {figures.difference} with the interval {figures.interval}; accepted is "
            f"{figures.margin:g}",
        )
    for name in (decision.baseline, candidate):
        arm = decision.arms[name]
        rate = (arm.errored + arm.judge_failures) / arm.attempted if arm.attempted else 0.0
        yield Check(
            f"errors of {name}: at most {percent(rule.max_error_rate)}",
            "error" if rate > rule.max_error_rate else "",
            f"{arm.errored} of {arm.attempted} calls failed, "
            f"{arm.judge_failures} answers could not be judged",
        )


def _errors(decision: Decision) -> Iterator[Check]:
    """Cases of which a call failed; beyond some hundred they are counted."""
    failed = [
        (case, arm, column[place])
        for arm, column in decision.pairs.errors.items()
        for place, case in enumerate(decision.pairs.cases)
        if column[place]
    ]
    for case, arm, count in failed[:MOST_ERRORS]:
        yield Check(f"{case} ({arm})", "error", f"{count} calls failed; the report says why")
    if len(failed) > MOST_ERRORS:
        yield Check(f"{len(failed) - MOST_ERRORS} more cases", "error", "not listed")


def _suite(root: tree.Element, decision: Decision, name: str, checks: Sequence[Check]) -> None:
    counts = {
        outcome: str(sum(check.outcome == outcome for check in checks))
        for outcome in ("failure", "error", "skipped")
    }
    suite = tree.SubElement(
        root,
        "testsuite",
        name=_clean(name),
        tests=str(len(checks)),
        failures=counts["failure"],
        errors=counts["error"],
        skipped=counts["skipped"],
        time="0",
        timestamp=decision.created_at[:19],
    )
    for check in checks:
        case = tree.SubElement(
            suite, "testcase", classname=_clean(name), name=_clean(check.name), time="0"
        )
        if check.outcome:
            inner = tree.SubElement(case, check.outcome, message=_clean(check.why)[:500])
            if check.outcome != "skipped":
                inner.set("type", decision.verdict)
                inner.text = _clean(check.why)


def _clean(value: str) -> str:
    """Without the characters that no XML may hold; the rest is escaped by the writer."""
    return FORBIDDEN.sub("\ufffd", value)
