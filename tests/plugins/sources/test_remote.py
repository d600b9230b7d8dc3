"""The source `files` behind a URL."""

import zipfile
from pathlib import Path

import fsspec
import pytest

from llmops.tasks.errors import Blocked, TransientDocumentError, UsageError
from llmops.tasks.plugins.sources import Listing
from llmops.tasks.plugins.sources.files import FilesSource


def uris(listing: Listing) -> list[str]:
    return [item.uri for item in listing.items]


def test_a_url_is_read_through_fsspec() -> None:
    files = fsspec.filesystem("memory")
    files.pipe(
        {
            "/base/docs/a.md": b"one",
            "/base/docs/deep/b.md": b"two",
            "/base/docs/.hidden/c.md": b"no",
            "/base/docs/big.bin": b"x" * 200,
        }
    )
    source = FilesSource(path="memory://base/docs", exclude=["*.txt"], max_bytes=100)
    source.check()
    listing = source.list()
    assert uris(listing) == ["a.md", "deep/b.md"]
    assert [problem.uri for problem in listing.problems] == ["big.bin"]
    assert [source.read(item).data for item in listing.items] == [b"one", b"two"]
    before = listing.items[0].revision
    files.pipe("/base/docs/a.md", b"ONE!")
    assert source.list().items[0].revision != before
    files.rm("/base", recursive=True)
    with pytest.raises(TransientDocumentError, match="gone"):
        source.read(listing.items[0])
    with pytest.raises(Blocked, match="gone"):
        source.list()
    with pytest.raises(UsageError, match="does not exist"):
        source.check()


def test_an_archive_is_a_folder_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "docs.zip", "w") as archive:
        archive.writestr("a.md", "one")
        archive.writestr("deep/b.md", "two")
    source = FilesSource(path="zip://::docs.zip", include=["**/*.md"]).at(tmp_path)
    listing = source.list()
    assert uris(listing) == ["a.md", "deep/b.md"]
    assert source.read(listing.items[1]).data == b"two"
    assert listing.items[0].revision
    assert FilesSource(path=f"zip://deep::{tmp_path}/docs.zip").list().items[0].uri == "b.md"


def test_an_unknown_protocol_and_a_missing_library_say_what_to_do() -> None:
    with pytest.raises(UsageError, match="nonsense"):
        FilesSource(path="nonsense://x/y").check()
