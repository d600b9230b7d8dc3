"""Cosines of embeddings, all texts at once."""

from importlib.util import find_spec

import pytest

from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.embedders.minilm import PACKAGE
from llmops.tasks.plugins.scorers.similarity import SimilarityScorer
from tests.plugins.scorers.samples import answered, sample

HASH = SimilarityScorer(embed=Spec(name="hash"))


def test_equals_the_cosine() -> None:
    one, other = HashEmbedder().embed(["the cat sat on the mat", "the cat sat on a chair"])
    score = HASH.score(answered("the cat sat on the mat", "the cat sat on a chair"))
    assert score.value == pytest.approx(float(one @ other), abs=1e-6)
    assert 0.3 < float(one @ other) < 1


def test_the_nearest_of_several_and_never_below_zero() -> None:
    assert HASH.score(
        answered("a red fox", "something else entirely", "a red fox")
    ).value == pytest.approx(1.0)
    values = [HASH.score(answered(f"word{n}", f"other{n * 7}")).value for n in range(50)]
    assert all(value is not None and 0 <= value <= 1 for value in values)
    assert 0.0 in values  # a hash's cosines are as often below zero


def test_empty_texts() -> None:
    assert [
        HASH.score(answered(one, other)).value for one, other in (("", "x"), ("x", " "), ("", "\n"))
    ] == [0.0, 0.0, 1.0]


def test_many_at_once_are_as_alone() -> None:
    samples = [
        answered("a cat", "the cat"),
        sample("x"),
        answered("dog", "a dog", "cats"),
        sample("no", {"answerable": False}),
        answered("", "y"),
    ]
    assert HASH.score_all(samples) == [HASH.score(one) for one in samples]
    assert [score.value is None for score in HASH.score_all(samples)] == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_an_unknown_embedder_is_found_when_the_config_is_read() -> None:
    with pytest.raises(ConfigError, match="did you mean hash"):
        SimilarityScorer(embed=Spec(name="hahs"))


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="no weights")
def test_the_default_knows_meaning_in_english() -> None:
    near, far = SimilarityScorer().score_all(
        [answered("The cat is asleep.", one) for one in ("A cat sleeps.", "Interest rates rose.")]
    )
    assert near.value is not None
    assert far.value is not None
    assert near.value > 0.7 > 0.3 > far.value
