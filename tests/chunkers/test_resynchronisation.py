"""An edit moves only the chunks around it: how many chunk texts are new after an edit anywhere in a long document."""

import random
import re
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.chunkers import Chunker
from tasks.chunkers.fixed import Fixed
from tasks.chunkers.markdown import Markdown
from tasks.chunkers.sentence import Sentence
from tasks.embedders.hash import Hash
from tests.chunkers import texts

CHUNKERS = [Sentence(), Markdown(), Fixed()]
WORD = re.compile(r"\S+")


def chunks(chunker: Chunker, text: str) -> list[str]:
    spans = chunker.split(text, markup="plain", title=None, tokenizer=Hash())
    return [text[span.start:span.end] for span in spans]


def changed(chunker: Chunker, before: set[str], after: str) -> int:
    return sum(chunk not in before for chunk in chunks(chunker, after))


def document() -> str:
    return texts.english(80_000)


@pytest.mark.parametrize("chunker", CHUNKERS, ids=lambda chunker: type(chunker).__name__)
@settings(max_examples=40, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), word=st.sampled_from(["zebra", "The", "2024", "however", "naïve"]))
def test_one_word_inserted_changes_few_chunks(chunker: Chunker, place: float, word: str) -> None:
    text = document()
    words = [match.start() for match in WORD.finditer(text)]
    at = words[int(place * len(words))]
    assert 1 <= changed(chunker, set(chunks(chunker, text)), f"{text[:at]}{word} {text[at:]}") <= 5
