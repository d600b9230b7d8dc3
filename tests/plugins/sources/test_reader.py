"""The source `reader`: anybody's readers, of which nothing is believed that they do not prove."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import Blocked, TransientDocumentError, Unavailable, UsageError
from llmops.tasks.plugins.sources import Item, content_hash_of
from llmops.tasks.plugins.sources._spool import forget
from llmops.tasks.plugins.sources.reader import ReaderSource

LAZY, EAGER, FOLDER = (
    "tests.plugins.sources.readers.Lazy",
    "tests.plugins.sources.readers.Eager",
    "llama_index.core.SimpleDirectoryReader",
)
PAGES = {"a": "Text of a.", "b": "Text of b.", "c": "Text of c."}


def lazy(pages: dict[str, Any], **options: Any) -> ReaderSource:
    own = {key: options.pop(key) for key in ("ids", "fails_after", "api_key") if key in options}
    fields: dict[str, Any] = {"reader": LAZY, "options": {"pages": pages, **own}, **options}
    return ReaderSource(**fields)


def uris(source: ReaderSource) -> list[str]:
    return [item.uri for item in source.list().items]


def test_documents_of_a_folder_named_by_their_path(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("one.txt", "two.md"):
        (tmp_path / "docs" / name).write_text(f"Text of {name}, ä.")
    source = ReaderSource(
        reader=FOLDER,
        options={"input_dir": "./docs"},
        uri="file_name",
        title="file_name",
        metadata=["file_type"],
    ).at(tmp_path)
    source.check()
    listing = source.list()
    raws = [source.read(item) for item in listing.items]
    assert [item.uri for item in listing.items] == ["one.txt", "two.md"]
    assert [(raw.data.decode(), raw.title, dict(raw.metadata)) for raw in raws] == [
        ("Text of one.txt, ä.", "one.txt", {"file_type": "text/plain"}),
        ("Text of two.md, ä.", "two.md", {"file_type": "text/markdown"}),
    ]
    assert [source.content_hash(item) for item in listing.items] == [
        content_hash_of(raw) for raw in raws
    ]


def test_a_listing_is_complete_only_if_the_user_says_so() -> None:
    careful, sure = lazy(PAGES).list(), lazy(PAGES, complete=True).list()
    assert not careful.complete
    assert "complete: true" in careful.why_incomplete
    assert sure.complete
    assert [item.uri for item in sure.items] == ["a", "b", "c"]


def test_a_reader_that_fails_midway_is_incomplete_whatever_the_user_says() -> None:
    listing = lazy(PAGES, fails_after=2, complete=True, api_key="s3cret-token").list()
    assert [item.uri for item in listing.items] == ["a", "b"]
    assert (
        listing.why_incomplete
        == "the reader failed after 2 documents: ConnectionError: the service said no to ***"
    )
    with pytest.raises(Unavailable, match="ConnectionError") as caught:
        lazy(PAGES, fails_after=0, complete=True, api_key="s3cret-token").list()
    assert "s3cret" not in str(caught.value)


def test_the_reader_runs_once_for_listing_and_reading() -> None:
    from tests.plugins.sources.readers import RUNS

    source, before = lazy(PAGES), len(RUNS)
    other = lazy(PAGES)  # a source is made anew for each part
    texts = [other.read(item).data for item in source.list().items]
    assert texts == [b"Text of a.", b"Text of b.", b"Text of c."]
    assert len(RUNS) == before + 1


def test_where_the_texts_are_gone_the_reader_runs_again() -> None:
    source = lazy(PAGES)
    items = source.list().items
    forget(source._keeper)
    assert source.read(items[1]).data == b"Text of b."
    with pytest.raises(TransientDocumentError, match="does not any more"):
        source.read(Item(uri="z"))
    with pytest.raises(TransientDocumentError, match="ConnectionError"):
        lazy(PAGES, fails_after=0).read(items[1])


def test_parts_of_one_name_are_numbered_and_equal_ones_are_a_problem() -> None:
    listing = lazy({"a": ["page one", "page two", "page one"], "b": ["same", "same"]}).list()
    source = lazy({"a": ["page one", "page two", "page one"], "b": ["same", "same"]})
    items = {item.uri: item for item in source.list().items}
    assert [item.uri for item in listing.items] == ["a", "a#2", "b"]
    assert source.read(items["a"]).data == b"page one"
    assert source.read(items["a#2"]).data == b"page two"
    assert len(listing.problems) == 2
    assert all("appears twice" in problem.reason for problem in listing.problems)


def test_random_ids_are_noticed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        first = lazy({"a": ["x", "x", "y"]}, ids="random", complete=True).list()
    assert "`uri: file_path`" in caplog.text
    assert first == lazy({"a": ["x", "x", "y"]}, ids="random", complete=True).list()
    assert len({item.uri for item in first.items}) == 3
    assert "at random" in lazy(PAGES, ids="random").list().why_incomplete
    caplog.clear()
    assert uris(lazy(PAGES, ids="random", uri="page")) == ["a", "b", "c"]
    assert not caplog.text


def test_eager_readers_and_metadata_that_is_no_json() -> None:
    source = ReaderSource(reader=EAGER, load={"names": ["x", "y"]})
    items = source.list().items
    raw = source.read(items[0])
    assert ([item.uri for item in items], raw.data) == (["x", "y"], b"Text of x.")
    assert json.loads(json.dumps(dict(raw.metadata))) == {"raw": "/w==", "nested": {"x": [1, 2]}}


def test_empty_and_large_texts_are_problems() -> None:
    listing = lazy({"empty": " \n", "large": "x" * 50, "fine": "y"}, max_bytes=40).list()
    assert {problem.uri: problem.reason.split(",")[0] for problem in listing.problems} == {
        "empty": "the reader gave it without text",
        "large": "the text has 50 bytes",
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"reader": "nonsense"}, "import path is wanted"),
        ({"reader": "os.system('x')"}, "import path is wanted"),
        (
            {"reader": "llama_index.readers.google_drive.GoogleDriveReader"},
            "pip install llama-index-readers-google-drive",
        ),
        ({"reader": "no_such_package.Reader"}, "pip install no-such-package"),
        ({"reader": "llama_index.core.SimpleDirectorReader"}, "did you mean SimpleDirectoryReader"),
        ({"reader": "json.JSONDecoder"}, "load_data is wanted"),
        ({"reader": "json.loads"}, "load_data is wanted"),
        (
            {"reader": FOLDER, "options": {"input_directory": "x"}},
            "unexpected keyword argument 'input_directory'; it takes input_dir,",
        ),
    ],
)
def test_mistakes_are_found_at_load(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ReaderSource(**options)


def test_options_that_the_reader_refuses(tmp_path: Path) -> None:
    for wrong in (
        lazy(PAGES, ids="other", api_key="s3cret-token"),
        ReaderSource(reader=FOLDER, options={"input_dir": "./no"}).at(tmp_path),
    ):
        with pytest.raises(UsageError, match="refuses its options: ValueError") as caught:
            wrong.check()
        assert "s3cret" not in str(caught.value) + repr(wrong)
        with pytest.raises(Blocked, match="refuses its options"):
            wrong.list()


@pytest.mark.slow
def test_nothing_of_the_texts_stays_on_the_disk(tmp_path: Path) -> None:
    code = (
        "from llmops.tasks.plugins.sources.reader import ReaderSource; from pathlib import Path\n"
        f"s = ReaderSource(reader={LAZY!r}, "
        "options={'pages': {'a': 'UNFORGOTTEN', 'b': 'x'}})\n"
        f"s = s.remembering(Path({str(tmp_path / 'memory')!r}))\n"
        "items = s.list().items; s.read(items[1]); print(len(items))"
    )
    environment = {
        "TMPDIR": str(tmp_path),
        "PATH": "",
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), "ResourceWarning" in done.stderr) == ("2", False)
    assert not [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and b"UNFORGOTTEN" in path.read_bytes()
    ]
