"""LlamaIndex's node parsers, with offsets that are checked."""

import logging
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.chunkers import Span
from llmops.tasks.plugins.chunkers.node_parser import NodeParserChunker, located
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from tests.plugins.chunkers import texts

pytestmark = pytest.mark.skipif(
    find_spec("llama_index") is None, reason="llama-index-core is not installed"
)


def split(text: str, parser: str, markup: str = "plain", **options: Any) -> list[Span]:
    return list(
        NodeParserChunker(parser=parser, **options).split(
            text, markup=markup, title="T", tokenizer=HashEmbedder(), uri=""
        )
    )


def test_sizes_are_counted_with_our_tokenizer() -> None:
    text = texts.english(20_000)
    spans = split(text, "SentenceSplitter", size=100, overlap=10)
    assert max(span.tokens for span in spans) <= 100
    assert sum(span.tokens for span in spans) / len(spans) > 75
    assert any(one.end > two.start for one, two in pairwise(spans))
    assert {span.context for span in spans} == {"T"}


def test_any_import_path_and_its_options() -> None:
    text = "# A\n\nOne text.\n\n## B\n\nOther text.\n"
    spans = split(text, "llama_index.core.node_parser.file.markdown.MarkdownNodeParser", "markdown")
    assert [(text[span.start : span.end], span.headings) for span in spans] == [
        ("# A\n\nOne text.", ("A",)),
        ("## B\n\nOther text.", ("A", "B")),
    ]
    commas = split(
        "a b, c d, e f",
        "SentenceSplitter",
        size=8,
        overlap=0,
        options={"chunk_size": 3, "secondary_chunking_regex": "[^,]+,?"},
    )
    assert len(commas) == 3


def test_repeated_texts_keep_their_own_places() -> None:
    """LlamaIndex looks for the first place after the last one's start: inside of what was there
    before.
    """
    text = "go go go. " * 40
    spans = split(text, "SentenceSplitter", size=24, overlap=0)
    assert all(one.end <= two.start for one, two in pairwise(spans))
    assert "".join(text[span.start : span.end] for span in spans).replace(" ", "") == text.replace(
        " ", ""
    )


@pytest.mark.parametrize(
    ("text", "parts", "places"),
    [
        ("a b a b a b", ["a b", "a b", "a b"], [(0, 3), (4, 7), (8, 11)]),
        ("one two three", ["one two", "two three"], [(0, 7), (4, 13)]),
        ("one  two\n three", ["one two three"], [(0, 15)]),
        ("one two", ["one two", "two", "  ", "one"], [(0, 7)]),
        ("x dropped y", ["x", "y"], [(0, 1), (10, 11)]),
        ("a \ud800 b", ["\ufffd b"], [(2, 5)]),
    ],
)
def test_places(text: str, parts: list[str], places: list[tuple[int, int]]) -> None:
    assert list(located(text, parts)) == places


def test_a_text_that_is_not_there_is_refused() -> None:
    with pytest.raises(DocumentError, match="not in the document: 'invented'"):
        list(located("some text", ["some", "invented"]))
    with pytest.raises(DocumentError, match="not in the document"):
        split('{"some": {"key": 1}}', "JSONNodeParser")


def test_nothing_is_lost_and_leaves_are_taken() -> None:
    text = texts.english(6000)
    spans = split(text, "HierarchicalNodeParser", options={"chunk_sizes": [512, 64]}, size=100)
    covered = set[int]().union(*(range(span.start, span.end) for span in spans))
    assert all(n in covered or character.isspace() for n, character in enumerate(text))
    assert max(span.tokens for span in spans) <= 100
    assert len(spans) > 15


def test_chunks_that_are_too_long_are_cut_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    text = "# A\n\n" + "many words here. " * 100
    with caplog.at_level(logging.WARNING):
        spans = split(text, "MarkdownNodeParser", size=50)
    assert "made a chunk of" in caplog.text
    assert max(span.tokens for span in spans) <= 50
    with pytest.raises(DocumentError, match=r"made a chunk of \d+ tokens, 50 are allowed"):
        split(text, "MarkdownNodeParser", size=50, too_long="refuse")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"parser": "SentenceSpliter"}, "no node parser; allowed: .*SentenceSplitter"),
        ({"parser": "no.such.Parser"}, "cannot be imported"),
        ({"parser": "pathlib.Path"}, "no node parser"),
        ({"parser": "."}, "cannot be imported|no node parser"),
        (
            {"parser": "SentenceSplitter", "options": {"chunk_sise": 3}},
            "no option chunk_sise; allowed: .*chunk_size",
        ),
        ({"parser": "SentenceSplitter", "options": {"chunk_size": "many"}}, "chunk_size"),
        (
            {"parser": "SentenceSplitter", "options": {"chunk_size": 10, "chunk_overlap": 20}},
            "overlap",
        ),
        ({"parser": "SemanticSplitterNodeParser"}, "SemanticSplitterNodeParser"),
    ],
)
def test_mistakes_are_found_when_the_config_is_read(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        NodeParserChunker(**options)
