"""A model in a folder against an independent forward pass and against sentence-transformers; what
its fingerprint is of; what is refused.
"""

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders._wordpiece import encode, load_tokenizer
from llmops.tasks.plugins.embedders.minilm import PACKAGE, MiniLMEmbedder, weights_folder
from tests.plugins.embedders.reference import Reference
from tests.plugins.embedders.tiny import HEADS, LAYERS, VOCABULARY, tiny_model, write

TEXTS = ["a cab", "", "bad. fed?", "hello", "deaf face " * 3, "ünicode 你好", "abc " * 40]
FRAME = VOCABULARY.index("[CLS]"), VOCABULARY.index("[SEP]")


def onnx(folder: Path, **options: object) -> Embedder:
    return Spec(name="onnx", options={"model": str(folder), **options}).build(Embedder)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_equal_an_independent_forward_pass(tmp_path: Path, pooling: str) -> None:
    folder = tiny_model(tmp_path / "model", pooling=pooling)
    embedder, reference = onnx(folder), Reference(folder, LAYERS, HEADS, pooling)
    tokenizer = load_tokenizer((folder / "tokenizer.json").read_bytes())
    ids = encode(tokenizer, TEXTS, embedder.max_tokens, FRAME)
    got = embedder.embed(TEXTS)
    assert (embedder.dimension, embedder.max_tokens) == (32, 30)
    assert max(map(len, ids)) == 32
    assert (got * np.array([reference.vector(each) for each in ids])).sum(axis=1).min() > 0.99999
    for row, text in zip(got, TEXTS, strict=True):
        np.testing.assert_array_equal(embedder.embed([text])[0], row)


@pytest.mark.slow
def test_it_agrees_with_sentence_transformers(tmp_path: Path) -> None:
    library = pytest.importorskip(
        "sentence_transformers", reason="needs the extra sentence-transformers"
    )
    for pooling in ("mean", "cls"):
        folder = tiny_model(tmp_path / pooling, pooling=pooling)
        model = library.SentenceTransformer(str(folder), device="cpu")
        theirs = model.encode(TEXTS, normalize_embeddings=True)
        assert (onnx(folder).embed(TEXTS) * theirs).sum(axis=1).min() >= 0.9999


def test_the_fingerprint_is_of_what_the_files_hold(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model")
    first = onnx(folder).fingerprint()
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert onnx(moved).fingerprint() == onnx(folder, language="en").fingerprint() == first
    write(moved / "sentence_bert_config.json", {"max_seq_length": 16})
    assert onnx(moved).fingerprint() != first
    shutil.rmtree(folder)
    tiny_model(folder, seed=2)
    embedder = onnx(folder)
    assert embedder.fingerprint() != first
    assert embedder.languages == frozenset()
    assert onnx(folder, language=["en", "de"]).languages == {"en", "de"}


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="needs the weights of minilm")
def test_the_default_embedders_weights_keep_its_fingerprint() -> None:
    """So what was embedded before a model was trained is there after a rollback to it."""
    texts = ["A cat sits on the mat.", "Stock prices fell."]
    mine = MiniLMEmbedder()
    for folder in (Path("minilm"), weights_folder()):
        same = onnx(folder, language="en")
        assert same.fingerprint() == mine.fingerprint()
        assert (same.max_tokens, same.languages) == (mine.max_tokens, mine.languages)
        np.testing.assert_array_equal(same.embed(texts), mine.embed(texts))


@pytest.mark.parametrize(
    ("file", "change", "told"),
    [
        ("config.json", {"model_type": "t5"}, "its model_type is 't5'"),
        ("config.json", {"hidden_act": "relu"}, "its hidden_act is 'relu'"),
        ("config.json", {"hidden_size": "wide"}, "hidden_size of its config.json is 'wide'"),
        ("config.json", {"num_hidden_layers": 3}, r"no tensor 'encoder\.layer\.2\."),
        ("config.json", {"layer_norm_eps": None}, "its files are damaged, or do not go together"),
        ("config.json", {"num_attention_heads": 3}, "do not go together"),
        ("config.json", {"hidden_size": 64}, "do not go together"),
        (
            "config.json",
            {"max_position_embeddings": 100},
            "know 64 positions, and it is to take 80",
        ),
        ("config.json", {"max_position_embeddings": 1}, "it takes 1 tokens, two of them special"),
        ("config.json", {"pad_token_id": "x", "model_type": "roberta"}, "its pad_token_id is 'x'"),
        ("tokenizer.json", {"model": {"type": "Word"}}, "its tokenizer has the model 'Word'"),
        (
            "tokenizer.json",
            {"pre_tokenizer": {"type": "Whitespace"}},
            "has the pre_tokenizer 'Whitespace', wanted is BertPreTokenizer",
        ),
        (
            "1_Pooling/config.json",
            {"pooling_mode_max_tokens": True},
            "it is pooled by mean and pooling_mode_max_tokens",
        ),
    ],
)
def test_what_it_cannot_run_is_told(
    tmp_path: Path, file: str, change: dict[str, object], told: str
) -> None:
    folder = tiny_model(tmp_path / "model")
    content = json.loads((folder / file).read_text())
    if "max_position_embeddings" in change:
        write(folder / "sentence_bert_config.json", {"max_seq_length": 80})
    write(folder / file, content | change)
    with pytest.raises(UsageError, match=told):
        onnx(folder).embed(["a"])


def test_modules_that_do_more_are_told(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model")
    modules = json.loads((folder / "modules.json").read_text())
    more = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    write(folder / "modules.json", [*modules, more])
    with pytest.raises(UsageError, match="it has a module Dense"):
        onnx(folder).fingerprint()


def no_list(folder: Path) -> None:
    write(folder / "modules.json", {})


def no_path(folder: Path) -> None:
    write(folder / "modules.json", [{"type": "sentence_transformers.models.Pooling"}])


def deep(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)


def empty_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def other_tokenizer(folder: Path) -> None:
    """One with more tokens than the weights have rows."""
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["vocab"]["beyond"] = len(content["model"]["vocab"])
    write(folder / "tokenizer.json", content)


@pytest.mark.parametrize("damage", [no_list, no_path, deep, empty_weights, other_tokenizer])
def test_damaged_files_are_told(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = tiny_model(tmp_path / "model")
    damage(folder)
    with pytest.raises(UsageError, match="the embedder onnx cannot run"):
        onnx(folder).embed(["a"])


def test_a_limit_that_is_no_number_is_none(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model")
    (folder / "tokenizer_config.json").write_text('{"model_max_length": Infinity}')
    assert onnx(folder).max_tokens == 30


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        onnx(tmp_path / "none").fingerprint()
    folder = tiny_model(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UsageError, match=r"model\.safetensors cannot be read"):
        onnx(folder).fingerprint()
