"""A golden set, or the cases of an evaluation, in several files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.errors import ConfigError
from llmops.tasks.evaluation.cases import read_cases
from llmops.tasks.retrieval.golden import read_golden
from llmops.tasks.schemas import paths_of

LINES = {
    read_golden: '{{"id": "{0}", "question": "?", "relevant": [{{"uri": "a"}}]{1}}}\n',
    read_cases: '{{"id": "{0}", "inputs": {{"question": "?"}}{1}}}\n',
}
LINEAGE = ', "lineage": {"trace_id": "tr-1", "reviewers": ["p"], "version": 3}'
Reader = Callable[..., Any]
both = pytest.mark.parametrize("read", LINES)


def ids(found: Any) -> list[str]:
    return [each.id for each in getattr(found, "questions", getattr(found, "cases", ()))]


def written(folder: Path, name: str, read: Reader, *numbers: str, more: str = "") -> Path:
    file = folder / name
    file.write_text("".join(LINES[read].format(number, more) for number in numbers))
    return file


@both
def test_several_files_are_read_as_one_and_one_may_be_empty(tmp_path: Path, read: Reader) -> None:
    first = written(tmp_path, "a.jsonl", read, "1", "2")
    second = written(tmp_path, "b.jsonl", read, "3")
    empty = written(tmp_path, "c.jsonl", read)
    found = read(first, empty, second)
    assert ids(found) == ["1", "2", "3"]
    assert read(first).sha256 == read(first, empty).sha256 != found.sha256


@both
def test_nothing_in_any_of_them_is_a_mistake(tmp_path: Path, read: Reader) -> None:
    empty = written(tmp_path, "a.jsonl", read)
    with pytest.raises(ConfigError, match=r"empty|no case"):
        read(empty, empty)


@both
def test_an_id_that_two_files_have_is_told_with_both(tmp_path: Path, read: Reader) -> None:
    first = written(tmp_path, "a.jsonl", read, "1")
    second = written(tmp_path, "b.jsonl", read, "2", "1")
    with pytest.raises(ConfigError) as caught:
        read(first, second)
    (mistake,) = caught.value.found
    assert mistake.where == f"{second}:2"
    assert f"in line 1 of {first}" in mistake.message


@both
def test_where_a_line_comes_from_is_read_and_is_no_part_of_a_case(
    tmp_path: Path, read: Reader
) -> None:
    plain = read(written(tmp_path, "a.jsonl", read, "1"))
    told = read(written(tmp_path, "b.jsonl", read, "1", more=LINEAGE))
    item = getattr(told, "questions", getattr(told, "cases", [None]))[0]
    assert (item.lineage.trace_id, item.lineage.version) == ("tr-1", 3)
    assert (plain.sha256 == told.sha256) is (read is read_cases)


def test_paths_are_relative_to_a_folder() -> None:
    folder = Path("/f")
    assert paths_of(folder, Path("a")) == (Path("/f/a"),)
    assert paths_of(folder, (Path("a"), Path("/b"))) == (Path("/f/a"), Path("/b"))
