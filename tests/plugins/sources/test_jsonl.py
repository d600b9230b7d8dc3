"""The source `jsonl`: rows are documents, and a broken row never passes for a deletion."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.errors import Blocked, TransientDocumentError, UsageError
from llmops.tasks.plugins.sources import content_hash_of
from llmops.tasks.plugins.sources.jsonl import JsonlSource


def source(tmp_path: Path, lines: list[Any] | bytes, **options: Any) -> JsonlSource:
    file = tmp_path / "corpus.jsonl"
    file.write_bytes(
        lines
        if isinstance(lines, bytes)
        else b"".join(
            (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n"
            for line in lines
        )
    )
    return JsonlSource(path="corpus.jsonl", **options).at(tmp_path)


def test_rows_are_documents(tmp_path: Path) -> None:
    rows = [
        {"_id": "a", "title": "A", "text": "Text ä", "year": 1999, "other": 1},
        {"_id": "b", "title": "", "text": "B"},
    ]
    found = source(
        tmp_path, rows, fields={"uri": "_id", "title": "title", "text": "text"}, metadata=["year"]
    )
    listing = found.list()
    raws = [found.read(item) for item in listing.items]
    assert [item.uri for item in listing.items] == ["a", "b"]
    assert [(raw.data.decode(), raw.title, dict(raw.metadata)) for raw in raws] == [
        ("Text ä", "A", {"year": 1999}),
        ("B", None, {}),
    ]
    assert raws[0].media_type == "text/plain"
    assert [found.content_hash(item) for item in listing.items] == [
        content_hash_of(raw) for raw in raws
    ]
    assert listing.complete


def test_usual_names_need_no_mapping(tmp_path: Path) -> None:
    listing = source(
        tmp_path,
        [
            {"id": 7, "content": "seven"},
            {"url": "http://x/y", "body": "page"},
            {"text": "nameless"},
        ],
    ).list()
    assert [item.uri for item in listing.items] == ["7", "corpus.jsonl#line-3", "http://x/y"]


def test_only_what_is_mapped_counts_as_a_change(tmp_path: Path) -> None:
    row = {"_id": "a", "title": "T", "text": "x", "year": 1, "seen": 1}
    first = source(tmp_path, [row], metadata=["year"]).list().items[0]
    assert (
        source(tmp_path, [{**row, "seen": 2}], metadata=["year"]).list().items[0].revision
        == first.revision
    )
    for change in ({"title": "U"}, {"text": "y"}, {"year": 2}):
        assert (
            source(tmp_path, [{**row, **change}], metadata=["year"]).list().items[0].revision
            != first.revision
        )


@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbf{"id": "a", "text": "x"}\r\n\r\n{"id": "b", "text": "y"}\r\n',
        b'\n{"id": "a", "text": "x"}\n   \n{"id": "b", "text": "y"}',
    ],
)
def test_byte_order_marks_line_ends_and_blank_lines(tmp_path: Path, data: bytes) -> None:
    found = source(tmp_path, data)
    assert [found.read(item).data for item in found.list().items] == [b"x", b"y"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"id": "b", "text": ', "line 2: not JSON"),
        (b'{"id": "b", "text": "\xff"}', "line 2: not UTF-8: byte 0xff at position 22"),
        (b'["list"]', "line 2: got a list"),
        (b'{"id": {}, "text": "x"}', "'id', mapped to uri, is an object"),
        (b'{"id": true, "text": "x"}', "'id', mapped to uri, is true or false"),
        (b"[" * 100_000, "line 2: not"),
    ],
)
def test_a_line_of_an_unknown_document_makes_the_listing_incomplete(
    tmp_path: Path, line: bytes, said: str
) -> None:
    listing = source(tmp_path, [{"id": "a", "text": "x"}, line, {"id": "c", "text": "z"}]).list()
    assert [item.uri for item in listing.items] == ["a", "c"]
    assert [problem.uri for problem in listing.problems] == ["corpus.jsonl#line-2"]
    assert said in listing.problems[0].reason
    assert not listing.complete
    assert "line 2" in listing.why_incomplete


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"id": "b"},
            "the key 'text' or 'content' or 'body' or 'contents' for the text is missing; "
            "the row has 'id'",
        ),
        ({"id": "b", "text": 5}, "'text', mapped to text, is a number; it must be a text"),
        ({"id": "b", "text": "  "}, "'text', mapped to text, is empty"),
        ({"id": "b", "text": "x", "title": ["t"]}, "'title', mapped to title, is a list"),
    ],
)
def test_a_bad_row_that_names_its_document_leaves_the_listing_complete(
    tmp_path: Path, row: Any, said: str
) -> None:
    listing = source(tmp_path, [{"id": "a", "text": "x"}, row]).list()
    assert [problem.uri for problem in listing.problems] == ["b"]
    assert said in listing.problems[0].reason
    assert listing.complete


def test_a_mapped_uri_that_is_missing_is_a_problem(tmp_path: Path) -> None:
    listing = source(tmp_path, [{"id": "a", "text": "x"}], fields={"uri": "_id"}).list()
    assert (
        "the key '_id', mapped to uri, is missing; the row has 'id', 'text'"
        in listing.problems[0].reason
    )
    assert not listing.complete


def test_a_uri_that_comes_twice_is_a_problem(tmp_path: Path) -> None:
    listing = source(tmp_path, [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]).list()
    assert len(listing.items) == 1
    assert "appears twice" in listing.problems[0].reason


def test_a_file_that_changes_between_listing_and_reading_is_noticed(tmp_path: Path) -> None:
    found = source(tmp_path, [{"id": "a", "text": "first"}, {"id": "b", "text": "second"}])
    items = found.list().items
    source(tmp_path, [{"id": "b", "text": "second"}, {"id": "a", "text": "first"}])
    for item in items:
        with pytest.raises(TransientDocumentError, match="changed since it was listed"):
            found.read(item)
    (tmp_path / "corpus.jsonl").unlink()
    with pytest.raises(TransientDocumentError):
        found.read(items[0])


def test_missing_and_compressed_files(tmp_path: Path) -> None:
    with pytest.raises(Blocked, match="gone"):
        JsonlSource(path=str(tmp_path / "no.jsonl")).list()
    with pytest.raises(UsageError, match="no file"):
        JsonlSource(path=str(tmp_path / "no.jsonl")).check()
    with pytest.raises(UsageError, match="gunzip"):
        source(tmp_path, b"\x1f\x8b\x08rest").check()


def test_lines_are_bounded(tmp_path: Path) -> None:
    found = source(
        tmp_path, [{"id": "a", "text": "x" * 5000}, {"id": "b", "text": "y"}], max_bytes=1000
    )
    listing = found.list()
    assert [(item.uri, found.read(item).data) for item in listing.items] == [("b", b"y")]
    assert "longer than 1,000 bytes" in listing.problems[0].reason
    assert "max_bytes" in listing.problems[0].reason


def test_memory_does_not_grow_with_the_texts(tmp_path: Path) -> None:
    file = tmp_path / "corpus.jsonl"
    with file.open("w") as out:
        for number in range(600):
            out.write(json.dumps({"id": number, "text": f"{number} " + "word " * 10_000}) + "\n")
    found = JsonlSource(path=str(file))
    tracemalloc.start()
    assert len(found.list().items) == 600
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert file.stat().st_size > 29_000_000
    assert peak < 4_000_000


def test_lone_surrogates_do_not_stop_a_run(tmp_path: Path) -> None:
    found = source(tmp_path, [b'{"id": "a\\ud800", "text": "x\\udfff", "title": "\\ud800"}'])
    (item,) = found.list().items
    assert found.read(item).data == b"x?"
    item.model_dump_json().encode()
