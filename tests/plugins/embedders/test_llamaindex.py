"""Embeddings of LlamaIndex by import path, with its own mock models and one that follows the
meaning.
"""

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.embedders.llamaindex import LlamaIndexEmbedder

pytestmark = pytest.mark.skipif(
    find_spec("llama_index") is None, reason="llama-index-core is not installed"
)
MOCK = "llama_index.core.embeddings.mock_embed_model.MockEmbedding"


def made(**options: Any) -> LlamaIndexEmbedder:
    return LlamaIndexEmbedder(
        **{"path": "tests.plugins.embedders.meanings.Hashed", "dimensions": 384, **options}
    )


def test_vectors_are_those_of_the_class_normalised() -> None:
    words = [f"word {n} of many" for n in range(23)]
    np.testing.assert_allclose(made().embed(words), HashEmbedder().embed(words), atol=1e-6)
    np.testing.assert_allclose(
        made(prefix="passage: ").embed(["red"]), HashEmbedder().embed(["passage: red"]), atol=1e-6
    )
    assert made().embed([]).shape == (0, 384)
    assert (made().dimension, made().max_tokens, made(context=64).max_tokens) == (384, 512, 64)


def test_its_own_classes() -> None:
    vectors = LlamaIndexEmbedder(path=MOCK, options={"embed_dim": 4}, dimensions=4).embed(
        ["a", "b"]
    )
    np.testing.assert_allclose(vectors, np.full((2, 4), 0.5))


def test_what_the_model_raises_is_the_service_s_trouble() -> None:
    with pytest.raises(Unavailable, match="did not embed: RuntimeError: rate limit"):
        made().embed(["POISON"])
    with pytest.raises(Unavailable, match=r"shape \(1, 384\), \(1, 8\) is wanted"):
        made(dimensions=8).embed(["a"])
    with pytest.raises(Unavailable, match="cannot be made"):
        LlamaIndexEmbedder(path=MOCK, options={"embed_dim": "many"}, dimensions=4).embed(["a"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"path": "no.such.Embedding"}, "cannot be imported"),
        ({"path": "pathlib.Path"}, "no embedding of LlamaIndex"),
        ({"path": "Word"}, "an import path is wanted, such as package.module:name"),
        ({"path": "os:system"}, "os:system is no embedding of LlamaIndex"),
        ({"options": {"fals": 1}}, "no option fals; allowed: .*fails"),
        ({"dimensions": 0}, "dimensions"),
    ],
)
def test_mistakes_are_found_when_the_config_is_read(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        made(**options)


def test_a_key_changes_no_fingerprint() -> None:
    assert (
        made(options={"api_key": "one"}).fingerprint()
        == made(options={"api_key": "two"}).fingerprint()
    )
    assert (
        made(options={"fails": "x"}).fingerprint()
        != made().fingerprint()
        != made(prefix="x").fingerprint()
    )


def test_questions_go_through_the_other_side_and_keep_to_their_own_fingerprint() -> None:
    two = made(path="tests.plugins.embedders.meanings.TwoSided")
    np.testing.assert_allclose(
        two.embed_query(["where is red"]), HashEmbedder().embed(["red"]), atol=1e-6
    )
    with pytest.raises(Unavailable, match="'red' is no question"):
        two.embed_query(["red"])
    with pytest.raises(Unavailable, match="did not embed"):
        two.embed(["where is red"])
    np.testing.assert_allclose(
        made(prefix="passage: ", query_prefix="query: ").embed_query(["red"]),
        HashEmbedder().embed(["query: red"]),
        atol=1e-6,
    )
    np.testing.assert_array_equal(
        made(prefix="p: ").embed_query(["red"]), made(prefix="p: ").embed(["red"])
    )
    assert made(query_prefix="q: ").fingerprint() == made().fingerprint()
    prints = {each.query_fingerprint() for each in (made(), made(query_prefix="q: "))}
    assert len(prints | {made().fingerprint()}) == 3
