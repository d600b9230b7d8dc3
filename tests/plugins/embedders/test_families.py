"""Relatives of BERT in a folder: against an independent forward pass and against
sentence-transformers; their tokenizers; prefixes.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.embedders._wordpiece import PIECE, encode, load_tokenizer
from tests.plugins.embedders.relatives import FRAME, PREFIX, RelativeReference, relative
from tests.plugins.embedders.test_onnx import onnx
from tests.plugins.embedders.tiny import tiny_model

FAMILIES = [*PREFIX]
TEXTS = ["a cab", "", "abc. fed", "hello", "deaf face " * 3, "abc " * 40, "z" * 20]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_equal_an_independent_forward_pass(
    tmp_path: Path, family: str, pooling: str
) -> None:
    folder = relative(tmp_path / "model", family, pooling)
    embedder, reference = onnx(folder), RelativeReference(folder, family, pooling)
    tokenizer = load_tokenizer((folder / "tokenizer.json").read_bytes())
    ids = encode(tokenizer, TEXTS, embedder.max_tokens, FRAME)
    got = embedder.embed(TEXTS)
    assert (embedder.dimension, embedder.max_tokens) == (32, 30)
    assert max(map(len, ids)) == 32
    assert (got * np.array([reference.vector(each) for each in ids])).sum(axis=1).min() > 0.99999
    for row, text in zip(got, TEXTS, strict=True):
        np.testing.assert_array_equal(embedder.embed([text])[0], row)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_they_agree_with_sentence_transformers(tmp_path: Path, family: str) -> None:
    library = pytest.importorskip(
        "sentence_transformers", reason="needs the extra sentence-transformers"
    )
    folder = relative(tmp_path / "model", family)
    model = library.SentenceTransformer(str(folder), device="cpu")
    theirs = model.encode(TEXTS, normalize_embeddings=True)
    assert (onnx(folder).embed(TEXTS) * theirs).sum(axis=1).min() >= 0.9999


@pytest.mark.skipif(find_spec("ctranslate2") is None, reason="needs the extra int8")
def test_xlm_roberta_in_int8_is_nearly_the_same_and_mpnet_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = relative(tmp_path / "model", "xlm-roberta")
    exact, small = onnx(folder), onnx(folder, precision="int8")
    assert small.fingerprint() != exact.fingerprint()
    assert (small.embed(TEXTS) * exact.embed(TEXTS)).sum(axis=1).min() > 0.99
    other = relative(tmp_path / "mpnet", "mpnet")
    with pytest.raises(UsageError, match="CTranslate2 has no MPNet"):
        onnx(other, precision="int8").embed(["a"])


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta"])
def test_tokens_of_a_long_text_are_those_of_the_whole(tmp_path: Path, family: str) -> None:
    folder = relative(tmp_path / "model", family)
    words = ("ab", "cab", "fed.", "c", "", "ünï", "abcd", "你好", "two\nlines")
    text = " ".join(words[n * n % 7 + n % 3] for n in range(PIECE))
    assert len(text) > 3 * PIECE
    tokenizer = load_tokenizer((folder / "tokenizer.json").read_bytes())
    whole = tokenizer.encode(text, add_special_tokens=False)
    places = onnx(folder).token_offsets(text)
    assert onnx(folder).token_starts(text).tolist() == [start for start, _ in places]
    assert len(places) == len(whole.ids)
    assert [end for _, end in places] == [end for _, end in whole.offsets]
    assert [start for start, _ in places] == sorted(start for start, _ in places)
    assert all(text[start] != " " for start, end in places if end - start > 1)


def test_a_prefix_stands_before_each_side(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model")
    plain, both = onnx(folder), onnx(folder, query_prefix="q: ", passage_prefix="fed: ")
    texts = ["a cab", "hello"]
    np.testing.assert_array_equal(both.embed(texts), plain.embed([f"fed: {t}" for t in texts]))
    np.testing.assert_array_equal(both.embed_query(texts), plain.embed([f"q: {t}" for t in texts]))
    assert both.max_tokens == plain.max_tokens - plain.count("fed: ") == 30 - 4
    prints = {plain.fingerprint(), both.fingerprint(), both.query_fingerprint()}
    assert len(prints) == 3
    assert plain.query_fingerprint() == plain.fingerprint()
    assert onnx(folder, query_prefix="q: ").fingerprint() == plain.fingerprint()


def test_families_have_fingerprints_of_their_own(tmp_path: Path) -> None:
    """Weights alone would not do: another padding is another model."""
    prints = {onnx(relative(tmp_path / name, name)).fingerprint() for name in FAMILIES}
    folder = relative(tmp_path / "again", "roberta")
    prints.add(onnx(folder).fingerprint())
    assert len(prints) == len(FAMILIES)
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"pad_token_id": 1', '"pad_token_id": 0'))
    assert onnx(folder).fingerprint() not in prints


def test_the_folder_may_be_called_path(tmp_path: Path) -> None:
    from llmops.tasks.plugins import Spec
    from llmops.tasks.plugins.embedders import Embedder

    folder = tiny_model(tmp_path / "model")
    named = Spec.model_validate({"name": "onnx", "path": str(folder)}).build(Embedder)
    assert named.fingerprint() == onnx(folder).fingerprint()
