"""The source `dify` against a stand-in of its service API."""

from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.plugins.sources import Raw, content_hash_of
from llmops.tasks.plugins.sources.dify import DifySource
from tests.plugins.sources.dify_server import DifyServer
from tests.plugins.sources.moving import dify


def texts(source: DifySource) -> dict[str, Raw]:
    raws = [source.read(item) for item in source.list().items]
    return {str(raw.title): raw for raw in raws}


def test_documents_come_with_text_title_and_metadata(service: DifyServer) -> None:
    service.tags = ["law", "house"]
    service.add(
        "guide.md",
        "# Guide",
        "First part.",
        "Second part.",
        doc_metadata=[
            {"id": "1", "name": "year", "type": "number", "value": "2024"},
            {"id": "2", "name": "since", "type": "time", "value": 1735689600},
            {"id": "3", "name": "owner", "type": "string", "value": "Ada"},
            {"id": "4", "name": "empty", "type": "string", "value": None},
        ],
    )
    service.add("notes.txt", "Plain words.")
    source = dify(service)
    source.check()
    listing = source.list()
    assert listing.complete
    assert {item.uri for item in listing.items} == set(service.documents)
    raws = texts(source)
    assert raws["guide.md"].data.decode() == "# Guide\n\nFirst part.\n\nSecond part."
    assert raws["guide.md"].media_type == "text/markdown"
    assert dict(raws["guide.md"].metadata) == {
        "tags": ["house", "law"],
        "year": 2024,
        "since": "2025-01-01T00:00:00+00:00",
        "owner": "Ada",
    }
    assert raws["notes.txt"].media_type == "text/plain"
    assert all(
        source.content_hash(item) == item.revision == content_hash_of(source.read(item))
        for item in listing.items
    )


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("count", [1, 99, 100, 101, 250])
def test_all_pages_are_read(service: DifyServer, count: int, legacy: bool) -> None:
    service.legacy = legacy
    for number in range(count):
        service.add(f"{number}.txt", f"Text {number}.")
    long = service.add("long.txt", *[f"Piece {number:03}." for number in range(count)])
    source = dify(service)
    items = {item.uri: item for item in source.list().items}
    assert set(items) == set(service.documents)
    assert source.list().complete
    assert source.read(items[long]).data.decode().count("Piece") == count


def test_what_neighbours_share_stands_once(service: DifyServer) -> None:
    service.add(
        "a",
        "The house opens at nine. It closes at",
        "It closes at five. On Sunday it",
        "On Sunday it is closed.",
    )
    service.add("b", "Yes.", "Yes.")
    service.add("faq", "", doc_form="qa_model")
    service.segments[next(iter(service.documents))] = [
        service.segment(next(iter(service.documents)), 1, "When?", answer="At nine.")
    ]
    raws = texts(dify(service))
    assert (
        raws["a"].data.decode()
        == "The house opens at nine. It closes at five. On Sunday it is closed."
    )
    assert raws["b"].data.decode() == "Yes.\n\nYes."
    assert raws["faq"].data.decode() == "When?\nAt nine."


def test_disabled_and_archived_documents_are_left_out_unless_wanted(service: DifyServer) -> None:
    service.add("on", "On.")
    service.add("off", "Off.", enabled=False)
    service.add("old", "Old.", archived=True)
    half = service.add("half", "Kept.", "Dropped.")
    service.segments[half][1]["enabled"] = False
    raws = texts(dify(service))
    assert set(raws) == {"on", "half"}
    assert raws["half"].data == b"Kept."
    assert set(texts(dify(service, archived=True))) == {"on", "half", "old"}
    everything = texts(dify(service, archived=True, disabled=True))
    assert set(everything) == {"on", "off", "half", "old"}
    assert everything["half"].data == b"Kept.\n\nDropped."


def test_an_edit_that_keeps_the_length_is_seen(service: DifyServer, tmp_path: Path) -> None:
    own = service.add("a", "The number is 17.")
    service.add("b", "Something else.")
    before = dify(service, tmp_path).list()
    assert dify(service, tmp_path).list() == before
    service.segments[own][0]["content"] = "The number is 71."
    after = dify(service, tmp_path).list()
    assert {item.uri for item in set(after.items) - set(before.items)} == {own}


def test_without_being_thorough_only_changed_entries_are_read(service: DifyServer) -> None:
    own = service.add("a", "The number is 17.")
    source = dify(service, thorough=False)
    first = source.list()
    assert not any("segments" in path for path in service.log)
    assert source.content_hash(first.items[0]) is None
    assert source.read(first.items[0]).data == b"The number is 17."
    service.documents[own]["hit_count"] = 9
    assert source.list() == first, "being found is no change"
    service.documents[own]["word_count"] = 18
    assert source.list() != first


def test_the_listing_keeps_what_it_read_until_it_is_read(
    service: DifyServer, tmp_path: Path
) -> None:
    service.add("a", "Confidential words.")
    source = dify(service, tmp_path)
    item = source.list().items[0]
    asked = len(service.log)
    assert dify(service, tmp_path).read(item).data == b"Confidential words."
    assert len(service.log) == asked
    assert dify(service, tmp_path).read(item).data == b"Confidential words.", "it is fetched again"
    assert len(service.log) == asked + 1
    assert not any(
        b"Confidential" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()
    )


@pytest.mark.parametrize("legacy", [False, True])
def test_the_uploaded_file_where_there_is_one(service: DifyServer, legacy: bool) -> None:
    service.legacy = legacy
    service.add("file.pdf", "As Dify read it.", file=b"%PDF-1.7 ...")
    service.add("notion", "A page.", data_source_type="notion_import")
    source = dify(service, original=True)
    listing = source.list()
    raws = texts(source)
    assert raws["file.pdf"].data == (b"As Dify read it." if legacy else b"%PDF-1.7 ...")
    assert raws["notion"].data == b"A page."
    assert source.list() == listing
    fetched = [
        (path, key)
        for path, key in zip(service.log, service.keys_seen, strict=True)
        if path.startswith("/files/")
    ]
    assert all(key == "" and "nonce=a%2Fb&sign=x%3D" in path for path, key in fetched), (
        "the key goes to Dify alone"
    )
    assert len(fetched) == (0 if legacy else 1)


@pytest.mark.parametrize(
    ("values", "said", "retryable"),
    [
        ({"indexing_status": "indexing"}, "not done with it: indexing", True),
        ({"indexing_status": "paused"}, "paused", True),
        ({"indexing_status": "error", "error": "no model"}, "could not index it: no model", False),
    ],
)
def test_what_dify_has_not_indexed_is_a_problem(
    service: DifyServer, values: dict[str, Any], said: str, retryable: bool
) -> None:
    own = service.add("a", "Half of it.", **values)
    service.add("b", "Whole.")
    listing = dify(service).list()
    assert listing.complete
    assert [(one.uri, one.retryable) for one in listing.problems] == [(own, retryable)]
    assert said in listing.problems[0].reason


def test_an_empty_document_is_a_problem(service: DifyServer) -> None:
    service.add("a")
    assert "segments" in dify(service).list().problems[0].reason
