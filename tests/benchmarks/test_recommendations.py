"""What is left out of a knowledge base, and when a row of a list counts as right."""

import json
from pathlib import Path

import pytest

from benchmarks.left_out import LEFT_OUT, beir
from benchmarks.recommendations import _recall, _right
from tests.monitoring.asked import exchange


def test_whole_pages_are_left_out_the_same_each_time(tmp_path: Path) -> None:
    folder = tmp_path / "beir" / "small"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": f"p{n}", "title": f"page {n // 4}", "text": f"text {n}"} for n in range(400)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "why?"}\n')
    (folder / "qrels" / "test.tsv").write_text("query\tdocument\tscore\nq1\tp3\t1\nq1\tp9\t0\n")
    judged = beir(tmp_path, "small", 10)
    gone = judged.left_out()
    assert gone == beir(tmp_path, "small", 10).left_out()
    assert abs(len(gone) / 400 - LEFT_OUT) < 0.15
    pages = {
        row["title"]: {each["_id"] for each in rows if each["title"] == row["title"]}
        for row in rows
    }
    assert all(not ids & gone or ids <= gone for ids in pages.values())
    assert [(each.id, each.uris) for each in judged.questions] == [("q1", ("p3",))]


def test_a_row_is_right_where_most_of_its_questions_are() -> None:
    wrong = {"tr-0001", "tr-0002", "tr-0003"}
    rows = [("tr-0001",), ("tr-0001", "tr-0009"), ("tr-0001", "tr-0002", "tr-0009"), ("tr-0009",)]
    assert _right(rows, wrong) == pytest.approx(0.5)
    assert _right([], wrong) == 0
    week = [exchange(number) for number in range(1, 10)]
    assert _recall(rows, week, wrong) == pytest.approx(2 / 3)
