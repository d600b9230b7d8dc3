"""Cross-encoders on this machine: one in ONNX that the test makes, and one of sentence-transformers
where that is installed.
"""

import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from llmops.tasks.errors import Unavailable, UsageError
from llmops.tasks.plugins.rerankers.cross_encoder import CrossEncoderReranker, probability
from tests.plugins.rerankers.tiny import write_model

TEXTS = ["a dull pier", "the harbour lamp", "the pier", "lamp lamp lamp"]


def logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize("place", ["model.onnx", "onnx/model.onnx"])
def test_question_and_passage_are_read_together(tmp_path: Path, place: str) -> None:
    reranker = CrossEncoderReranker(model=str(write_model(tmp_path, place=place)))
    scores = reranker.scores("lamp lamp dull", TEXTS)  # words of the question do not count
    assert scores == pytest.approx([logistic(each) for each in (-3, 3, 0, 6)])
    assert reranker.scores("", TEXTS) == pytest.approx(scores)
    assert reranker.scores("lamp", []) == []


def test_of_two_labels_the_second_is_yes(tmp_path: Path) -> None:
    reranker = CrossEncoderReranker(model=str(write_model(tmp_path, labels=2)))
    assert reranker.scores("q", TEXTS) == pytest.approx([logistic(2 * n) for n in (-3, 3, 0, 6)])
    three = CrossEncoderReranker(model=str(write_model(tmp_path / "three", labels=3)))
    with pytest.raises(UsageError, match="gives 3 labels, and one or two"):
        three.scores("q", TEXTS)


def test_a_probability_of_any_number() -> None:
    assert [probability(np.array([each])) for each in (-1e9, 0, 1e9)] == [0.0, 0.5, 1.0]


def test_long_pairs_are_cut(tmp_path: Path) -> None:
    folder = str(write_model(tmp_path))
    long, cut = CrossEncoderReranker(model=folder), CrossEncoderReranker(model=folder, max_tokens=8)
    text = "pier " * 30 + "lamp"
    assert long.scores("q", [text]) == pytest.approx([logistic(2)])
    assert cut.scores("q", [text]) == pytest.approx([0.5])
    assert long.fingerprint() != cut.fingerprint()


def test_the_fingerprint_is_of_the_contents(tmp_path: Path) -> None:
    one, same = (write_model(tmp_path / name) for name in ("one", "same"))
    other = write_model(tmp_path / "other", labels=2)
    prints = [CrossEncoderReranker(model=str(each)).fingerprint() for each in (one, same, other)]
    assert prints[0] == prints[1] != prints[2]
    limited = CrossEncoderReranker(model=str(one), candidates=5, seconds=1)
    assert limited.fingerprint() == prints[0]


def test_what_is_no_such_model_is_said(tmp_path: Path) -> None:
    (write_model(tmp_path / "a") / "tokenizer.json").unlink()
    with pytest.raises(UsageError, match=r"has no tokenizer\.json"):
        CrossEncoderReranker(model=str(tmp_path / "a")).scores("q", TEXTS)
    (write_model(tmp_path / "b") / "model.onnx").write_bytes(b"no model")
    with pytest.raises(Unavailable, match="cannot be loaded"):
        CrossEncoderReranker(model=str(tmp_path / "b")).scores("q", TEXTS)


@pytest.mark.skipif(find_spec("sentence_transformers") is not None, reason="it is installed")
def test_without_sentence_transformers_it_is_said_what_installs_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pip install .*\[sentence-transformers\]"):
        CrossEncoderReranker(model=str(tmp_path), offline=True).scores("q", TEXTS)


@pytest.mark.skipif(
    find_spec("sentence_transformers") is None,
    reason="the extra sentence-transformers is not installed",
)
def test_a_model_of_sentence_transformers(tmp_path: Path) -> None:
    from tests.plugins.rerankers.tiny_torch import write_cross_encoder

    folder = write_cross_encoder(tmp_path)
    reranker = CrossEncoderReranker(model=str(folder), max_tokens=32, offline=True)
    scores = reranker.scores("harbour lamp", TEXTS)
    assert len(set(scores)) == len(TEXTS)
    assert all(0 < each < 1 for each in scores)
    again = [reranker.scores("harbour lamp", [text])[0] for text in TEXTS]
    assert again == pytest.approx(scores, abs=1e-5)
