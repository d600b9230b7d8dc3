"""The source `git`: a commit is a complete listing, and nothing else gets in or out."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import Blocked, TransientDocumentError, UnsupportedDocument, UsageError
from llmops.tasks.plugins.sources import Item, content_hash_of, walk
from llmops.tasks.plugins.sources.git import GitSource
from tests.plugins.sources.repositories import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path / "repository")
    found.commit({"a.md": "first\n", "docs/b.md": "second\n", "docs/c.txt": "third\n"})
    return found


def texts(source: GitSource) -> dict[str, str]:
    return {
        item.uri: raw.data.decode() for item, raw in walk(source) if not isinstance(raw, Exception)
    }


def test_the_files_of_the_commit_and_not_those_of_the_work_tree(
    repository: Repository, tmp_path: Path
) -> None:
    (repository.folder / "a.md").write_text("edited, not committed")
    (repository.folder / "new.md").write_text("untracked")
    source = GitSource(repository="repository", include=["*.md"]).at(tmp_path)
    source.check()
    listing = source.list()
    assert texts(source) == {"a.md": "first\n", "docs/b.md": "second\n"}
    assert listing.complete
    assert [item.size for item in listing.items] == [6, 7]
    assert [source.content_hash(item) for item in listing.items] == [
        content_hash_of(source.read(item)) for item in listing.items
    ]


def test_branches_tags_and_commits(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "-a", "v1", "-m", "one")
    repository.git("checkout", "-q", "-b", "feature/x")
    repository.commit({"a.md": "branch\n"})
    repository.git("checkout", "-q", "main")
    repository.commit({"a.md": "later\n"})
    for ref, text in {
        "v1": "first\n",
        "feature/x": "branch\n",
        "HEAD": "later\n",
        "main": "later\n",
        "refs/heads/main": "later\n",
        first: "first\n",
        first[:9]: "first\n",
    }.items():
        assert texts(GitSource(repository=str(repository.folder), ref=ref))["a.md"] == text


def test_a_commit_changes_only_the_documents_that_it_touches(repository: Repository) -> None:
    source = GitSource(repository=str(repository.folder))
    before = {item.uri: item for item in source.list().items}
    repository.commit({"a.md": "changed\n", "docs/c.txt": None, "d.md": "new\n"})
    after = {item.uri: item for item in source.list().items}
    assert set(after) == {"a.md", "d.md", "docs/b.md"}
    assert after["docs/b.md"] == before["docs/b.md"]
    assert after["a.md"].revision != before["a.md"].revision


def test_history_names_the_commit_that_touched_a_file_last(repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    second = repository.commit({"a.md": "changed\n"})
    source = GitSource(repository=str(repository.folder), history=True)
    raws = {item.uri: source.read(item) for item in source.list().items}
    assert dict(raws["a.md"].metadata) == {
        "commit": second,
        "date": "2024-01-02T12:00:00+00:00",
        "author": "Ann Author",
    }
    assert raws["docs/b.md"].metadata["commit"] == first
    before = {item.uri: item.revision for item in source.list().items}
    repository.git("checkout", "-q", "-b", "side", first)
    repository.commit({"docs/b.md": "of the side\n"})
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "--no-edit", "side")
    after = {item.uri: item.revision for item in source.list().items}
    assert {uri for uri in after if after[uri] != before[uri]} == {"docs/b.md"}


def test_links_submodules_names_and_sizes(repository: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    head = other.commit({"x.md": "inner"})
    folder = repository.folder
    (folder / "to-file.md").symlink_to("docs/b.md")
    (folder / "to-folder").symlink_to("docs")
    (folder / "dangling.md").symlink_to("../outside.md")
    (folder / "loop.md").symlink_to("loop.md")
    (folder / os.fsdecode(b"caf\xe9 \n.md")).write_text("latin name")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{head},module")
    repository.commit({"big.md": "x" * 2000, "empty.md": ""})
    source = GitSource(repository=str(folder), max_bytes=1000)
    listing = source.list()
    problems = {problem.uri: problem.reason for problem in listing.problems}
    assert texts(source) == {
        "a.md": "first\n",
        "docs/b.md": "second\n",
        "docs/c.txt": "third\n",
        "to-file.md": "second\n",
        "caf%E9 \n.md": "latin name",
        "empty.md": "",
    }
    assert set(problems) == {"dangling.md", "loop.md", "big.md"}
    assert "2,000 bytes" in problems["big.md"]
    assert listing.complete


def test_pointers_of_lfs_are_no_documents(repository: Repository) -> None:
    pointer = (
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    )
    repository.commit({"big.pdf": pointer})
    source = GitSource(repository=str(repository.folder), include=["*.pdf"])
    (item,) = source.list().items
    assert source.content_hash(item) is None
    with pytest.raises(UnsupportedDocument, match="git lfs pull"):
        source.read(item)


def test_what_never_was_and_what_has_gone(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (repository.folder / "sub").mkdir()
    for wrong in (
        tmp_path / "missing",
        tmp_path / "plain",
        repository.folder / "sub",
        repository.folder / "a.md",
    ):
        with pytest.raises(UsageError, match=r"no git repository|no folder"):
            GitSource(repository=str(wrong)).check()
        with pytest.raises(Blocked):
            GitSource(repository=str(wrong)).list()
    with pytest.raises(UsageError, match="no branch, tag or commit 'nope'"):
        GitSource(repository=str(repository.folder), ref="nope").check()
    with pytest.raises(Blocked, match="'nope'"):
        GitSource(repository=str(repository.folder), ref="nope").list()
    with pytest.raises(TransientDocumentError, match="lacks the blob"):
        GitSource(repository=str(repository.folder)).read(
            Item(uri="a.md", locator='{"blob": "' + "1" * 40 + '"}')
        )


@pytest.mark.parametrize(
    "options",
    [
        {"repository": "ext::sh -c touch% /tmp/x"},
        {"repository": "--upload-pack=touch x"},
        {"repository": "fd::3"},
        {"repository": "gopher://x/y"},
        {"repository": "https://x/y\n.git"},
        {"ref": "--output=x"},
        {"ref": "a b"},
        {"ref": "main:x"},
        {"ref": "+main"},
        {"ref": ""},
        {"ref": "a..b"},
        {"ref": "@{u}"},
        {"ref": "HEAD~1"},
    ],
)
def test_options_that_git_would_take_for_commands_are_refused_at_load(
    options: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        GitSource(**{"repository": "x", **options})


def test_a_repository_cannot_make_git_run_programs(repository: Repository, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "gpg.program",
        "diff.external",
        "core.sshCommand",
        "core.askPass",
    ):
        repository.git("config", key, str(program))
    repository.git("config", "log.showSignature", "true")
    assert len(texts(GitSource(repository=str(repository.folder), history=True))) == 3
    assert not mark.exists()


def test_it_reads_its_own_repository_also_within_a_hook_of_another(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert len(texts(GitSource(repository=str(repository.folder)))) == 3
