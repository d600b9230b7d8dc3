"""What leaves as a file: every review, and no formula."""

import csv
import io
import json
from pathlib import Path

import pytest

from llmops.tasks.review.export import MARK, as_csv, as_json_lines, plain, rows
from llmops.tasks.review.finding import find
from llmops.tasks.review.items import ask_a_person
from llmops.tasks.review.reviewing import Review, submit
from llmops.tasks.traces import index
from llmops.tasks.traces.spool import TraceSpool
from tests.review.made import APP, reviewer
from tests.traces.made import recorded


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1+2", "'-1+2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("  =1", "'  =1"),
        ("\r=1", "'\r=1"),
        ("＝1", "'＝1"),
        ("fine - really", "fine - really"),
        ("", ""),
        (None, ""),
        (-1.5, -1.5),
        (["=a", "b"], "'=a\nb"),
    ],
)
def test_a_cell_is_no_formula(value: object, cell: object) -> None:
    assert plain(value) == cell


def test_each_review_is_a_row_and_so_is_an_item_without_any(tmp_path: Path) -> None:
    traces = [recorded("=1+1?", "it is, “so”"), recorded("what?", "that")]
    index.enter(tmp_path, traces)
    spool = TraceSpool(tmp_path, APP, 10**9)
    for trace in traces:
        spool.put(trace)
    first, _ = [ask_a_person(tmp_path, APP, "", trace.id, "") for trace in traces]
    ann, bob = reviewer(tmp_path, "ann"), reviewer(tmp_path, "bob")
    submit(tmp_path, APP, first, ann, Review("bad", "line one\nline two", ("a.md", "b.md")))
    submit(tmp_path, APP, first, bob, Review("good"))
    made = list(rows(tmp_path, find(tmp_path, APP).items))
    lines = [json.loads(line) for line in as_json_lines(made)]
    assert [(each["question"], each["reviewer"], each["verdict"]) for each in lines] == [
        ("=1+1?", "helpdesk/ann", "bad"),
        ("=1+1?", "helpdesk/bob", "good"),
        ("what?", "", ""),
    ]
    text = "".join(as_csv(made))
    assert text.startswith(MARK)
    cells = list(csv.DictReader(io.StringIO(text.removeprefix(MARK), newline="")))
    assert [each["question"] for each in cells] == ["'=1+1?", "'=1+1?", "what?"]
    assert cells[0]["correction"] == "line one\nline two"
    assert cells[0]["relevant"] == "a.md\nb.md"
    assert cells[0]["answer"] == "it is, “so”"
