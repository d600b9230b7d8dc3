"""The source `git` behind HTTP: what is fetched, kept, asked for and never shown."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.errors import Blocked, Unavailable, UsageError
from llmops.tasks.plugins.sources import walk
from llmops.tasks.plugins.sources.git import GitSource
from tests.plugins.sources.repositories import Repository, Server


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "repository")
    found.commit({"a.md": "first\n", "docs/b.md": "second\n", "docs/c.txt": "third\n"})
    return found


@pytest.fixture
def server(repository: Repository) -> Iterator[Server]:
    found = Server(repository.folder.parent)
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def texts(source: GitSource) -> dict[str, str]:
    return {
        item.uri: raw.data.decode() for item, raw in walk(source) if not isinstance(raw, Exception)
    }


def test_a_remote_repository_is_mirrored_and_read_from_the_mirror(
    repository: Repository, server: Server, tmp_path: Path
) -> None:
    source = GitSource(repository=server.url()).remembering(tmp_path / "memory")
    source.check()
    items = source.list().items
    asked = len(server.asked)
    assert {source.read(item).data for item in items} == {b"first\n", b"second\n", b"third\n"}
    assert len(server.asked) == asked  # reading asks nobody
    repository.commit({"a.md": "changed\n"})
    again = GitSource(repository=server.url()).remembering(tmp_path / "memory")
    assert texts(again)["a.md"] == "changed\n"
    (mirror,) = (tmp_path / "memory").iterdir()
    assert (mirror / "shallow").exists()


def test_a_remote_history_and_a_mirror_that_was_broken(
    repository: Repository, server: Server, tmp_path: Path
) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.commit({"a.md": "changed\n"})
    memory = tmp_path / "memory"
    GitSource(repository=server.url()).remembering(memory).list()
    whole = GitSource(repository=server.url(), history=True).remembering(memory)
    assert {item.uri: whole.read(item).metadata["commit"] for item in whole.list().items}[
        "docs/b.md"
    ] == first
    (mirror,) = memory.iterdir()
    (mirror / "refs" / "llmops" / "wanted.lock").write_text("left by a process that was killed")
    repository.commit({"a.md": "third\n"})
    assert (
        texts(GitSource(repository=server.url(), history=True).remembering(memory))["a.md"]
        == "third\n"
    )
    (mirror / "config").unlink()
    (mirror / "objects").rename(mirror / "lost")
    assert texts(GitSource(repository=server.url()).remembering(memory))["a.md"] == "third\n"


def test_credentials_reach_the_server_and_nothing_else(
    repository: Repository, server: Server, tmp_path: Path
) -> None:
    server.login = "joe:s3cret/pass"
    wanted = GitSource(repository=server.url("joe:s3cret%2Fpass")).remembering(tmp_path / "memory")
    wanted.check()
    assert len(texts(wanted)) == 3
    stored = b"".join(
        path.read_bytes() for path in (tmp_path / "memory").rglob("*") if path.is_file()
    )
    assert b"s3cret" not in stored
    assert "s3cret" not in repr(wanted)
    for login in ("joe:s3cret-wrong", ""):
        with pytest.raises(Unavailable, match="credentials") as caught:
            GitSource(repository=server.url(login)).check()
        assert "s3cret" not in str(caught.value)


def test_remote_troubles_are_told_apart(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no git repository"):
        GitSource(repository=server.url().replace("repository", "missing")).check()
    with pytest.raises(Blocked, match="no branch, tag or commit 'nope'"):
        GitSource(repository=server.url(), ref="nope").remembering(tmp_path / "memory").list()
    with pytest.raises(UsageError, match="no branch, tag or commit 'nope'"):
        GitSource(repository=server.url(), ref="nope").check()
    with pytest.raises(Unavailable, match=r"git cannot read http://127\.0\.0\.1:1/x"):
        GitSource(repository="http://127.0.0.1:1/x").remembering(tmp_path / "memory").list()
