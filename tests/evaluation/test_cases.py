"""Files of cases: every mistake at once, with its line; a hash that is of the content alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.errors import ConfigError
from llmops.tasks.evaluation.cases import hash_of, read_cases

GOOD = {
    "id": "c1",
    "inputs": {"question": "How?"},
    "expected": {"answer": "So."},
    "group": "doc",
    "tags": ["a"],
}


def file(folder: Path, *lines: Any) -> Path:
    path = folder / "cases.jsonl"
    path.write_text(
        "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines),
        encoding="utf-8",
    )
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_cases(path)
    return [str(mistake) for mistake in caught.value.found]


def test_cases_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = read_cases(file(tmp_path, {"id": "b", "inputs": {}}, "", GOOD, "   "))
    assert [case.id for case in found.cases] == ["b", "c1"]
    assert found.cases[1].expected == {"answer": "So."}
    assert found.cases[1].group == "doc"
    assert found.cases[0].group is None


def test_every_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        GOOD,
        "{not json",
        [1],
        {"id": "x"},
        GOOD,
        {**GOOD, "id": ""},
        {**GOOD, "id": "y", "expects": 1},
    )
    found = mistakes(path)
    assert [one.split(": ")[0].rpartition(":")[2] for one in found] == [
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
    ]
    assert "not JSON" in found[0]
    assert "got list" in found[1]
    assert "inputs: field required" in found[2]
    assert "the id 'c1' stands here and in line 1" in found[3]
    assert "expects" in found[5]


def test_a_file_that_is_missing_empty_or_no_text_is_said_to_be_one(tmp_path: Path) -> None:
    assert "no such file" in mistakes(tmp_path / "gone.jsonl")[0]
    assert "no case in this file" in mistakes(file(tmp_path, "", " "))[0]
    (tmp_path / "cases.jsonl").write_bytes(b'{"id": "\xff"}')
    assert "not UTF-8: byte 8" in mistakes(tmp_path / "cases.jsonl")[0]


def test_half_a_surrogate_pair_is_refused_before_it_is_paid_for(tmp_path: Path) -> None:
    assert (
        "half of a surrogate pair"
        in mistakes(file(tmp_path, '{"id": "a", "inputs": {"question": "\\ud83d"}}'))[0]
    )


def test_the_hash_is_of_what_the_cases_say(tmp_path: Path) -> None:
    first = read_cases(file(tmp_path, GOOD, {"id": "b", "inputs": {"question": "?"}}))
    spaced = read_cases(
        file(
            tmp_path,
            json.dumps(dict(reversed(GOOD.items())), indent=None, separators=(" , ", " : ")),
            "",
            {"id": "b", "inputs": {"question": "?"}, "tags": []},
        )
    )
    other = read_cases(file(tmp_path, GOOD, {"id": "b", "inputs": {"question": "!"}}))
    assert first.sha256 == spaced.sha256 != other.sha256
    assert first.hashes()["c1"] == other.hashes()["c1"] == hash_of(first.cases[0])
    assert first.hashes()["b"] != other.hashes()["b"]


def test_a_line_separator_inside_a_text_does_not_end_the_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(
        json.dumps(
            {"id": "a", "inputs": {"question": "one\u2028two\x85three"}}, ensure_ascii=False
        ),
        encoding="utf-8",
    )
    assert read_cases(path).cases[0].inputs["question"] == "one\u2028two\x85three"
