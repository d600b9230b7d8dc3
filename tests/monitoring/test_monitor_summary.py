"""A monitor told in Markdown, and its pictures."""

import re

from llmops.tasks.monitoring.figures import Monitored
from llmops.tasks.monitoring.monitor_plots import plots
from llmops.tasks.monitoring.monitor_summary import monitor_markdown
from tests.monitoring.asked import SINCE, UNTIL, drift, kpi, monitored

PNG = b"\x89PNG"
EVIL = "[x](http://evil) | `a` <script>\n# head \u202e ![i](u) ~~y~~ www.evil.com * _b_ @all #12"


def test_it_says_what_is_to_be_done_and_the_figures() -> None:
    said = monitor_markdown(monitored(), "helpdesk: 400 requests", ["a warning"])
    for each in (
        *("# helpdesk: 400 requests", "- **Answer 1 question that", "- a warning"),
        *("| Refusals | 12.5 % | 10 to 15 % | 8 % | ▲ 4.5 points |", "plain: 17 of 19 raters down"),
        *("plain (31 conversations: plain)", "plain: 93 passages", "new topic: plain"),
    ):
        assert each in said, each


def test_it_has_sixty_lines_at_most() -> None:
    one = monitored()
    advice = one.recommendations
    lists = {
        name: getattr(advice, name) * 50
        for name in ("unanswered", "unused", "bad_passages", "notes")
    }
    many = one.model_copy(
        update={
            "kpis": one.kpis * 20,
            "drifts": one.drifts * 2,
            "new_topics": one.new_topics * 50,
            "recommendations": advice.model_copy(update=lists),
        }
    )
    said = monitor_markdown(many, "helpdesk", ["careful"] * 50)
    assert len(said.splitlines()) <= 60
    assert "## Questions that the documents do not answer (4 of 50)" in said
    assert "## Figures (12 of 100)" in said


def test_texts_of_people_mean_nothing_in_it() -> None:
    said = monitor_markdown(monitored(EVIL), EVIL, [EVIL])
    plain = re.sub(r"\\.", "", said)  # what is escaped is a character as any other
    lines = [line for line in plain.splitlines() if "evil" in line]
    assert lines
    for line in lines:
        inner = line.removeprefix("# ").removeprefix("- ")
        assert not re.search(r"[\[\]`*_|#!~@<>\u202e]|://|www\.", inner), inner
    tables = [line for line in said.splitlines() if line.startswith("|")]
    assert {re.sub(r"\\\|", "", line).count("|") for line in tables} == {6}


def test_nothing_asked_is_said() -> None:
    empty = Monitored(app="helpdesk", since=SINCE, until=UNTIL, days=7, reference_windows=0)
    said = monitor_markdown(empty, "helpdesk: no request")
    assert "Nobody asked anything in this window." in said
    assert "Nothing that somebody has to do was found." in said
    assert plots(empty) == {}


def test_the_pictures_are_of_figures_and_drift_and_the_same_each_time() -> None:
    odd = (kpi(label="cost $a$ of $b", curve=(("2026-11-23", None), ("x", 1.0), ("y", 2.0))),)
    made = plots(monitored(kpis=odd, drifts=(drift(), drift(what="answers", usual=None))))
    assert sorted(made) == ["drift.png", "kpis.png"]
    assert all(each.startswith(PNG) for each in made.values())
    assert made == plots(monitored(kpis=odd, drifts=(drift(), drift(what="answers", usual=None))))
