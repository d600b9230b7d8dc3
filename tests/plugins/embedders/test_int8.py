"""The embedders in int8: the same vector alone and in company and in threads, near those of
fp32; what is kept in the cache, and what is refused.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from llmops.tasks.errors import ConfigError, Unavailable
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder, _int8, minilm
from llmops.tasks.plugins.embedders.minilm import PACKAGE, MiniLMEmbedder
from tests.plugins.embedders.tiny import tiny_model

installed = pytest.mark.skipif(
    find_spec("ctranslate2") is None, reason=f"the extra int8 is not installed: {_int8.INSTALL}"
)
weights = pytest.mark.skipif(
    find_spec(PACKAGE) is None, reason=f"needs the weights: {minilm.INSTALL}"
)
TEXTS = [
    "A cat sits on the mat.",
    "A dog sits on the rug.",
    "",
    "Retrieval-augmented generation grounds an answer in passages. " * 8,
    "Ünïcödé, naïve café: 你好，世界。 مرحبا 🙂",
    "def f(x):\n    return x ** 2",
    "word " * 400,
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of this test alone, in place of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    minilm._load_model.cache_clear()
    yield tmp_path / "cache" / "llmops-pipelines"
    minilm._load_model.cache_clear()


def onnx(folder: Path, **options: object) -> Embedder:
    return Spec(name="onnx", options={"model": str(folder), **options}).build(Embedder)


@installed
@weights
def test_vectors_are_near_and_bitwise_the_same_alone_and_in_company() -> None:
    fast, exact = MiniLMEmbedder(precision="int8"), MiniLMEmbedder()
    together = fast.embed(TEXTS)
    assert (together.shape, together.dtype.name) == ((len(TEXTS), 384), "float32")
    cosines = (together * exact.embed(TEXTS)).sum(axis=1)
    assert np.delete(cosines, TEXTS.index("")).min() > 0.98
    assert cosines.min() > 0.95  # of nothing, on processors without VNNI
    assert cosines.mean() > 0.99
    assert not np.array_equal(together, exact.embed(TEXTS))
    with ThreadPoolExecutor(4) as threads:
        alone = list(threads.map(lambda text: fast.embed([text])[0], TEXTS * 4))
    np.testing.assert_array_equal(np.array(alone), np.concatenate([together] * 4))
    np.testing.assert_array_equal(fast.embed(TEXTS[::-1])[::-1], together)


@installed
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_model_in_a_folder(tmp_path: Path, pooling: str) -> None:
    folder = tiny_model(tmp_path / "model", pooling=pooling)
    texts = ["a cab", "bad. fed?", "hello", "deaf face " * 3, "abc " * 40]
    fast = onnx(folder, precision="int8")
    together = fast.embed(texts)
    assert (together * onnx(folder).embed(texts)).sum(axis=1).min() > 0.99
    for row, text in zip(together, texts, strict=True):
        np.testing.assert_array_equal(fast.embed([text])[0], row)
    assert fast.fingerprint() != onnx(folder).fingerprint()


@installed
@weights
def test_fingerprints_tell_the_two_apart_and_the_cache_is_used(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = MiniLMEmbedder(precision="int8")
    assert fast.fingerprint() == onnx(Path("minilm"), precision="int8").fingerprint()
    assert fast.fingerprint() != MiniLMEmbedder().fingerprint()
    first = fast.embed(TEXTS[:2])
    (kept,) = cache.iterdir()
    minilm._load_model.cache_clear()
    with monkeypatch.context() as never:
        never.setattr(_int8, "_convert", None)
        np.testing.assert_array_equal(fast.embed(TEXTS[:2]), first)
    minilm._load_model.cache_clear()
    (kept / "model.bin").write_bytes(b"damaged")
    np.testing.assert_array_equal(fast.embed(TEXTS[:2]), first)
    assert (kept / "model.bin").stat().st_size > 20_000_000


@installed
@weights
def test_a_processor_that_gives_other_vectors_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_int8, "LEAST_COSINE", 1.01)
    with pytest.raises(Unavailable, match=r"other vectors than fp32 on this processor: cosine 0\."):
        MiniLMEmbedder(precision="int8").embed(["a"])
    assert list(cache.iterdir()) == []


@installed
@weights
def test_a_cache_that_cannot_be_written_is_told(cache: Path) -> None:
    cache.parent.write_text("a file")
    with pytest.raises(Unavailable, match=r"cannot be kept in .*XDG_CACHE_HOME"):
        MiniLMEmbedder(precision="int8").embed(["a"])


@installed
def test_it_refuses_after_a_fork_where_it_would_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = onnx(tiny_model(tmp_path / "model"), precision="int8")
    fast.embed(["a"])
    monkeypatch.setattr("os.getpid", lambda: 0)
    with pytest.raises(Unavailable, match="forked from one which has embedded already"):
        fast.embed(["a"])


def test_a_missing_engine_is_told_when_a_config_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_int8, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'llmops-pipelines\[int8\]'"):
        onnx(tmp_path, precision="int8")
    onnx(tmp_path)


@installed
@weights
def test_what_is_loaded_ahead_is_what_is_used() -> None:
    fast = MiniLMEmbedder(precision="int8")
    fast.load()
    loaded = minilm._load_model.cache_info().misses
    fast.embed(["a"])
    assert minilm._load_model.cache_info().misses == loaded == 1
