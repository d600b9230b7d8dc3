"""Where the default chunker cuts."""

import time
from itertools import pairwise

import pytest

from llmops.tasks.plugins.chunkers._cutting.borders import borders
from llmops.tasks.plugins.chunkers._cutting.measured import token_starts
from llmops.tasks.plugins.chunkers._cutting.strength import BorderKind
from llmops.tasks.plugins.chunkers.sentence import SentenceChunker
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from tests.plugins.chunkers import texts


def ends(text: str, size: int = 24) -> list[str]:
    spans = SentenceChunker(size=size, overlap=0).split(
        text, markup="plain", title=None, tokenizer=HashEmbedder()
    )
    return [text[span.end - 1] for span in spans]


def kinds(text: str) -> dict[str, int]:
    """The word after each border, and the kind of the border."""
    found = borders(text, token_starts(text, HashEmbedder()), 50)
    return {
        text[start:].split()[0]: int(kind)
        for start, kind in zip(found.starts, found.kinds, strict=True)
    }


@pytest.mark.parametrize(
    ("paragraph", "stops"),
    [
        (texts.CHINESE, "。！？”"),
        (texts.JAPANESE, "。？」"),
        (texts.PERSIAN, ".؟"),
        (texts.HINDI, "।?"),
        ("The first sentence has some words. Is the second one a question? It is! " * 3, ".?!"),
    ],
)
def test_sentences_end_chunks_in_every_script(paragraph: str, stops: str) -> None:
    """At a size of several sentences, 85 % of the chunks end with one; the rest are where none was
    in reach.
    """
    found = ends(texts.varied(paragraph, 60), 150)
    assert sum(end in stops for end in found) > 0.85 * len(found)


@pytest.mark.parametrize(
    "text",
    [
        "as Dr. Smith",
        "e.g. This",
        "by J. Smith",
        "see Fig. Three",
        "Acme Inc. Shares",
        "version 3.14 Pi",
        "cf. Knuth",
        "1. Install",
    ],
)
def test_an_abbreviation_ends_no_sentence(text: str) -> None:
    assert kinds(text)[text.split()[-1]] == BorderKind.WORD


def test_kinds_of_borders() -> None:
    found = kinds("One two, three. Four (five.) Six.\n\nSeven\neight\n- nine\nTen! eleven")
    assert found["two,"] == BorderKind.WORD
    assert found["three."] == BorderKind.CLAUSE
    assert found["Four"] == found["Six."] == BorderKind.SENTENCE
    assert found["Seven"] == BorderKind.PARAGRAPH
    assert found["eight"] == BorderKind.WORD
    assert found["-"] == BorderKind.SENTENCE
    assert found["Ten!"] == BorderKind.CLAUSE
    assert found["eleven"] == BorderKind.WORD


def test_lines_of_windows_are_lines_and_not_paragraphs() -> None:
    assert kinds("one\r\ntwo\r\n\r\nthree")["two"] == BorderKind.WORD
    assert kinds("one\r\ntwo\r\n\r\nthree")["three"] == BorderKind.PARAGRAPH


def test_no_chunk_begins_with_what_belongs_to_the_one_before() -> None:
    text = texts.JAPANESE * 20 + "e\u0301" * 400
    spans = SentenceChunker(size=9, overlap=2).split(
        text, markup="plain", title=None, tokenizer=HashEmbedder()
    )
    assert not {text[span.start] for span in spans} & set("。」、？ーっゃ\u0301")
    assert "「" not in {text[span.end - 1] for span in spans}


def test_the_overlap_is_the_end_of_the_chunk_before() -> None:
    text = texts.english(20_000)
    spans = SentenceChunker(size=200, overlap=20).split(
        text, markup="plain", title=None, tokenizer=HashEmbedder()
    )
    shared = [HashEmbedder().count(text[two.start : one.end]) for one, two in pairwise(spans)]
    assert max(shared) <= 20
    assert sum(shared) / len(shared) > 12


def test_the_title_is_the_context() -> None:
    spans = SentenceChunker(size=8).split(
        "# Heading\n\nText of it.", markup="markdown", title="Guide", tokenizer=HashEmbedder()
    )
    assert {(span.context, span.headings) for span in spans} == {("Guide", ("Heading",))}


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [texts.english(460_000) * 4, "the " * 400_000, "abcdefghij" * 160_000],
    ids=["english", "one word", "one line"],
)
def test_long_texts_take_seconds(text: str) -> None:
    """2 MB/s and more were measured on a busy core, the tokenizer not counted."""
    began = time.process_time()
    spans = SentenceChunker().split(text, markup="plain", title=None, tokenizer=HashEmbedder())
    assert len(text) / (time.process_time() - began) > 500_000
    assert max(span.tokens for span in spans) <= 200
