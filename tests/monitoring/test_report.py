"""The report of a monitor: what it shows, that its numbers are the findings' own, and that nothing
that people wrote is more than text.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llmops.tasks.monitoring.figures import LISTS, Monitored, Recommendations
from llmops.tasks.monitoring.monitor_summary import monitor_markdown
from llmops.tasks.monitoring.report import MOST, report_html, todo
from llmops.tasks.monitoring.report_charts import spark
from tests.browser import PHONE, browser, watched
from tests.decisions.reported import HOSTILE, LOADING
from tests.decisions.test_report import Reader
from tests.monitoring.asked import SINCE, UNTIL, drift, kpi, monitored

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EVIL = f'{HOSTILE} "onmouseover="alert(1) \u2067\u202d \ufdd0 ' + "x" * 100_000
EMPTY = Monitored(app="helpdesk", since=SINCE, until=UNTIL, days=7, reference_windows=0)


def words(page: str) -> str:
    """What a reader sees."""
    reader = Reader(page)
    assert reader.open == []
    shown = {tag: texts for tag, texts in reader.texts.items() if tag != "style"}
    return " ".join(" ".join(each.split()) for texts in shown.values() for each in texts)


def test_what_somebody_has_to_do_comes_first_then_figures_then_the_method() -> None:
    page = report_html(monitored(), "helpdesk: 400 requests", ["a warning"])
    places = [
        *("helpdesk: 400 requests", "Answer 1 question", "a warning", "<h2>What changed"),
        *("<h2>Questions that the documents do not answer", "<h2>Passages whose answers"),
        *("<h2>Documents that no question found", "<h2>Figures", "<h2>How this was found"),
    ]
    assert [page.index(each) for each in places] == sorted(page.index(each) for each in places)


def test_the_numbers_are_those_of_the_findings() -> None:
    shown = words(report_html(monitored(), "done"))
    for said in (
        *("12.5 %", "10 to 15 %", "before 8 %", "▲ 4.5 points", "412 ms", "1,678"),
        *("400 against 3,100 before", "distance 0.021", "below 0.012", "p 0.0002"),
        *("asked 37 times in 31 conversations", "17 of 19 raters down", "found 53 times"),
        *("p 0.0042", "14 questions of 11 conversations"),
        *("20 % of them were answered", "at most 0.033 false alarms a year"),
        *("rated good 20 %, rated bad 5 %, not rated 75 %", "changed since", "93", "2026-11-23"),
    ):
        assert said in shown, said


def test_nothing_that_people_wrote_is_more_than_text() -> None:
    page = report_html(monitored(EVIL), EVIL, [EVIL], {"javascript": "javascript:alert(1)"})
    reader = Reader(page)
    assert reader.open == []
    assert [tag for tag, _ in reader.tags if tag in LOADING and tag != "a"] == [
        *("meta", "meta", "meta", "meta", "style")
    ]
    own = [attributes["href"] or "" for tag, attributes in reader.tags if tag == "a"]
    assert own
    assert all(each.startswith("#") for each in own)
    names = {name for _, attributes in reader.tags for name in attributes}
    assert not {name for name in names if name.startswith("on")} | (names & {"src", "style"})
    values = [value for _, attributes in reader.tags for value in attributes.values()]
    assert not [value for value in values if value and "alert" in value]
    assert not re.search("[\x00-\x08\x0e-\x1f\ud800-\udfff\ufdd0]", page)
    assert "<img" not in page
    assert "more characters)" in page
    assert len(page) < 100_000
    page.encode()


class Isolated(Reader):
    """Texts that stand in an element whose direction is its own, and those that do not."""

    def __init__(self, page: str) -> None:
        self.own: list[bool] = []
        self.inside: list[str] = []
        self.outside: list[str] = []
        super().__init__(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        super().handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag and len(self.own) < len(self.open):
            self.own.append(tag == "bdi" or dict(attrs).get("dir") == "auto")

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        self.own.pop()

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        (self.inside if any(self.own) else self.outside).append(data)


def test_texts_of_people_run_in_a_direction_of_their_own() -> None:
    text = "چطور بازپرداخت کنم؟"
    seen = Isolated(report_html(monitored(text), text, [text]))
    assert sum(text in each for each in seen.inside) >= 12
    assert [each for each in seen.outside if text in each] == []


def test_the_policy_allows_the_page_s_own_style_alone_and_no_script() -> None:
    page = report_html(monitored(), "done")
    content = re.search("<style>(.*?)</style>", page, re.S)
    assert content
    digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'"
    assert policy in page
    assert "<script" not in page
    assert "://" not in page
    assert "url(" not in content[1]


def test_notes_stand_with_the_list_that_they_are_of() -> None:
    notes = {name: (f"why {name}",) for name in ("unanswered", "bad_passages", "unused")}
    every = (*(note for of in notes.values() for note in of), "of none")
    page = report_html(
        monitored(recommendations=Recommendations(notes=every, notes_of=notes)), "done"
    )
    places = [
        *('id="unanswered"', "why unanswered", 'id="bad-passages"', "why bad_passages"),
        *('id="unused"', "why unused", "of none", 'id="figures"'),
    ]
    assert [page.index(each) for each in places] == sorted(page.index(each) for each in places)
    assert all(page.count(each) == 1 for each in every)


def test_a_sum_is_compared_by_the_day() -> None:
    """A week's requests stand beside a curve of days: the line is that of a day before."""
    curve = tuple((f"2026-11-{day:02d}", 100.0 + day % 2) for day in range(16, 30))
    chart = spark(kpi(value=707.0, before=703.0, interval=None, unit="", curve=curve), "2026-11-23")
    assert chart
    assert chart.before
    assert 0 < chart.before < chart.height
    days = [float(y) for y in re.findall(r" ([\d.]+)", chart.curve.paths[0])]
    assert min(days) < chart.before < max(days)


def test_links_lead_to_web_pages_alone() -> None:
    links = {"mlflow": "http://127.0.0.1:5000/#/runs/1", "file": "file:///etc/passwd"}
    page = report_html(monitored(), "done", (), links)
    hrefs = [attributes.get("href") for tag, attributes in Reader(page).tags if tag == "a"]
    assert links["mlflow"] in hrefs
    assert links["file"] not in hrefs
    assert links["file"] in words(page)


def test_empty_states_are_said_in_words() -> None:
    shown = words(report_html(EMPTY, "helpdesk: no request in 7 days"))
    for said in (
        *("Nothing that somebody has to do was found.", "Nothing was compared with the windows"),
        *("nobody asked anything in this window", "nothing before it to compare with"),
    ):
        assert said in shown, said
    assert shown.count("None was found.") == 3


def test_what_nobody_could_look_for_is_not_said_to_be_absent() -> None:
    few = dict.fromkeys(LISTS, "6 of at least 30 exchanges")
    calm = monitored(drifts=(drift(status="same"),), new_topics=())
    unlooked = Recommendations(not_looked=few)
    found = calm.model_copy(update={"recommendations": unlooked})
    for shown in (words(report_html(found, "done")), monitor_markdown(found, "done")):
        assert "Not looked for what somebody has to do: 6 of at least 30 exchanges." in shown
        assert not any(each in shown for each in ("Nothing that somebody", "None was found."))
    shown = words(report_html(found, "done"))
    assert (shown.count("Not looked for:"), shown.count("6 of at least 30 exchanges")) == (3, 4)
    why = "no exchange has a text and was searched for"
    one = Recommendations(not_looked={"unanswered": why}, notes_of={"unanswered": (why,)})
    shown = words(report_html(calm.model_copy(update={"recommendations": one}), "done"))
    assert (shown.count(why), shown.count("None was found.")) == (1, 2)


def test_charts_are_explained_where_there_are_some() -> None:
    assert "the shaded band is" in report_html(monitored(), "done")
    bare = monitored(kpis=(kpi(curve=()),))
    assert "the shaded band is" not in report_html(bare, "done")
    assert "An arrow has a colour only" in report_html(bare, "done")


def test_too_little_to_tell_a_drift_is_said_with_its_reason() -> None:
    unknown = drift(status="unknown", reason="too few exchanges to tell: 12 of at least 30")
    shown = words(report_html(monitored(drifts=(unknown,)), "done"))
    assert "Questions: not known, too few exchanges to tell: 12 of at least 30." in shown
    assert "3,100" not in shown


def test_what_is_not_listed_is_not_to_be_done() -> None:
    assert [place for place, _ in todo(monitored())] == [
        *("unanswered", "bad-passages", "changed", "changed", "unused")
    ]
    quiet = monitored(
        drifts=(drift(status="same"),), new_topics=(), recommendations=Recommendations()
    )
    assert todo(quiet) == []
    assert 'class="head good"' in report_html(quiet, "done")


def test_long_lists_and_many_warnings_are_cut_and_the_page_stays_small() -> None:
    one = monitored("word " * 100)
    advice = one.recommendations
    many = advice.model_copy(
        update={
            "unanswered": advice.unanswered * 500,
            "unused": advice.unused * 500,
            "bad_passages": advice.bad_passages * 500,
        }
    )
    page = report_html(
        one.model_copy(update={"recommendations": many, "new_topics": one.new_topics * 500}),
        "done",
        ["careful"] * 500,
    )
    assert page.count("asked 37 times") == MOST
    assert "and 450 more warnings" in page
    assert len(page) < 250_000


@pytest.mark.parametrize(
    ("curve", "drawn"),
    [
        ((), 0),
        ((("2026-11-23", None), ("2026-11-24", None)), 0),
        ((("2026-11-23", 1.0),), 1),  # a window's distance stands alone
        ((("2026-11-23", 0.0), ("2026-11-24", 0.0)), 4),
        ((("2026-11-23", float("nan")), ("2026-11-24", 3.0), ("2026-11-25", 3.0)), 4),
        ((("not a day", 1e-9), ("2026-11-24", -1e12)), 4),
    ],
)
def test_curves_of_any_kind_are_drawn_or_left_out(curve: Any, drawn: int) -> None:
    odd = [kpi(curve=curve), kpi("latency_p50_ms", unit="ms", curve=curve, before=None)]
    weeks = drift(weeks=curve, usual=None)
    page = report_html(monitored(kpis=tuple(odd), drifts=(weeks,)), "done")
    places = re.findall(r' (?:[xy][12]?|cx|cy|width|height|d)="([^"]*)"', page)
    assert not [each for each in places if "nan" in each or "inf" in each]
    assert page.count("<svg") == drawn


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    with browser() as started:
        yield started


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_on_a_phone_without_any_request_or_barrier(
    scheme: Any, chromium: "Browser", tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(report_html(monitored("چطور بازپرداخت کنم؟ " * 9), "helpdesk", ["careful"]))
    with watched(chromium, file.as_uri(), viewport=PHONE, color_scheme=scheme) as seen:
        page = seen.open("")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert seen.hosts == {""}
        assert seen.errors == []
        page.locator("details").first.locator("summary").click()
    # axe is a script, which the page itself lets nobody run
    open_to_axe = re.sub("<meta http-equiv[^>]*>", "", file.read_text())
    file.write_text(open_to_axe)
    with watched(chromium, file.as_uri(), viewport=PHONE, color_scheme=scheme) as seen:
        seen.open("")
        assert seen.axe() == []
