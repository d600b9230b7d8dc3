"""Models of sentence-transformers with two sides: a small random one that the test makes, its
prompts as those of E5.
"""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from llmops.tasks.errors import ConfigError, Unavailable
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders.sentence_transformers import SentenceTransformersEmbedder
from tests.workshop import TEXTS, Workshop

HERE = find_spec("sentence_transformers") is not None
INSTALLED = pytest.mark.skipif(not HERE, reason="the extra sentence-transformers is not installed")
WORDS = ["boat 1", "a lighthouse of harbour 2", "", "日本語 lone \ud800", "word " * 300]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers and 32 dimensions, with the prompts "query: " and "passage: "."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    letters = [chr(each) for each in range(33, 127)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    tokens += [f"##{each}" for each in letters]
    (folder / "vocab.txt").write_text("\n".join(tokens))
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder / "bert")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    words = Transformer(str(folder / "bert"), max_seq_length=64)
    made = SentenceTransformer(
        modules=[words, Pooling(32, "mean")],
        prompts={"query": "query: ", "document": "passage: ", "other": "other: "},
        device="cpu",
    )
    made.save(str(folder / "whole"))
    return folder / "whole"


def embedder(model: Path, **options: object) -> SentenceTransformersEmbedder:
    built = Spec(
        name="sentence_transformers", options={"model": str(model), "offline": True, **options}
    ).build(Embedder)
    assert isinstance(built, SentenceTransformersEmbedder)
    return built


@INSTALLED
def test_the_model_s_own_prompts_make_two_sides(model: Path) -> None:
    two = embedder(model)
    questions, passages = two.embed_query(WORDS), two.embed(WORDS)
    assert (passages.shape, str(passages.dtype)) == ((5, 32), "float32")
    assert (two.dimension, two.max_tokens) == (32, 62)
    np.testing.assert_allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-6)
    assert (np.abs(questions - passages).max(axis=1) > 1e-3).all()
    plain = embedder(model, query_prompt="", passage_prompt="")
    said = plain.embed([f"query: {WORDS[0]}"])
    np.testing.assert_allclose(said, questions[:1], atol=1e-6)
    np.testing.assert_allclose(plain.embed([f"passage: {WORDS[0]}"]), passages[:1], atol=1e-6)
    np.testing.assert_array_equal(plain.embed_query(WORDS), plain.embed(WORDS))
    other = embedder(model, query_prompt_name="other")
    np.testing.assert_allclose(
        other.embed_query(WORDS[:1]), plain.embed([f"other: {WORDS[0]}"]), atol=1e-6
    )
    assert embedder(model).embed([]).shape == (0, 32)


@INSTALLED
def test_a_vector_depends_on_no_neighbour(model: Path) -> None:
    together = embedder(model).embed(WORDS)
    alone = np.concatenate([embedder(model).embed([text]) for text in WORDS])
    np.testing.assert_array_equal(together, alone)


@INSTALLED
def test_vectors_may_be_shortened_and_tokens_have_places(model: Path) -> None:
    short = embedder(model, dimensions=8)
    assert (short.embed(WORDS).shape, short.dimension) == ((5, 8), 8)
    np.testing.assert_allclose(np.linalg.norm(short.embed(WORDS), axis=1), 1, atol=1e-6)
    assert embedder(model).token_offsets("ab c") == [(0, 1), (1, 2), (3, 4)]
    assert embedder(model).count("word " * 300) == 1200


@INSTALLED
def test_the_right_side_is_used_by_index_and_search(model: Path, tmp_path: Path) -> None:
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    shop.embedder = Spec(
        name="sentence_transformers", options={"model": str(model), "offline": True}
    )
    shop.build(TEXTS)
    searches = searcher(shop.home, shop.live)
    [question] = embedder(model).embed_query(["boat 3"])
    given = searches.passages("boat 3", 6, "vector", question)
    assert searches.passages("boat 3", 6, "vector") == given
    [wrong] = embedder(model).embed(["boat 3"])
    assert [row["score"] for row in searches.passages("boat 3", 6, "vector", wrong)] != [
        row["score"] for row in given
    ]
    held = [
        row for part in searches.reader.rows(("text", "vector")) for row in part.to_dict("records")
    ]
    passages = embedder(model).embed([row["text"] for row in held])
    np.testing.assert_allclose(np.stack([row["vector"] for row in held]), passages, atol=1e-5)


@INSTALLED
def test_the_fingerprint_is_of_the_contents_and_of_what_is_said(
    model: Path, tmp_path: Path
) -> None:
    plain = embedder(model)
    moved = shutil.copytree(model, tmp_path / "moved")
    assert embedder(moved).fingerprint() == plain.fingerprint()
    same = embedder(model, query_prompt="q: ", device="cpu", batch=4)
    assert same.fingerprint() == plain.fingerprint()
    assert same.query_fingerprint() != plain.query_fingerprint() != plain.fingerprint()
    assert embedder(model, passage_prompt="p: ").fingerprint() != plain.fingerprint()
    settings = moved / "config_sentence_transformers.json"
    said = json.loads(settings.read_text()) | {"prompts": {"query": "", "document": ""}}
    settings.write_text(json.dumps(said))
    assert embedder(moved).fingerprint() != plain.fingerprint()


@INSTALLED
def test_what_cannot_be_loaded_is_said(tmp_path: Path, model: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be loaded"):
        embedder(tmp_path).embed(["a"])
    with pytest.raises(Unavailable, match="did not embed"):
        embedder(model, query_prompt_name="absent").embed_query(["a"])


@pytest.mark.skipif(HERE, reason="it is installed")
def test_a_missing_library_is_a_mistake_of_the_config() -> None:
    with pytest.raises(ConfigError, match=r"pip install .*\[sentence-transformers\]"):
        Spec(name="sentence_transformers", options={"model": "any"}).build(Embedder)
