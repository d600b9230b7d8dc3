"""What every chunker promises, for any text and tokenizer: exact offsets, nothing lost, limits,
order.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.plugins.chunkers import Chunker, Span, Tokenizer
from llmops.tasks.plugins.chunkers.code import CodeChunker
from llmops.tasks.plugins.chunkers.fixed import FixedChunker
from llmops.tasks.plugins.chunkers.markdown import MarkdownChunker
from llmops.tasks.plugins.chunkers.node_parser import NodeParserChunker
from llmops.tasks.plugins.chunkers.parent_child import ParentChildChunker
from llmops.tasks.plugins.chunkers.qa import QaChunker
from llmops.tasks.plugins.chunkers.semantic import SemanticChunker
from llmops.tasks.plugins.chunkers.sentence import SentenceChunker
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.embedders.minilm import PACKAGE, MiniLMEmbedder
from llmops.tasks.schemas import embedded_text
from tests.plugins.chunkers import texts

FILLING = [SentenceChunker, MarkdownChunker, FixedChunker]
SYNTAX = pytest.param(partial(CodeChunker, language="python"), id="CodeChunker")
NODES = pytest.param(
    partial(NodeParserChunker, parser="SentenceSplitter"),
    id="NodeParserChunker",
    marks=pytest.mark.skipif(
        find_spec("llama_index") is None, reason="llama-index-core is not installed"
    ),
)
GRADED = [
    *FILLING,
    SemanticChunker,
    QaChunker,
    CodeChunker,
    pytest.param(partial(ParentChildChunker, parent_size=8), id="ParentChildChunker"),
]
CHUNKERS = [*FILLING, SemanticChunker, QaChunker, SYNTAX, NODES, ParentChildChunker]
Kind = Callable[..., Chunker]


class OfAllLanguages(MiniLMEmbedder):
    """Measures by tokens everywhere; what other embedders do is in test_letters."""

    languages: ClassVar[frozenset[str]] = frozenset()


TOKENIZERS = [
    HashEmbedder(),
    pytest.param(
        OfAllLanguages(),
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(find_spec(PACKAGE) is None, reason="no weights"),
        ],
    ),
]
SAMPLES = {
    "english": texts.english(30_000),
    "chinese": texts.varied(texts.CHINESE, 30),
    "japanese": texts.varied(texts.JAPANESE, 30),
    "persian": texts.varied(texts.PERSIAN, 30),
    "hindi": texts.varied(texts.HINDI, 30),
    "odd": texts.ODD * 200,
    "markdown": texts.MARKDOWN * 20,
    "one word": "abcdefghij" * 2000,
    "one letter": "a " * 5000,
    "signs": "=" * 5000,
    "pages": "\f".join(texts.english(9000).split("\n\n")),
    "blank": " \n\t\f ",
    "empty": "",
    "emoji": "👩‍👩‍👧‍👦" * 500,
    "windows": texts.english(5000).replace("\n", "\r\n"),
    "unknown": "ᚠᛇᚻ᛫ᛒᛦᚦ" * 900,
}
FRAGMENTS = st.sampled_from(
    [
        "\n\n",
        "\n",
        " ",
        "\f",
        ". ",
        "# Title\n",
        "- item\n",
        "```\n",
        "---\n",
        "\u0301",
        "👩‍👧",
        "你好。",
        "«",
        "»",
        "word",
        "Dr. ",
        "e.g. ",
        "x" * 150,
        "\u200b",
        "؟ ",
        "(",
        ")",
        "\u3000",
        "\x1c",
        "\ud800",
        "3.14 ",
    ]
)
ANY_TEXT = st.lists(
    st.one_of(FRAGMENTS, st.text(st.characters(codec=None), max_size=12)), max_size=80
).map("".join)


def check(text: str, spans: Sequence[Span], chunker: Chunker, tokenizer: Tokenizer) -> None:
    size = min(chunker.size, tokenizer.max_tokens)
    for span in spans:
        piece = text[span.start : span.end]
        assert (
            span.search is not None
            or span.tokens <= size
            or not piece[1:].strip()
            or unbreakable(piece, tokenizer, size)
        )
        seen = embedded_text({"context": span.context, "text": piece, "search": span.search})
        assert len(tokenizer.token_offsets(seen)) <= tokenizer.max_tokens
    check_places(text, spans, tokenizer)


def check_places(text: str, spans: Sequence[Span], tokenizer: Tokenizer) -> None:
    """Exact offsets and tokens, nothing lost, in order."""
    covered = bytearray(len(text))
    for span in spans:
        piece = text[span.start : span.end]
        assert piece
        assert piece == piece.strip()
        counted = len(tokenizer.token_offsets(span.search if span.search is not None else piece))
        assert span.tokens == (
            min(counted, tokenizer.max_tokens) if tokenizer.languages else counted
        )
        covered[span.start : span.end] = b"\x01" * (span.end - span.start)
    assert all(mark or character.isspace() for mark, character in zip(covered, text, strict=True))
    passages = list(dict.fromkeys((span.start, span.end) for span in spans))
    assert [(span.start, span.end) for span in spans] == [
        one for one in passages for span in spans if (span.start, span.end) == one
    ]
    assert [start for start, _ in passages] == sorted({start for start, _ in passages})
    assert [end for _, end in passages] == sorted({end for _, end in passages})


def unbreakable(piece: str, tokenizer: Tokenizer, size: int) -> bool:
    """One character may have more tokens than allowed, but it cannot be cut."""
    return max(len(tokenizer.token_offsets(character)) for character in piece) > size


@pytest.mark.parametrize("chunker", CHUNKERS)
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_samples(chunker: Kind, tokenizer: Tokenizer, sample: str) -> None:
    text, made = SAMPLES[sample], chunker(size=60, overlap=8)
    spans = made.split(
        text, markup="markdown", title="A title of the document", tokenizer=tokenizer
    )
    check(text, spans, made, tokenizer)
    assert bool(spans) == bool(text.strip())
    assert spans == made.split(
        text, markup="markdown", title="A title of the document", tokenizer=tokenizer
    )


@pytest.mark.parametrize("chunker", CHUNKERS)
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@settings(max_examples=60, deadline=None)
@given(
    text=ANY_TEXT,
    size=st.integers(8, 300),
    overlap=st.integers(0, 40),
    title=st.one_of(st.none(), st.text(max_size=30)),
)
def test_any_text(
    chunker: Kind, tokenizer: Tokenizer, text: str, size: int, overlap: int, title: str | None
) -> None:
    made = chunker(size=size, overlap=min(overlap, size - 1))
    check(
        text, made.split(text, markup="markdown", title=title, tokenizer=tokenizer), made, tokenizer
    )


@pytest.mark.parametrize("chunker", CHUNKERS)
def test_a_short_document_is_one_chunk(chunker: Kind) -> None:
    text = "  One sentence. Another one.\n\nA paragraph.  "
    (span,) = chunker().split(text, markup="plain", title=None, tokenizer=HashEmbedder())
    assert (text[span.start : span.end], span.page, span.headings, span.context) == (
        text.strip(),
        None,
        (),
        "",
    )


@pytest.mark.parametrize("chunker", FILLING)
def test_no_tiny_tail_and_full_chunks(chunker: Kind) -> None:
    for length in range(20_000, 21_000, 41):
        spans = chunker().split(
            texts.english(length), markup="plain", title=None, tokenizer=HashEmbedder()
        )
        assert spans[-1].tokens >= 40
    assert sum(span.tokens for span in spans) / len(spans) > 0.72 * 200


@pytest.mark.parametrize("chunker", GRADED)
def test_pages_are_counted_by_form_feeds(chunker: Kind) -> None:
    text = "\f".join(["first page " * 9, "", "third page " * 9])
    spans = chunker(size=8, overlap=0).split(
        text, markup="plain", title=None, tokenizer=HashEmbedder()
    )
    assert {span.page for span in spans} == {1, 3}
    assert all(text[: span.start].count("\f") + 1 == span.page for span in spans)


@pytest.mark.parametrize("chunker", GRADED)
def test_headings_stand_above_the_start_of_a_chunk(chunker: Kind) -> None:
    spans = chunker(size=8, overlap=0).split(
        texts.MARKDOWN, markup="markdown", title=None, tokenizer=HashEmbedder()
    )
    paths = {texts.MARKDOWN[span.start : span.end].split()[-1]: span.headings for span in spans}
    assert ("Install", "Setext heading", "Deep") in paths.values()
    assert spans[-1].headings == ("Use",)
    plain = chunker(size=8, overlap=0).split(
        texts.MARKDOWN, markup="plain", title=None, tokenizer=HashEmbedder()
    )
    assert {span.headings for span in plain} == {()}


@pytest.mark.parametrize("chunker", CHUNKERS)
def test_the_context_yields_to_the_text(chunker: Kind) -> None:
    class Narrow(HashEmbedder):
        max_tokens = 20

    spans = chunker(size=400, overlap=4).split(
        "word " * 200, markup="plain", title="one two " * 30, tokenizer=Narrow()
    )
    assert max(span.tokens for span in spans) <= 20
    assert all(
        Narrow().count(embedded_text({"context": span.context, "text": "word " * span.tokens}))
        <= 20
        for span in spans
    )


@pytest.mark.parametrize("chunker", CHUNKERS)
def test_an_overlap_is_smaller_than_the_size_and_the_default_shrinks(chunker: Kind) -> None:
    with pytest.raises(ValueError, match="must be smaller than the size, which is 20"):
        chunker(size=20, overlap=20)
    made = chunker(size=8)
    assert made.split("A few words. " * 20, markup="plain", title=None, tokenizer=HashEmbedder())
