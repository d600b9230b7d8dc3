"""The source `files`: what it takes, what it refuses, and that it never loses a document
silently.
"""

import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.errors import Blocked, DocumentError, TransientDocumentError, UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.sources import Item, Listing, Source
from llmops.tasks.plugins.sources.files import FilesSource

NOBODY = 65534


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"text of {path}")


def uris(listing: Listing) -> list[str]:
    return [item.uri for item in listing.items]


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that other users may enter; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_nobody(source: FilesSource) -> Listing:
    """The listing that a user without rights gets."""
    if os.geteuid() != 0:
        return source.list()
    os.seteuid(NOBODY)
    try:
        return source.list()
    finally:
        os.seteuid(0)


def test_every_regular_file_is_taken_with_its_path_as_uri(tmp_path: Path) -> None:
    write(tmp_path, "b.md", "a.txt", "deep/er/c.pdf", "no-extension")
    listing = FilesSource(path=str(tmp_path)).list()
    assert uris(listing) == ["a.txt", "b.md", "deep/er/c.pdf", "no-extension"]
    assert listing.complete
    assert not listing.problems


def test_a_single_file_is_a_source(tmp_path: Path) -> None:
    write(tmp_path, "one.md", "two.md")
    source = FilesSource(path=str(tmp_path / "one.md"))
    (item,) = source.list().items
    assert (item.uri, source.read(item).data) == ("one.md", b"text of one.md")


def test_the_revision_changes_with_the_content_and_only_then(tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    source = FilesSource(path=str(tmp_path))
    first = source.list().items[0]
    assert source.list().items[0] == first
    (tmp_path / "a.md").write_text("TEXT of a.md")
    assert source.list().items[0].revision != first.revision


def test_a_copy_with_the_old_times_is_still_a_change(tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    source = FilesSource(path=str(tmp_path))
    before, status = source.list().items[0], (tmp_path / "a.md").stat()
    (tmp_path / "a.md").write_text("TEXT of a.md")
    os.utime(tmp_path / "a.md", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert source.list().items[0].revision != before.revision


def test_content_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    source = FilesSource(path=str(tmp_path))
    item = source.list().items[0]
    assert source.content_hash(item) == hashlib.sha256(source.read(item).data).hexdigest()
    (tmp_path / "a.md").unlink()
    assert source.content_hash(item) is None


def test_a_folder_that_is_gone_blocks_and_one_that_never_was_is_a_mistake(tmp_path: Path) -> None:
    source = FilesSource(path=str(tmp_path / "gone"))
    with pytest.raises(Blocked, match="gone"):
        source.list()
    with pytest.raises(UsageError, match="does not exist"):
        source.check()
    FilesSource(path=str(tmp_path)).check()


def test_a_file_that_vanishes_may_come_back(tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    source = FilesSource(path=str(tmp_path))
    item = source.list().items[0]
    (tmp_path / "a.md").unlink()
    with pytest.raises(TransientDocumentError, match="gone"):
        source.read(item)


def test_loops_of_links_end_and_other_links_are_followed(tmp_path: Path) -> None:
    write(tmp_path, "docs/a.md", "other/b.md")
    (tmp_path / "docs/up").symlink_to(tmp_path)
    (tmp_path / "docs/other").symlink_to(tmp_path / "other")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "broken").symlink_to("nowhere")
    listing = FilesSource(path=str(tmp_path)).list()
    assert uris(listing) == ["docs/a.md", "docs/other/b.md", "other/b.md"]
    assert {p.uri: p.retryable for p in listing.problems} == {"self": False, "broken": False}
    assert listing.complete


def test_what_is_no_file_is_a_problem_and_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.md"))
        listing = FilesSource(path=str(tmp_path)).list()
    assert {problem.uri for problem in listing.problems} == {"pipe.md", "socket.md"}
    assert all("without content" in problem.reason for problem in listing.problems)
    with pytest.raises(DocumentError, match="no regular file"):
        FilesSource(path=str(tmp_path)).read(Item(uri="pipe.md"))


def test_an_unreadable_folder_makes_the_listing_incomplete(shared: Path) -> None:
    write(shared, "open/a.md", "closed/b.md")
    (shared / "closed").chmod(0o700 if os.geteuid() == 0 else 0o000)
    listing = as_nobody(FilesSource(path=str(shared)))
    assert uris(listing) == ["open/a.md"]
    assert not listing.complete
    assert "closed" in listing.why_incomplete
    assert "permission" in listing.why_incomplete
    assert [(problem.uri, problem.retryable) for problem in listing.problems] == [("closed/", True)]
    (shared / "closed").chmod(0o755)


def test_an_unreadable_file_is_tried_again_later(shared: Path) -> None:
    write(shared, "a.md")
    (shared / "a.md").chmod(0o600 if os.geteuid() == 0 else 0o000)
    source = FilesSource(path=str(shared))
    item = source.list().items[0]
    os.seteuid(NOBODY if os.geteuid() == 0 else os.geteuid())
    try:
        with pytest.raises(TransientDocumentError, match="permission denied"):
            source.read(item)
    finally:
        os.seteuid(os.getuid())


def test_names_that_are_not_unicode_are_read_under_a_stable_uri(tmp_path: Path) -> None:
    strange = os.fsencode(tmp_path) + b"/caf\xe9 \xff.md"
    with open(strange, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
        file.write(b"found")
    source = FilesSource(path=str(tmp_path))
    (item,) = source.list().items
    assert item.uri == "caf%E9 %FF.md"
    item.model_dump_json().encode()
    assert source.read(item).data == b"found"


def test_large_files_are_problems_that_say_how_to_take_them(tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(b"x" * 1001)
    source = FilesSource(path=str(tmp_path), max_bytes=1000)
    (problem,) = source.list().problems
    assert "1,001 bytes" in problem.reason
    assert "1,000" in problem.reason
    assert "max_bytes" in problem.reason
    with pytest.raises(DocumentError, match="max_bytes"):
        source.read(Item(uri="big.bin"))


def test_relative_paths_start_at_the_config(tmp_path: Path) -> None:
    write(tmp_path, "docs/a.md")
    source = Spec(name="files", options={"path": "./docs"}).build(Source).at(tmp_path)
    assert uris(source.list()) == ["docs/a.md".removeprefix("docs/")]
    assert FilesSource(path="s3://bucket/docs").at(tmp_path).path == "s3://bucket/docs"
    assert FilesSource(path="zip://::docs.zip").at(tmp_path).path == f"zip://::{tmp_path}/docs.zip"


def test_ten_thousand_files_are_listed(tmp_path: Path) -> None:
    for folder in range(50):
        (tmp_path / str(folder)).mkdir()
        for name in range(200):
            (tmp_path / str(folder) / f"{name}.md").touch()
    listing = FilesSource(path=str(tmp_path), include=["**/*.md"], exclude=["**/drafts/**"]).list()
    assert len(listing.items) == 10_000
