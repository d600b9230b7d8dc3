"""Configs as people write them, and files that are changed in nothing but what is meant."""

from typing import Any

import pytest

from llmops.configs.index import IndexConfig
from llmops.configs.writing import comments, rewritten, tidied, written
from llmops.tasks.yaml_files import read_yaml

FILES = {"name": "files", "path": "docs"}
MINE = {"flow": "index", "knowledge_base": "handbook", "sources": [FILES]}
TEXT = """\
# The handbook of the helpdesk.
flow: index
knowledge_base: handbook  # never rename it
sources:
  # what people write
  - {name: files, path: "docs", include: ["**/*.md"]}  # no drafts
  - name: web
    # twice a day
    start: [https://example.com/]
    delay: 1.0
clean: [unicode, whitespace]
chunk: {name: sentence, size: 200}  # measured in May
schedule: {cron: "0 3 * * *", timezone: Europe/Berlin}  # at night
"""


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        ({}, ["sources:", "  - {name: files, path: docs}"]),
        ({"chunk": {"name": "sentence", "size": 200}}, []),
        ({"chunk": {"size": 300}}, ["chunk: {name: sentence, size: 300}"]),
        ({"chunk": {"name": "markdown", "overlap": 20}}, ["chunk: markdown"]),
        ({"clean": ["unicode", {"name": "whitespace"}]}, []),
        (
            {"clean": ["unicode", {"name": "links", "images": "drop", "bare": "keep"}]},
            ["clean: [unicode, {name: links, images: drop}]"],
        ),
        ({"gate": None, "store": {"name": "lancedb"}}, []),
        ({"gate": {"golden": "g.jsonl"}}, ["gate: {golden: g.jsonl}"]),
    ],
)
def test_a_config_is_written_without_what_says_nothing_new(
    more: dict[str, Any], lines: list[str]
) -> None:
    text = written({**MINE, **more}, IndexConfig)
    assert text.startswith("flow: index\nknowledge_base: handbook\nsources:\n")
    assert [line for line in lines if line not in text.splitlines()] == []
    if not lines:
        assert text == written(MINE, IndexConfig)


@pytest.mark.parametrize(
    "hostile",
    [
        "docs\nflow: serve",
        "docs, name: web}",
        "&a *b !!python/object:os.system x",
        "'\"#: {}[]|>%@`",
        "yes",
        "~",
        "0x10",
        "2026-01-01",
        "- - -",
        "\u2028\u0085\u202e\ufeff",
        "{{ '}}' }}",
        " padded ",
        "line\n# one more\n",
    ],
)
def test_no_value_becomes_anything_but_a_value(hostile: str) -> None:
    content = {**MINE, "sources": [{"name": "files", "path": hostile}]}
    assert read_yaml(written(content, IndexConfig)) == content
    changed = rewritten(TEXT, {**read(TEXT), "sources": content["sources"]}, IndexConfig)
    assert read(changed.text)["sources"] == content["sources"]
    assert read(changed.text)["flow"] == "index"


def read(text: str) -> dict[str, Any]:
    content = read_yaml(text)
    assert isinstance(content, dict)
    return content


def changed(**more: Any) -> dict[str, Any]:
    return {**read(TEXT), **more}


def test_a_file_that_says_it_already_stays_as_it_is() -> None:
    content = changed(chunk="sentence")
    assert rewritten(TEXT, content, IndexConfig) == (TEXT, ())


@pytest.mark.parametrize(
    ("content", "line", "gone"),
    [
        (changed(chunk={"size": 300}), "chunk: {name: sentence, size: 300}  # measured in May", ()),
        (changed(embed="hash"), "embed: hash", ()),
        (changed(clean=["unicode", "links"]), "clean: [unicode, links]", ()),
        (
            changed(clean=["unicode", "whitespace", "links"]),
            "clean: [unicode, whitespace, links]",
            (),
        ),
        (changed(sources=[read(TEXT)["sources"][0]]), "  # what people write", ("# twice a day",)),
        (
            changed(sources=[{"name": "files", "path": "other"}, read(TEXT)["sources"][1]]),
            "    # twice a day",
            (),
        ),
        (
            changed(sources=[*read(TEXT)["sources"], {"name": "topics"}]),
            "    # twice a day",
            (),
        ),
    ],
)
def test_a_change_keeps_the_comments_and_says_which_it_cannot_keep(
    content: dict[str, Any], line: str, gone: tuple[str, ...]
) -> None:
    result = rewritten(TEXT, content, IndexConfig)
    assert tidied(read(result.text), IndexConfig) == tidied(content, IndexConfig)
    assert line in result.text.splitlines()
    assert result.lost == gone
    assert "# never rename it" in result.text
    assert 'cron: "0 3 * * *"' in result.text


def test_a_file_with_anchors_is_written_anew_and_says_what_is_lost() -> None:
    text = "flow: index # a\nknowledge_base: b\nsources:\n  - &x {name: files, path: c}\n"
    content = read(text) | {"sources": [{"name": "files", "path": "d"}]}
    result = rewritten(text, content, IndexConfig)
    assert read(result.text)["sources"] == [{"name": "files", "path": "d"}]


def test_comments_are_told_from_what_looks_like_one() -> None:
    text = "# a\nflow: 'x # no'  # b\nname: y#no\ntext: |\n  # no\nlist: [1, 2] # c\n# d"
    assert comments(text) == ["# a", "# b", "# c", "# d"]
