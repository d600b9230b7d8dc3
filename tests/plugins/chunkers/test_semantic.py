"""Where the meaning changes, and what an edit moves."""

import random
import re
from itertools import pairwise

import numpy as np
import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.chunkers.semantic import SemanticChunker, distances
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from tests.plugins.chunkers import texts

SUBJECTS = {
    "sea": "ship sailor harbour wave anchor tide captain deck",
    "kitchen": "flour butter oven sugar dough whisk bowl cake",
    "court": "judge lawyer verdict witness trial jury appeal statute",
    "sky": "planet star orbit comet telescope moon galaxy dust",
}


def told(subject: str, sentences: int, seed: int) -> str:
    chance = random.Random(seed)
    words = SUBJECTS[subject].split()
    return " ".join(f"The {' '.join(chance.sample(words, 6))} come here." for _ in range(sentences))


def cut(chunker: SemanticChunker, text: str) -> list[str]:
    return [
        text[span.start : span.end]
        for span in chunker.split(text, markup="plain", title=None, tokenizer=HashEmbedder())
    ]


def test_it_cuts_where_the_subject_changes() -> None:
    """Stories of 6 to 14 sentences in one paragraph; nothing but the words says where one ends."""
    subjects = random.Random(1).choices(list(SUBJECTS), k=24)
    subjects = [one for before, one in pairwise(["", *subjects]) if one != before]
    stories = [told(one, 6 + seed * 5 % 9, seed) for seed, one in enumerate(subjects)]
    chunks = cut(SemanticChunker(size=160, least=0.25), " ".join(stories))
    starts = {story.split(".")[0] for story in stories}
    assert sum(chunk.split(".")[0] in starts for chunk in chunks) >= len(stories) - 2
    mixed = [
        chunk
        for chunk in chunks
        if sum(any(word in chunk for word in words.split()) for words in SUBJECTS.values()) > 1
    ]
    assert len(mixed) <= 2


def test_breaks_are_at_least_so_far_apart() -> None:
    text = texts.english(40_000)
    spans = SemanticChunker(size=200, least=0.5).split(
        text, markup="plain", title=None, tokenizer=HashEmbedder()
    )
    assert max(span.tokens for span in spans) <= 200
    assert np.mean([span.tokens for span in spans]) > 120


@pytest.mark.slow
def test_an_edit_moves_only_what_is_near() -> None:
    text, chunker = texts.english(86_000), SemanticChunker()
    before = set(cut(chunker, text))
    places = random.Random(5).sample([match.start() for match in re.finditer(r"\b\w+", text)], 60)
    new = [
        sum(chunk not in before for chunk in cut(chunker, f"{text[:place]}zebra {text[place:]}"))
        for place in places
    ]
    assert len(before) > 100
    assert min(new) >= 1
    assert sum(new) / len(new) < 2
    assert max(new) <= 6


def test_what_comes_before_a_break_does_not_move_what_comes_after() -> None:
    text, chunker = texts.english(30_000), SemanticChunker()
    prefixed = cut(chunker, texts.varied(texts.HINDI, 20) + "\n\n" + text)
    assert len(set(cut(chunker, text)) - set(prefixed)) <= 3


def test_distances_compare_windows() -> None:
    rows = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 1, 2]]
    np.testing.assert_allclose(distances(rows, 1), [0, 0, 1, 0, 1], atol=1e-3)
    np.testing.assert_allclose(distances(rows, 2)[1:4], [1 - 1 / 2**0.5, 1, 1 - 1 / 2], atol=1e-3)
    assert distances(rows[:2], 50).shape == (1,)


def test_a_distance_depends_on_its_window_alone() -> None:
    rows = np.random.default_rng(1).normal(size=(400, 64)).astype(np.float32)
    np.testing.assert_array_equal(distances(rows, 3)[200:300], distances(rows[150:350], 3)[50:150])


def test_short_texts_cost_nothing() -> None:
    class Counting(HashEmbedder):
        def embed(self, texts):  # type: ignore[no-untyped-def]
            raise AssertionError("nothing is to be compared")

    (span,) = SemanticChunker().split(
        "One sentence. Another one.", markup="plain", title=None, tokenizer=Counting()
    )
    assert span.tokens == 6


def test_a_sentence_is_cut_to_what_the_embedder_reads() -> None:
    class Strict(HashEmbedder):
        max_tokens = 30

        def embed(self, texts):  # type: ignore[no-untyped-def]
            assert max(map(self.count, texts)) <= 30
            return super().embed(texts)

    spans = SemanticChunker(size=30).split(
        "word " * 200 + ". " + "other words " * 50 + ".",
        markup="plain",
        title=None,
        tokenizer=Strict(),
    )
    assert max(span.tokens for span in spans) <= 30


def test_what_cannot_embed_is_said() -> None:
    class Plain:
        max_tokens = 100
        languages = frozenset[str]()

        def token_offsets(self, text: str) -> list[tuple[int, int]]:
            return [match.span() for match in re.finditer(r"\S+", text)]

    with pytest.raises(UsageError, match="the chunker semantic compares sentences"):
        SemanticChunker().split("x. y.", markup="plain", title=None, tokenizer=Plain())
