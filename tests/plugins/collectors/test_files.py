"""Rows from files: our own, and Dify's exports."""

import csv
import json
from pathlib import Path

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.collectors import Collector
from llmops.tasks.plugins.collectors import jsonl as reading
from llmops.tasks.plugins.scorers import Case
from tests.plugins.collectors.context import GivenContext, collected, rows_of, skipped

LINE = {"id": "r1", "messages": [{"role": "user", "content": "Q"}], "group": "g"}


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{json.dumps(each)}\n" for each in lines), encoding="utf-8")
    return path


def test_lines_that_are_no_rows_are_told_with_their_place(tmp_path: Path) -> None:
    wrong = [{"id": "bad", "messages": [{"role": "robot"}]}, [1], {"id": "x"}]
    path = written(tmp_path / "r.jsonl", LINE, *wrong)
    path.write_text(f"{path.read_text()}no json\n", encoding="utf-8")
    found = collected("jsonl", folder=tmp_path, path="r.jsonl")
    assert [row.id for row in rows_of(found)] == ["r1"]
    told = {each.place: each.reason for each in skipped(found)}
    assert "role" in told["bad"]
    assert "messages" in told["x"]
    assert sum("no JSON" in reason for reason in told.values()) == 2


def test_a_file_is_read_in_parts_and_no_line_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PART", 100)
    lines = [{**LINE, "id": f"r{n}", "group": "é" * n} for n in range(40)]
    written(tmp_path / "r.jsonl", *lines)
    found = rows_of(collected("jsonl", folder=tmp_path, path="r.jsonl"))
    assert [row.id for row in found] == [f"r{n}" for n in range(40)]
    collector = Spec(name="jsonl", options={"path": "r.jsonl"}).build(Collector).at(tmp_path)
    assert len(collector.parts(GivenContext())) > 10


def test_a_row_without_a_group_is_one_of_its_own(tmp_path: Path) -> None:
    written(tmp_path / "r.jsonl", {"id": "a", "messages": []}, {"messages": []})
    first, second = rows_of(collected("jsonl", folder=tmp_path, path="r.jsonl"))
    assert (first.group, second.group) == ("a", second.id)


@pytest.mark.parametrize("name", ["jsonl", "cases", "golden", "dify_annotations", "dify_feedback"])
def test_a_file_that_never_was_is_told_before_a_run(name: str, tmp_path: Path) -> None:
    collector = Spec(name=name, options={"path": "absent.jsonl"}).build(Collector).at(tmp_path)
    with pytest.raises(UsageError, match=r"absent\.jsonl"):
        collector.check()


def as_csv(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("'- first\n- second", "- first\n- second"),
        ("'=1+1", "=1+1"),
        ("'@here", "@here"),
        ("'tis true", "'tis true"),
        ("plain", "plain"),
    ],
)
def test_apostrophes_of_dify_are_taken_away(cell: str, meant: str, tmp_path: Path) -> None:
    as_csv(tmp_path / "a.csv", {"question": "Q?", "answer": cell})
    [row] = rows_of(collected("dify_annotations", folder=tmp_path, path="a.csv", system="S"))
    assert [each.content for each in row.messages] == ["S", "Q?", meant]


def test_annotations_as_chats_have_no_empty_system_prompt(tmp_path: Path) -> None:
    said = [("system", ""), ("user", "Q?"), ("assistant", "A.")]
    chat = {"messages": [{"role": role, "content": text} for role, text in said]}
    written(tmp_path / "a.jsonl", chat)
    [row] = rows_of(collected("dify_annotations", folder=tmp_path, path="a.jsonl"))
    assert [each.role for each in row.messages] == ["user", "assistant"]


def test_another_csv_is_told_of(tmp_path: Path) -> None:
    as_csv(tmp_path / "a.csv", {"frage": "Q?", "answer": "A."})
    with pytest.raises(UsageError, match="no column question"):
        collected("dify_annotations", folder=tmp_path, path="a.csv")


def test_a_csv_of_another_encoding_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("question,answer\nWo?,Köln".encode("latin-1"))
    with pytest.raises(UsageError, match="UTF-8"):
        collected("dify_annotations", folder=tmp_path, path="a.csv")


def test_half_a_character_is_no_row(tmp_path: Path) -> None:
    """A lone surrogate: no file in UTF-8 can hold it."""
    text = '{"id": "x", "messages": [{"role": "user", "content": "\\ud83d"}]}\n'
    (tmp_path / "r.jsonl").write_text(text, encoding="utf-8")
    [left] = skipped(collected("jsonl", folder=tmp_path, path="r.jsonl"))
    assert "half a character" in left.reason


def feedback(number: int, answer: str, rating: str = "like") -> dict[str, str]:
    return {
        "feedback_id": f"f{number}",
        "conversation_id": "c1",
        "message_id": f"m{number}",
        "user_query": "Q?",
        "ai_response": answer,
        "feedback_rating_raw": rating,
    }


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_feedback_that_dify_has_cut_is_marked(kind: str, tmp_path: Path) -> None:
    """It cuts answers of more than 500 characters there, and adds three dots."""
    given = [
        feedback(1, "x" * 500),
        feedback(2, f"{'x' * 500}..."),
        feedback(3, "no", "dislike"),
        feedback(4, "none", ""),
    ]
    path = tmp_path / f"f.{kind}"
    if kind == "csv":
        as_csv(path, *given)
    else:
        path.write_text(json.dumps({"export_info": {}, "feedback_data": given}), encoding="utf-8")
    found = collected("dify_feedback", folder=tmp_path, path=path.name)
    rows = rows_of(found)
    assert [(row.id, row.cut, row.score, row.group) for row in rows] == [
        ("f1", False, 1.0, "c1"),
        ("f2", True, 1.0, "c1"),
        ("f3", False, 0.0, "c1"),
    ]
    assert len(skipped(found)) == 1


def test_cases_without_an_answer_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").touch()
    cases = [
        Case(id="c1", inputs={"question": "Q?"}, expected={"answer": "A.", "uris": ["a.md"]}),
        Case(id="c2", inputs={"question": "Q?"}, expected={"keywords": ["x"]}),
    ]
    found = collected("cases", GivenContext(listed=cases), tmp_path, path="c.jsonl", system="S")
    [row] = rows_of(found)
    assert ([each.content for each in row.messages], row.lineage["uri"]) == (
        ["S", "Q?", "A."],
        "a.md",
    )
    assert [each.place for each in skipped(found)] == ["c2"]
