"""The report of a decision: what it shows, and that nothing that a model wrote is more than
text.
"""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.decisions.charts import forests, scatters
from llmops.tasks.decisions.report import FULL, ROWS, highlighted, report_html
from llmops.tasks.decisions.summary import summary_markdown
from llmops.tasks.evaluation.results import read_results
from tests.decisions.measured import (
    case_set,
    evaluation_run,
    noisy,
    parts_of,
    plus,
    recorded,
    settings,
    typed,
)
from tests.decisions.reported import HOSTILE, LOADING, RULE, made


class Reader(HTMLParser):
    """The elements and attributes of a page, as a browser would find them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)


def test_the_page_is_well_formed_and_says_verdict_and_reason_first(tmp_path: Path) -> None:
    record, results, cases = made(tmp_path)
    page = report_html(typed(record), results, cases)
    reader = Reader(page)
    assert reader.open == []
    assert (
        page.index("▲ promote")
        < page.index("<h2>Effects")
        < page.index("<h2>Arms")
        < page.index("<h2>Cases")
    )
    assert record["reason"].split("; ")[0] in "".join(reader.texts["p"])
    assert record["sha256"] in page


def test_nothing_that_a_model_or_a_case_says_is_more_than_text(tmp_path: Path) -> None:
    record, results, cases = made(tmp_path, hostile=True)
    page = report_html(typed({**record, "reason": HOSTILE, "warnings": [HOSTILE]}), results, cases)
    reader = Reader(page)
    assert [tag for tag, _ in reader.tags if tag in LOADING] == [
        "meta",
        "meta",
        "meta",
        "meta",
        "style",
        "script",
    ]
    allowed = {"svg", "form"}
    assert not [
        (tag, name)
        for tag, attributes in reader.tags
        if tag not in allowed
        for name in attributes
        if name.startswith("on")
    ]
    assert not [
        value
        for _, attributes in reader.tags
        for name, value in attributes.items()
        if name in ("src", "href", "action", "style")
    ]
    assert not re.search("[\x00-\x08\x0e-\x1f\ud800-\udfff]", page)
    assert "{{7*7}}" in page
    assert "<script>because" not in page
    page.encode()


def test_the_policy_allows_the_page_s_own_script_and_style_alone(tmp_path: Path) -> None:
    record, results, cases = made(tmp_path)
    page = report_html(typed(record), results, cases)
    policy = next(
        attributes["content"] or ""
        for tag, attributes in Reader(page).tags
        if tag == "meta" and "http-equiv" in attributes
    )
    for element in ("style", "script"):
        content = re.search(f"<{element}>(.*?)</{element}>", page, re.S)
        assert content
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "://" not in page


def test_the_biggest_differences_come_first_and_both_answers_stand_side_by_side(
    tmp_path: Path,
) -> None:
    record, results, cases = made(tmp_path)
    page = report_html(typed(record), results, cases)
    values = record["pairs"]["values"]
    gaps = {
        case: abs(new - old)
        for case, new, old in zip(
            record["pairs"]["cases"],
            values["candidate"]["token_f1"],
            values["baseline"]["token_f1"],
            strict=True,
        )
    }
    shown = re.findall(r'<code class="faint">(c\d+)</code>', page)
    assert shown == sorted(gaps, key=lambda case: (-gaps[case], case))
    assert "<del>baseline</del> says it is" in page
    assert "<ins>candidate</ins> says it is" in page
    assert "1 passage</summary>" in page


def test_filters_know_tag_and_outcome_of_every_case(tmp_path: Path) -> None:
    record, results, cases = made(tmp_path)
    rows = [
        attributes
        for _, attributes in Reader(report_html(typed(record), results, cases)).tags
        if attributes.get("class") == "case"
    ]
    assert len(rows) == 60
    assert {one["data-outcome"] for one in rows} <= {"win", "loss", "tie", "error"}
    assert sorted({tag for one in rows for tag in json.loads(one["data-tags"] or "")}) == [
        "all",
        "even",
        "odd",
    ]


@pytest.mark.slow
def test_the_size_is_bounded_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    record, results, cases = made(tmp_path, count=ROWS + 20, size=ROWS + 20, answer="word " * 3000)
    page = report_html(typed(record), results, cases)
    assert len(page) < 8_000_000
    assert page.count('<details class="case"') <= FULL + 30
    assert "20 more cases are in cases.jsonl" in page
    assert "more characters)" in page


def test_errors_are_shown_with_their_reason(tmp_path: Path) -> None:
    run, cases = evaluation_run(tmp_path), case_set(60)
    base = noisy(60, 0.5)
    lost: list[float | None] = [None, *plus(base, 0.1)[1:]]
    parts = parts_of(run, cases, {"baseline": base, "candidate": lost})
    record = recorded(run, RULE, parts, cases, **settings(RULE))
    page = report_html(
        typed(record), [one for part in parts for one in read_results(part.file)], cases
    )
    assert "429: too many requests" in page
    assert page.count('data-outcome="error"') == 1


@pytest.mark.parametrize(
    ("old", "new", "own_old", "own_new"),
    [
        ("The airport is in Beijing.", "The big airport is in Paris.", "Beijing", "big Paris"),
        ("首都机场在北京市朝阳区。", "首都机场位于北京市顺义区。", "在 朝阳", "位于 顺义"),
        ("same", "same", "", ""),
        ("", "new words", "", ""),
        ("nothing shared here", "of other words entirely", "", ""),
    ],
)
def test_differences_are_marked_by_word_and_by_character_where_words_have_no_spaces(
    old: str, new: str, own_old: str, own_new: str
) -> None:
    for text, pieces, own in zip(
        (old, new), highlighted(old, new), (own_old, own_new), strict=True
    ):
        assert "".join(piece.text for piece in pieces) == text
        assert " ".join(piece.text.strip().strip(".") for piece in pieces if piece.own) == own


def test_very_long_texts_are_not_compared_word_by_word() -> None:
    long = "word " * 5000
    assert highlighted(long, f"{long}more") == ([(long, False)], [(f"{long}more", False)])


def test_the_forest_has_all_effects_where_they_belong(tmp_path: Path) -> None:
    record, _, _ = made(tmp_path, arms=("baseline", "candidate", "third"))
    first, others, shares = forests(typed(record))
    assert [mark.label for mark in first.marks] == [
        "candidate: all cases",
        "third: all cases",
        "all",
        "even",
        "odd",
    ]
    assert [mark.label for mark in shares.marks] == ["latency", "cost"]
    assert [mark.label for mark in others.marks] == ["token_f1.precision"]
    best = first.marks[1]
    assert best.strong
    assert best.tone == "good"
    assert best.low is not None
    assert best.at is not None
    assert best.high is not None
    assert 0 <= first.zero < best.low < best.at < best.high <= 100
    for forest in (first, others, shares):
        assert all(0 <= place <= 100 for place, _ in forest.ticks)
        assert (forest.zero, "0") in forest.ticks


def test_the_bar_of_the_rule_is_drawn(tmp_path: Path) -> None:
    record, _, _ = made(tmp_path)
    wanted = {**record, "rule": {**record["rule"], "by": 0.05}}
    forest = forests(typed(wanted))[0]
    assert forest.bar is not None
    assert forest.bar > forest.zero
    assert forest.bar_label == "0.05"
    assert forests(typed(record))[0].bar is None


def test_the_table_of_arms_has_units_and_no_column_of_costs_where_nothing_was_paid(
    tmp_path: Path,
) -> None:
    record, results, cases = made(tmp_path)
    paid = Reader(report_html(typed(record), results, cases)).texts["th"]
    assert {"token_f1", "latency, ms", "cost, USD", "USD"} <= set(paid)
    for arm in record["arms"].values():
        arm["cost_usd"] = 0.0
    record["spent"]["cost_usd"] = 0.0
    free = typed(record)
    page = report_html(free, results, cases)
    assert not {"cost, USD", "USD"} & set(Reader(page).texts["th"])
    assert "| USD |" in summary_markdown(typed(made(tmp_path)[0]))
    assert "USD" not in summary_markdown(free).partition("### Differences")[0]


def test_arms_that_another_beats_in_both_are_not_on_the_front(tmp_path: Path) -> None:
    record, _, _ = made(tmp_path, arms=("baseline", "candidate", "third"))
    for name, (cost, wait) in {
        "baseline": (0.1, 100.0),
        "candidate": (0.1, 300.0),
        "third": (0.3, 200.0),
    }.items():
        record["arms"][name].update(cost_usd=cost, latency_ms={"p50": wait, "p95": wait})
    by_cost, by_latency = scatters(typed(record))
    assert {point.name: point.front for point in by_cost.points} == {
        "baseline": False,
        "candidate": True,
        "third": True,
    }
    assert {point.name: point.front for point in by_latency.points} == {
        "baseline": True,
        "candidate": False,
        "third": True,
    }
    assert all(
        by_cost.left <= one.x <= by_cost.right and by_cost.top <= one.y <= by_cost.bottom
        for one in by_cost.points
    )
