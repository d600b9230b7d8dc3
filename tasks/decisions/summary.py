"""A decision for people who will not open the report: Markdown for Prefect and pull requests, JUnit
XML for CI.
"""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llmops.tasks.decisions.summary_junit import junit
from llmops.tasks.decisions.verdict_words import number, percent, unmoved

LENGTH = 500
WORST = 5
MARKS = {"promote": "✅ promote", "reject": "❌ reject", "inconclusive": "⚪ inconclusive"}
__all__ = ["junit", "losses", "summary_markdown"]


def summary_markdown(record: Mapping[str, Any]) -> str:
    """Verdict, arms, effects, the cases that lost most, and what now. Whatever is quoted is shown
    as text.
    """
    parts = [
        f"## {text(record['name'])}: {MARKS.get(record['verdict'], text(record['verdict']))}",
        text(record["reason"], 2000),
    ]
    if record.get("hint"):
        parts.append(f"**What now:** {text(record['hint'])}")
    if moved := record.get("promoted"):
        alias = f"{record['promote']['prompt']}@{record['promote']['alias']}"
        parts.append(
            f"**{text(alias)} {'is now' if moved['moved'] else 'already was'} version "
            f"{moved['version']}.**"
        )
    parts += [
        "### Arms",
        _arms(record),
        "### Differences to " + text(record["baseline"]),
        _effects(record),
    ]
    if tags := _tags(record):
        parts += [f"### {text(record['metric'])} of {text(record['candidate'])} by tag", tags]
    if lost := losses(record):
        parts += [
            "### Cases that lost most",
            _table(["case", "baseline", "candidate", "difference"], lost),
        ]
    parts.append(_small(record))
    warnings = [*(record.get("warnings") or ()), *(record.get("remarks") or ())]
    parts += (
        ["### Warnings\n\n" + "\n".join(f"- {text(warning)}" for warning in warnings)]
        if warnings
        else []
    )
    places = {"record": record.get("record"), **(record.get("links") or {})}
    where = [f"- {text(name)}: {link(str(target))}" for name, target in places.items() if target]
    return "\n\n".join([*parts, *(["\n".join(where)] if where else [])]) + "\n"


def losses(record: Mapping[str, Any], most: int = WORST) -> list[list[str]]:
    """The cases on which the candidate lost most in the deciding metric: id, both values,
    difference.
    """
    kind = record["metrics"].get(record["metric"], {})
    sign = 1 if kind.get("higher_is_better", True) else -1
    values = record["pairs"]["values"]
    new, old = (
        values[arm].get(record["metric"]) for arm in (record["candidate"], record["baseline"])
    )
    if new is None:
        return []
    old = old if old is not None else [0.5] * len(new)  # a metric of pairs: half is a tie
    both = [
        (sign * (a - b), case, a, b)
        for case, a, b in zip(record["pairs"]["cases"], new, old, strict=True)
        if a is not None and b is not None
    ]
    worst = sorted((one for one in both if one[0] < 0), key=lambda one: one[:2])[:most]
    return [[case, number(b), number(a), signed(a - b)] for _, case, a, b in worst]


def _arms(record: Mapping[str, Any]) -> str:
    metrics = list(dict.fromkeys([record["metric"], *record["rule"]["not_worse"]]))
    head = ["arm", "prompt", "answered", "errors", *metrics, "USD", "ms p50", "ms p95"]
    rows = [
        [
            name,
            arm["prompt"]["uri"],
            f"{arm['answered']} of {arm['attempted']}",
            str(arm["errored"]),
            *(_measure(arm["metrics"].get(metric)) for metric in metrics),
            number(arm["cost_usd"]),
            *(
                "–" if arm["latency_ms"][share] is None else number(arm["latency_ms"][share])
                for share in ("p50", "p95")
            ),
        ]
        for name, arm in record["arms"].items()
    ]
    return _table(head, rows)


def _effects(record: Mapping[str, Any]) -> str:
    wanted = [record["metric"], *record["rule"]["not_worse"]]
    rows = [
        [
            name,
            ("**" if metric == record["metric"] else "", metric),
            effect(one),
            _chance(one),
            str(one["n"]),
            _role(record, metric, one),
        ]
        for name, compared in record["comparisons"].items()
        for metric, one in sorted(
            compared["metrics"].items(),
            key=lambda item: wanted.index(item[0]) if item[0] in wanted else 99,
        )
    ]
    return _table(["arm", "metric", "difference", "p", "cases", "counts as"], rows)


def _role(record: Mapping[str, Any], metric: str, one: Mapping[str, Any]) -> str:
    if metric == record["metric"]:
        return "deciding"
    if "margin" in one:
        return "guard: " + (
            "holds"
            if one.get("holds")
            else "violated"
            if one.get("violated")
            else "not shown to hold"
        )
    return ""


def _chance(one: Mapping[str, Any]) -> str:
    p = one.get("adjusted_p") if one.get("adjusted_p") is not None else one["p_value"]
    return "–" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def _tags(record: Mapping[str, Any]) -> str:
    found = record["comparisons"].get(record["candidate"], {}).get("tags") or {}
    return (
        _table(
            ["tag", "difference", "cases"],
            [[tag, effect(one), str(one["n"])] for tag, one in found.items()],
        )
        if found
        else ""
    )


def effect(one: Mapping[str, Any]) -> str:
    """`+0.12 [+0.05, +0.19]`."""
    if one["difference"] is None:
        return "–"
    if unmoved(one):
        return "the same on all"
    ends = f" [{', '.join(map(signed, one['interval']))}]" if one["interval"] else ""
    return f"{signed(one['difference'])}{ends}"


def signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{number(abs(value))}"


def _measure(one: Mapping[str, Any] | None) -> str:
    return "–" if not one else f"{number(one['value'])} [{', '.join(map(number, one['interval']))}]"


def _small(record: Mapping[str, Any]) -> str:
    spent, cases = record["spent"], record["cases"]
    level = percent(1 - record["rule"]["alpha"])
    facts = [
        f"{cases['used']} of {cases['total']} cases",
        f"intervals of {level}",
        f"{spent['calls']} calls, {spent['cached']} remembered",
        f"{number(spent['cost_usd'])} USD",
        f"decision {record['id']}",
        f"sha256 {record['sha256'][:12]}",
    ]
    return text(" · ".join(facts)) + (
        f"\n\nEnded early: {text(record['stopped'])}" if record.get("stopped") else ""
    )


def text(value: object, length: int = LENGTH) -> str:
    """Any text as Markdown that shows it literally, on one line: no markup, no HTML, no end of a
    table cell, no mention of anyone.
    """
    plain = " ".join("".join(one if one.isprintable() else " " for one in str(value)).split())
    plain = plain if len(plain) <= length else f"{plain[:length]}…"
    return re.sub(r"([\\`*_{}\[\]()#+!|~:@])", r"\\\1", html.escape(plain, quote=False))


def link(target: str) -> str:
    """A Markdown link for the web's addresses; anything else, such as a file, as text."""
    web = target.startswith(("http://", "https://")) and not re.search(r"[\s<>]", target)
    return f"<{target}>" if web else text(target)


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [
        [text(cell) for cell in header],
        ["---"] * len(header),
        *([_cell(cell) for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Any) -> str:
    """A pair is a mark such as `**`, and the text that it stands around."""
    return f"{cell[0]}{text(cell[1])}{cell[0]}" if isinstance(cell, tuple) else text(cell)
