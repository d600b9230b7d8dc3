"""Full text in memory: BM25 by its formula, and what is asked of it."""

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from llmops.tasks.plugins.stores.lancedb import postings
from llmops.tasks.plugins.stores.lancedb.postings import HeldTerms, TermsBatch, kth_best

ROOMY = 10**6


def held(*texts: str | None, most: int = ROOMY) -> HeldTerms | None:
    """In batches of two rows, the last rows first: places are no matter of order."""
    batches = [
        TermsBatch(np.arange(first, first + len(part)), pa.array(part, pa.string()))
        for first in range(0, len(texts), 2)
        for part in [texts[first : first + 2]]
    ]
    return HeldTerms.load(reversed(batches), len(texts), most)


def bm25(texts: Sequence[str], words: Sequence[str], row: int) -> float:
    """By the book."""
    rows = [text.split() for text in texts]
    average = sum(map(len, rows)) / len(rows)
    total = 0.0
    for word in words:
        there, often = sum(word in each for each in rows), rows[row].count(word)
        rarity = math.log(1 + (len(rows) - there + 0.5) / (there + 0.5))
        length = 1 - 0.75 + 0.75 * len(rows[row]) / average
        total += rarity * 2.2 * often / (often + 1.2 * length)
    return total


TEXTS = ("red red blue", "green", "blue green 東 東京", "", "red ñandú " * 9, "red", "red pink")


@pytest.mark.parametrize(
    "words",
    [
        ("red",),  # in more than a quarter of the rows
        ("green", "pink"),
        ("blue", "red", "blue"),  # twice counts twice
        ("東京", "ñandú"),
        ("none", "green", "zzz", "aaa", "東東"),
        (),
    ],
)
def test_scores_are_those_of_bm25(words: tuple[str, ...]) -> None:
    terms = held(*TEXTS)
    assert terms is not None
    expected = [bm25(TEXTS, words, row) for row in range(len(TEXTS))]
    assert terms.scores(words) == pytest.approx(expected, rel=1e-5)


def test_words_that_were_asked_for_are_forgotten_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "REMEMBERED", 3)
    terms = held(*TEXTS)
    assert terms is not None
    first = terms.scores(("red", "none", "blue", "zzz"))
    for number in range(20):
        terms.scores((f"word{number}", "green"))
    assert (terms.scores(("red", "none", "blue", "zzz")) == first).all()


@pytest.mark.parametrize(
    ("k", "hidden", "places"),
    [
        (1, [], [0]),
        (2, [], [0, 2]),
        (3, [], [0, 2]),  # a row without the word is no hit
        (1, [0], [2]),
        (9, [0, 2], []),
    ],
)
def test_the_best_rows_are_chosen_among_those_that_may_be_seen(
    k: int, hidden: list[int], places: list[int]
) -> None:
    terms = held(*TEXTS)
    mask = np.ones(len(TEXTS), np.bool_)
    mask[hidden] = False
    assert terms is not None
    found, scores = terms.best(["blue"], k, mask if hidden else None)
    assert found.tolist() == places
    assert scores.tolist() == [terms.scores(["blue"])[place] for place in places]


def test_all_rows_that_score_as_the_last_one_are_returned() -> None:
    terms = held("red", "red", "red red", "red")
    assert terms is not None
    assert terms.best(["red"], 2, None)[0].tolist() == [0, 1, 2, 3]
    assert terms.best(["red"], 1, None)[0].tolist() == [2]


@pytest.mark.parametrize("texts", [(), ("", None)])
def test_where_there_are_no_terms_nothing_is_held(texts: tuple[str | None, ...]) -> None:
    assert held(*texts) is None


@pytest.mark.parametrize("rows", [1, 5, 63, 640, 5_000])
def test_the_k_th_best_is_that_of_a_sorted_list(rows: int) -> None:
    chance = np.random.default_rng(rows)
    lists = (
        chance.standard_normal(rows),
        chance.integers(0, 3, rows),
        np.zeros(rows),
        np.arange(rows),
        np.where(chance.random(rows) < 0.1, chance.random(rows), -np.inf),
    )
    for scores in lists:
        scores = scores.astype(np.float32)
        for k in {1, min(rows, 10), min(rows, 100), rows}:
            assert kth_best(scores, k) == np.sort(scores)[-k]


def test_terms_take_no_more_memory_than_they_may() -> None:
    assert held(*["red blue"] * 10, most=160) is not None
    assert held(*["red blue"] * 10, most=159) is None
