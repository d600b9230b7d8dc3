"""Patterns that choose files."""

from pathlib import Path

import pytest

from llmops.tasks.plugins.sources.files import FilesSource


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["**/*.md"], [], ["a.md", "docs/b.md", "docs/drafts/c.md"]),
        (["*.md"], [], ["a.md", "docs/b.md", "docs/drafts/c.md"]),
        (["/*.md"], [], ["a.md"]),
        (["docs/**"], [], ["docs/b.md", "docs/d.txt", "docs/drafts/c.md"]),
        (["docs/*"], [], ["docs/b.md", "docs/d.txt"]),
        (["**/*.md"], ["**/drafts/**"], ["a.md", "docs/b.md"]),
        ([], ["*.md"], ["docs/d.txt"]),
        (["docs/[bd].*"], [], ["docs/b.md", "docs/d.txt"]),
        (["docs/[!b].*"], [], ["docs/d.txt"]),
        (["?.md"], [], ["a.md", "docs/b.md", "docs/drafts/c.md"]),
        (["**"], [], ["a.md", "docs/b.md", "docs/d.txt", "docs/drafts/c.md"]),
        ([".git/**"], [], [".git/config.md"]),
        (["**/.*.md", "a.md"], [], [".hidden.md", "a.md"]),
    ],
)
def test_patterns(
    tmp_path: Path, include: list[str], exclude: list[str], expected: list[str]
) -> None:
    for path in (
        "a.md",
        "docs/b.md",
        "docs/d.txt",
        "docs/drafts/c.md",
        ".hidden.md",
        ".git/config.md",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    listing = FilesSource(path=str(tmp_path), include=include, exclude=exclude).list()
    assert [item.uri for item in listing.items] == expected
