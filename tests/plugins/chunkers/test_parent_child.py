"""Children are found, parents are given."""

from itertools import groupby

import pytest
from pydantic import ValidationError

from llmops.tasks.plugins.chunkers.parent_child import ParentChildChunker
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from tests.plugins.chunkers import texts

MADE = ParentChildChunker(size=60, parent_size=300, overlap=0)


def test_parents_hold_their_children_in_order() -> None:
    text = texts.english(40_000)
    spans = MADE.split(text, markup="plain", title=None, tokenizer=HashEmbedder())
    parents = [
        (place, [span.search or "" for span in group])
        for place, group in groupby(spans, lambda span: (span.start, span.end))
    ]
    for (start, end), children in parents:
        assert HashEmbedder().count(text[start:end]) <= 300
        assert "".join("".join(children).split()) == "".join(text[start:end].split())
        assert max(map(HashEmbedder().count, children)) <= 60
    assert sum(len(children) for _, children in parents) / len(parents) > 4


def test_an_edit_changes_one_parent_and_few_children() -> None:
    text = texts.english(60_000)
    place = text.index(" ", 30_000)
    before, after = (
        MADE.split(one, markup="plain", title=None, tokenizer=HashEmbedder())
        for one in (text, f"{text[:place]} zebra{text[place:]}")
    )
    assert 1 <= len({span.search for span in after} - {span.search for span in before}) <= 3


def test_children_know_their_own_headings_and_parents_theirs() -> None:
    parts = [
        "# Guide",
        "intro words here. " * 5,
        "## Linux",
        "apt install thing. " * 30,
        "## Windows",
        "click it. " * 30,
    ]
    text = "\n\n".join(parts)
    spans = ParentChildChunker(size=50, parent_size=1000).split(
        text, markup="markdown", title="Manual", tokenizer=HashEmbedder()
    )
    assert {(span.start, span.end, span.headings) for span in spans} == {
        (0, len(text.strip()), ("Guide",))
    }
    contexts = {(span.search or "").partition("\n")[0] for span in spans}
    assert {"Manual > Guide", "Manual > Guide > Linux", "Manual > Guide > Windows"} <= contexts


def test_a_parent_may_be_longer_than_the_embedder_reads() -> None:
    class Narrow(HashEmbedder):
        max_tokens = 40

    spans = ParentChildChunker(size=400, parent_size=2000).split(
        texts.english(20_000), markup="plain", title="T", tokenizer=Narrow()
    )
    assert max(span.tokens for span in spans) <= 40
    assert max(span.end - span.start for span in spans) > 3000


def test_parents_smaller_than_children_are_a_mistake() -> None:
    with pytest.raises(ValidationError, match="parent_size \\(100\\) is less than size \\(200\\)"):
        ParentChildChunker(parent_size=100)
