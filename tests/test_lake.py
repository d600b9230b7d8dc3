"""The lake on a disk, on a storage that moves files to their names, and on object stores."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from llmops.tasks.errors import Damaged, Unavailable, UsageError
from llmops.tasks.lake import VARIABLE, Folder, Lake, Remote, lake_of
from llmops.tasks.schemas import DOCUMENTS, Shard, frame, write_shard
from tests.s3 import Bucket


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    pytest.importorskip("moto", reason="needs pip install 'moto[s3]'")
    with Bucket() as bucket:
        yield bucket


@pytest.fixture(params=["folder", "moved", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def lake(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lake]:
    if request.param == "folder":
        yield Folder(tmp_path / "lake")
    elif request.param == "moved":  # as sftp:// and others: written beside, then moved
        yield Remote(f"file://{tmp_path}/lake")
    elif request.param == "memory":
        yield Remote("memory://lake/prefix")
        fsspec.filesystem("memory").store.clear()
    else:
        bucket: Bucket = request.getfixturevalue("bucket")
        yield Remote(bucket.use(monkeypatch, f"lake/{tmp_path.name}"))


def test_what_is_written_is_read_listed_and_removed(lake: Lake) -> None:
    assert (lake.files(), lake.files("documents"), lake.file("documents/ab/1")) == ([], [], None)
    began = time.time()
    for name, content in (("documents/ab/1", b"one"), ("runs/kb-1/x", b""), ("top", b"three")):
        lake.write(name, content)
        assert lake.read(name) == content
    known = {file.path: file for file in lake.files()}
    assert list(known) == ["documents/ab/1", "runs/kb-1/x", "top"]
    assert [file.bytes for file in known.values()] == [3, 0, 5]
    assert lake.files("documents") == [known["documents/ab/1"]] == [lake.file("documents/ab/1")]
    # never older than it is: a run that began since then must find its files too young to go
    assert all(began - 0.05 <= file.modified <= time.time() + 1 for file in known.values())
    lake.write("top", b"other")
    assert lake.read("top") == b"other"
    for _ in range(2):
        lake.remove("top")
    assert [file.path for file in lake.files()] == ["documents/ab/1", "runs/kb-1/x"]
    assert lake.file("documents") is None
    with pytest.raises(FileNotFoundError):
        lake.read("top")


def test_shards_lie_there_and_a_wrong_one_is_found(lake: Lake) -> None:
    shard = write_shard(frame([], DOCUMENTS), DOCUMENTS, lake, "documents")
    assert shard.table(lake).num_rows == 0
    assert write_shard(frame([], DOCUMENTS), DOCUMENTS, lake, "documents") == shard
    lake.write(shard.path, b"something else")
    with pytest.raises(Damaged, match="not what was written") as caught:
        shard.table(lake)
    assert lake.where(shard.path) in str(caught.value)
    with pytest.raises(Damaged, match="is missing"):
        Shard(path="documents/no", rows=0, sha256="0").table(lake)


def test_a_write_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Folder(tmp_path)
    lake.write("a/b", b"before")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        lake.write("a/b", b"after")
    assert (lake.read("a/b"), [file.path for file in lake.files()]) == (b"before", ["a/b"])


@pytest.mark.slow
def test_a_reader_beside_two_writing_processes_sees_whole_files(lake: Lake) -> None:
    if isinstance(lake, Remote) and lake.protocol == "memory":
        pytest.skip("processes share no memory")
    contents = [bytes([letter]) * 200_000 for letter in b"ab"]
    lake.write("shared", contents[0])
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=again, args=(lake, each)) for each in contents]
    for writer in writers:
        writer.start()
    reads = 0
    while any(writer.is_alive() for writer in writers):
        assert lake.read("shared") in contents
        reads += 1
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert (reads > 0, [file.path for file in lake.files()]) == (True, ["shared"])


def again(lake: Lake, content: bytes) -> None:
    for _ in range(20):
        lake.write("shared", content)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("foo://x/y", "Protocol not known: foo"),
        ("gs://bucket/x", r"pip install 'llmops-pipelines\[gcs\]'"),
    ],
)
def test_a_place_where_no_lake_can_be(
    place: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, place)
    with pytest.raises(UsageError, match=says) as caught:
        lake_of(tmp_path).read("x")
    assert caught.value.where == VARIABLE


def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert lake_of(tmp_path).where("a/b") == str(tmp_path / "lake/a/b")
    for place in (str(tmp_path / "x"), f"file://{tmp_path}/x"):
        monkeypatch.setenv(VARIABLE, place)
        assert lake_of(tmp_path / "home").where("a") == str(tmp_path / "x/a")
    monkeypatch.setenv(VARIABLE, "sftp://me:secret@host/lake/")
    assert lake_of(tmp_path).where("a") == "sftp://host/lake/a"


@pytest.mark.slow
def test_a_bucket_that_is_not_there_and_a_server_that_does_not_answer(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket.use(monkeypatch, "x")
    monkeypatch.setenv(VARIABLE, "s3://other/x")
    with pytest.raises(UsageError, match="create the bucket"):
        lake_of(tmp_path).write("a", b"")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(Unavailable, match=f"{VARIABLE}: the lake s3://other/x does not answer"):
        lake_of(tmp_path).read("a")
