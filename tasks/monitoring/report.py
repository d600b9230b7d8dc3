"""The report of a monitor: one HTML file that needs nothing else, runs nothing and believes nothing
that people or models wrote. What somebody has to do comes first, then the figures, then how all of
it was found.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from llmops.tasks.monitoring import report_words as words
from llmops.tasks.monitoring.figures import LISTS, Kpi, Monitored, PassageState, Recommendations
from llmops.tasks.monitoring.report_charts import CurveChart, feedback, lines, spark, weeks

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

FOLDER = Path(__file__).parent
NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Characters that no HTML may have."""
MOST, TRACES, WARNINGS = 20, 50, 50
"""Rows of a list, traces of a row, warnings that are shown."""
NO_LINKS: Mapping[str, str] = MappingProxyType({})
STATES: dict[PassageState, str] = {
    "live": "",
    "changed": "changed since",
    "gone": "no longer in the base",
    "unknown": "not a base of this home",
}


class ShownLink(NamedTuple):
    """`safe`: it leads to a web page; another one is shown as text."""

    text: str
    safe: bool


def report_html(
    monitored: Monitored,
    headline: str,
    warnings: Sequence[str] = (),
    links: Mapping[str, str] = NO_LINKS,
) -> str:
    """The report, some hundred kilobytes at most. It carries its style, loads nothing from anywhere
    and has no script; every text of people is text, cut at a length, and isolated where it runs
    from right to left.
    """
    style, since = _style(), f"{monitored.since:%Y-%m-%d}"
    shown_kpis = [
        (title, [(each, spark(each, since)) for each in members])
        for title, members in groups(monitored.kpis).items()
    ]
    advice = monitored.recommendations
    shown = [*warnings[:WARNINGS]]
    if len(warnings) > WARNINGS:
        shown.append(f"and {len(warnings) - WARNINGS} more warnings")
    written = _template().render(
        found=monitored,
        advice=advice,
        headline=headline,
        window=words.window(monitored),
        todo=todo(monitored),
        nothing=nothing_to_do(monitored),
        warnings=shown,
        drifts=[(each, weeks(each)) for each in monitored.drifts],
        notes_of=_notes_of(advice),
        charts=_latency(monitored),
        bars=feedback(monitored.kpis),
        groups=shown_kpis,
        sparks=any(chart for _, members in shown_kpis for _, chart in members),
        method=words.method(monitored),
        links=[(name, _link(url)) for name, url in links.items()],
        states=STATES,
        most=MOST,
        most_traces=TRACES,
        style=style,
        style_hash=_hash(style),
    )
    return NO_TEXT.sub("\ufffd", written)


def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "cut": cut,
        "counted": words.counted,
        "amount": words.amount,
        "interval": words.interval,
        "change": words.change,
        "tone": words.tone,
        "drift_said": words.drift_said,
        "drift_figures": words.drift_figures,
    }
    return templates.get_template("report.html.j2")


def todo(monitored: Monitored) -> list[tuple[str, str]]:
    """(place in the report, what somebody has to do), the most pressing first."""
    advice, counted = monitored.recommendations, words.counted
    drifted = [each.what for each in monitored.drifts if each.status == "drifted"]
    lines_of = [
        (
            "unanswered",
            f"Answer {counted(len(advice.unanswered), 'question')} that the documents do not",
            advice.unanswered,
        ),
        (
            "bad-passages",
            f"Mend {counted(len(advice.bad_passages), 'passage')} whose answers are marked bad",
            advice.bad_passages,
        ),
        ("changed", f"See why {' and '.join(drifted)} changed", drifted),
        (
            "changed",
            f"Read {counted(len(monitored.new_topics), 'new topic')} of questions",
            monitored.new_topics,
        ),
        (
            "unused",
            f"Look through {counted(len(advice.unused), 'document')} that no question found",
            advice.unused,
        ),
    ]
    return [(place, said) for place, said, there in lines_of if there]


def nothing_to_do(monitored: Monitored) -> str:
    """What is said in place of a list of it: nothing was found, or nobody could look."""
    why = monitored.recommendations.not_looked
    if len(reasons := {why.get(name, "") for name in LISTS}) == 1 and (reason := reasons.pop()):
        return f"Not looked for what somebody has to do: {reason}."
    return "Nothing that somebody has to do was found."


def cut(text: str, length: int) -> str:
    """At most so many characters, and how many more there are."""
    if len(text) <= length:
        return text
    return f"{text[:length]}… ({len(text) - length:,} more characters)"


def _latency(monitored: Monitored) -> list[CurveChart]:
    """Times on one axis, by unit."""
    times = [each for each in monitored.kpis if each.name.startswith("latency")]
    since = f"{monitored.since:%Y-%m-%d}"
    units = dict.fromkeys(each.unit for each in times)
    made = [
        lines("Latency by day", [each for each in times if each.unit == unit], since)
        for unit in units
    ]
    return [each for each in made if each is not None]


def _notes_of(advice: Recommendations) -> dict[str, tuple[str, ...]]:
    """Each note once: by its list, the others under no name."""
    listed = {note for notes in advice.notes_of.values() for note in notes}
    others = tuple(note for note in advice.notes if note not in listed)
    return {**dict.fromkeys(LISTS, ()), **advice.notes_of, "": others}


def groups(kpis: Sequence[Kpi]) -> dict[str, list[Kpi]]:
    """Heading -> KPIs: the application's, then those of each knowledge base, whose names begin with
    `kb/` and its own, which the heading says for them.
    """
    made: dict[str, list[Kpi]] = {}
    for each in kpis:
        base = each.name.split("/")[1] if each.name.startswith("kb/") else ""
        label = each.label.removeprefix(f"{base}: ")
        shown = each.model_copy(update={"label": label[:1].upper() + label[1:]})
        made.setdefault(f"Knowledge base {base}" if base else "The application", []).append(shown)
    return made


def _link(url: str) -> ShownLink:
    return ShownLink(url, url.lower().startswith(("https://", "http://")))


def _style() -> "Markup":
    from markupsafe import Markup

    return Markup((FOLDER / "report.css").read_text(encoding="utf-8"))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
