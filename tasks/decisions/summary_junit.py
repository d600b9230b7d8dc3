"""A decision as JUnit XML: what CI systems show as tests. One suite per candidate, one test per
rule.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as tree

from llmops.tasks.decisions.verdict_words import percent

FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)  # of XML 1.0, also as references
MOST = 200


def junit(record: Mapping[str, Any]) -> str:
    """A suite for each candidate: the deciding metric, each guard, and whether few enough calls
    failed; then a suite of failed cases.

    A rule that is shown to be broken is a failure, one about which nothing can be said is skipped.
    The suites follow the schema of the Jenkins xUnit plugin (testsuites > testsuite > testcase >
    failure | error | skipped).
    """
    root = tree.Element("testsuites", name=_clean(f"llmops evaluate {record['name']}"))
    for candidate, compared in record["comparisons"].items():
        cases = list(_rules(record, candidate, compared))
        _suite(root, record, f"{record['name']}.{candidate}", cases)
    if errors := list(_errors(record)):
        _suite(root, record, f"{record['name']}.cases", errors)
    suites = list(root)
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    root.set("time", f"{record.get('seconds') or 0:.3f}")
    tree.indent(root)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n' + tree.tostring(root, encoding="unicode") + "\n"
    )


Case = tuple[str, str, str]
"""Name, what became of it (empty: passed; else the element's name), and why."""


def _rules(
    record: Mapping[str, Any], candidate: str, compared: Mapping[str, Any]
) -> Iterator[Case]:
    rule, metric = record["rule"], record["metric"]
    guards = {
        name: one
        for name, one in compared["metrics"].items()
        if "margin" in one and name in rule["not_worse"]
    }
    broken = [name for name, one in guards.items() if one.get("violated")]
    bar = (
        f" by {rule['by']:g}"
        if rule["rule"] == "better" and rule["by"]
        else f" by {rule['margin']:g}"
        if rule["margin"]
        else ""
    )
    kind = (
        "skipped"
        if compared["verdict"] == "inconclusive"
        else "failure"
        if compared["verdict"] == "reject" and not broken
        else ""
    )
    yield f"{metric}: {rule['rule'].replace('_', ' ')}{bar}", kind, compared["reason"]
    for name, one in guards.items():
        said = (
            f"{name}: {one['difference']} with the interval {one['interval']}; accepted is "
            f"{one['margin']:g}"
        )
        yield (
            f"{name}: not worse by {one['margin']:g}",
            "" if one.get("holds") else "failure" if one.get("violated") else "skipped",
            said,
        )
    for arm in (record["baseline"], candidate):
        found = record["arms"][arm]
        rate = (
            (found["errored"] + found["judge_failures"]) / found["attempted"]
            if found["attempted"]
            else 0.0
        )
        over = rate > rule["max_error_rate"]
        yield (
            f"errors of {arm}: at most {percent(rule['max_error_rate'])}",
            "error" if over else "",
            f"{found['errored']} of {found['attempted']} calls failed, "
            f"{found['judge_failures']} answers could not be judged",
        )


def _errors(record: Mapping[str, Any]) -> Iterator[Case]:
    """Cases of which a call failed; beyond some hundred they are counted."""
    found = [
        (case, arm, column[place])
        for arm, column in record["pairs"]["errors"].items()
        for place, case in enumerate(record["pairs"]["cases"])
        if column[place]
    ]
    for case, arm, count in found[:MOST]:
        yield f"{case} ({arm})", "error", f"{count} calls failed; the report says why"
    if len(found) > MOST:
        yield f"{len(found) - MOST} more cases", "error", "not listed"


def _suite(root: tree.Element, record: Mapping[str, Any], name: str, cases: list[Case]) -> None:
    counts = {
        kind: str(sum(one[1] == kind for one in cases)) for kind in ("failure", "error", "skipped")
    }
    suite = tree.SubElement(
        root,
        "testsuite",
        name=_clean(name),
        tests=str(len(cases)),
        failures=counts["failure"],
        errors=counts["error"],
        skipped=counts["skipped"],
        time="0",
        timestamp=record["created_at"][:19],
    )
    for title, kind, why in cases:
        case = tree.SubElement(
            suite, "testcase", classname=_clean(name), name=_clean(title), time="0"
        )
        if kind:
            inner = tree.SubElement(case, kind, message=_clean(why)[:500])
            if kind != "skipped":
                inner.set("type", record["verdict"])
                inner.text = _clean(why)


def _clean(value: str) -> str:
    """Without the characters that no XML may hold; the rest is escaped by the writer."""
    return FORBIDDEN.sub("\ufffd", value)
