"""Models of fastembed from a folder: a small one that the test makes, and registers."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from llmops.tasks.errors import ConfigError, Unavailable, UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder

HERE = find_spec("fastembed") is not None
INSTALLED = pytest.mark.skipif(not HERE, reason="the extra fastembed is not installed")
NAME = "tests/tiny"
WORDS = ["boat one", "a lighthouse", "", "日本語 lone \ud800", "boat " * 300]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedding table of 8 dimensions as an ONNX model, with what fastembed reads beside it."""
    from tests.plugins.embedders.tiny_onnx import write_model

    made = write_model(tmp_path_factory.mktemp("fast"))
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    TextEmbedding.add_custom_model(
        model=NAME,
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf=NAME),
        dim=8,
        model_file="model.onnx",
    )
    return made


def embedder(folder: Path | str, **options: object) -> Embedder:
    plain = {"model": NAME, "folder": str(folder), "offline": True}
    return Spec(name="fastembed", options=plain | options).build(Embedder)


@INSTALLED
def test_vectors_are_in_order_normalised_and_without_neighbours(folder: Path) -> None:
    plain = embedder(folder)
    vectors = plain.embed(WORDS)
    assert (vectors.shape, str(vectors.dtype), plain.dimension) == ((5, 8), "float32", 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    alone = np.concatenate([plain.embed([text]) for text in WORDS])
    np.testing.assert_array_equal(vectors, alone)
    assert plain.embed([]).shape == (0, 8)
    assert (plain.max_tokens, plain.token_offsets("boat one")) == (62, [(0, 4), (5, 8)])


@INSTALLED
def test_prefixes_make_two_sides(folder: Path) -> None:
    two = embedder(folder, query_prefix="query ", passage_prefix="passage ")
    plain = embedder(folder)
    np.testing.assert_array_equal(two.embed_query(["boat"]), plain.embed(["query boat"]))
    np.testing.assert_array_equal(two.embed(["boat"]), plain.embed(["passage boat"]))
    assert np.abs(two.embed(["boat"]) - two.embed_query(["boat"])).max() > 1e-3
    asked = embedder(folder, query_prefix="query ")
    assert asked.fingerprint() == plain.fingerprint() != two.fingerprint()
    assert asked.query_fingerprint() != plain.query_fingerprint()


@INSTALLED
def test_what_cannot_be_loaded_is_said(folder: Path, tmp_path: Path) -> None:
    del folder
    with pytest.raises(UsageError, match=r"does not know the model 'nobody'; allowed: .*bge-small"):
        assert embedder("", model="nobody").dimension
    with pytest.raises(Unavailable, match="cannot be loaded"):
        embedder(tmp_path).embed(["a"])


@pytest.mark.skipif(HERE, reason="it is installed")
def test_a_missing_library_is_a_mistake_of_the_config() -> None:
    with pytest.raises(ConfigError, match=r"pip install .*\[fastembed\]"):
        Spec(name="fastembed", options={"model": "any"}).build(Embedder)
