"""A monitor in words: what the artifact of a run shows."""

import html
import re
from collections.abc import Sequence

from llmops.tasks.monitoring import report_words as words
from llmops.tasks.monitoring.figures import Kpi, Monitored
from llmops.tasks.monitoring.report import cut, nothing_to_do, todo

KPIS, WARNINGS, CHANGES, QUESTIONS, PASSAGES, DOCUMENTS, NOTES = 12, 2, 4, 4, 3, 2, 2
"""Rows of each list: the whole has at most 60 lines."""
LENGTH = 160
SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$^@])")
INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def monitor_markdown(monitored: Monitored, headline: str, warnings: Sequence[str] = ()) -> str:
    """The headline, what is to be done, what changed, the figures and the first of each list, in at
    most 60 lines of GitHub's Markdown; texts of people are plain text in it.
    """
    parts = [
        f"# {plain(headline, 300)}",
        f"{plain(monitored.app)}: {words.window(monitored)}",
        *_todo(monitored),
        *_listed("Warnings", [plain(each, 300) for each in warnings], WARNINGS),
        *_changes(monitored),
        *_kpis(monitored),
        *_unanswered(monitored),
        *_bad_passages(monitored),
        *_unused(monitored),
    ]
    return "\n\n".join(parts) + "\n"


def plain(text: str, length: int = LENGTH) -> str:
    """One line that means nothing in Markdown or HTML, and runs in no direction but its own."""
    line = INVISIBLE.sub(" ", cut(" ".join(text.split()), length))
    line = SPECIAL.sub(r"\\\1", html.escape(" ".join(line.split()), quote=False))
    return line.replace("://", ":\u200b//").replace("www.", "www\u200b.")


def _todo(monitored: Monitored) -> list[str]:
    found = todo(monitored)
    if not found:
        return [nothing_to_do(monitored)]
    return ["\n".join(f"- **{said}**" for _, said in found)]


def _changes(monitored: Monitored) -> list[str]:
    said = [
        plain(f"{words.drift_said(each)} {words.drift_figures(each)}", 400)
        for each in monitored.drifts
    ]
    topics = [
        f"new topic: {plain(', '.join(each.words))} "
        f"({words.counted(each.conversations, 'conversation')})"
        for each in monitored.new_topics
    ]
    return _listed("What changed", [*said, *topics], CHANGES)


def _kpis(monitored: Monitored) -> list[str]:
    if not monitored.kpis:
        return ["## Figures", "Nobody asked anything in this window."]
    rows = [
        f"| {' | '.join([plain(each.label), *_cells(each)])} |" for each in monitored.kpis[:KPIS]
    ]
    head = [
        "| figure | value | 95 % interval | before | change |",
        "| --- | --- | --- | --- | --- |",
    ]
    return [_titled("Figures", len(monitored.kpis), KPIS), "\n".join([*head, *rows])]


def _cells(kpi: Kpi) -> list[str]:
    return [
        words.amount(kpi.value, kpi.unit),
        words.interval(kpi),
        words.amount(kpi.before, kpi.unit),
        words.change(kpi),
    ]


def _unanswered(monitored: Monitored) -> list[str]:
    found = monitored.recommendations.unanswered
    said = [
        f"{plain(each.question)} ({words.counted(each.conversations, 'conversation')}: "
        f"{plain(each.why)})"
        for each in found
    ]
    return _listed("Questions that the documents do not answer", said, QUESTIONS)


def _bad_passages(monitored: Monitored) -> list[str]:
    found = monitored.recommendations.bad_passages
    said = [
        f"{plain(each.uri)}: {each.down} of {words.counted(each.rated, 'rater')} down"
        for each in found
    ]
    return _listed("Passages whose answers are marked bad", said, PASSAGES)


def _unused(monitored: Monitored) -> list[str]:
    found = monitored.recommendations.unused
    said = [f"{plain(each.uri)}: {words.counted(each.chunks, 'passage')}" for each in found]
    notes = [plain(each, 300) for each in monitored.recommendations.notes[:NOTES]]
    listed = _listed("Documents that no question found", said, DOCUMENTS)
    return [*listed, *(["\n".join(f"- {each}" for each in notes)] if notes else [])]


def _listed(title: str, said: Sequence[str], most: int) -> list[str]:
    """Nothing where there is nothing."""
    if not said:
        return []
    return [_titled(title, len(said), most), "\n".join(f"- {each}" for each in said[:most])]


def _titled(title: str, count: int, most: int) -> str:
    """The report has all of them."""
    return f"## {title}" + (f" ({most} of {count})" if count > most else "")
