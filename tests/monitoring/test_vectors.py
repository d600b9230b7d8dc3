"""Vectors are made once, and forgotten when nobody asks for them any more."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from llmops.tasks.calls.costs import booked
from llmops.tasks.errors import Unavailable
from llmops.tasks.ledger import open_ledger
from llmops.tasks.monitoring.vectors import RememberedEmbedder
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.schemas import Vectors
from llmops.tasks.traces.monitored import forget_vectors, working_folder


class PaidEmbedder(HashEmbedder):
    """A dollar a token, and a note of what it was asked; "!" breaks it."""

    @property
    def price(self) -> float:
        return 1e6

    def embed(self, texts: Sequence[str]) -> Vectors:
        if "!" in texts:
            raise Unavailable("it is away")
        ASKED.extend(texts)
        return super().embed(texts)


ASKED: list[str] = []


def opened(home: Path, embedder: Embedder) -> RememberedEmbedder:
    return RememberedEmbedder.of(home, "desk", embedder, working_folder(home, "desk"))


@pytest.fixture
def paid() -> PaidEmbedder:
    ASKED.clear()
    return PaidEmbedder()


def test_vectors_are_those_of_the_embedder_in_order(tmp_path: Path) -> None:
    texts = ["one two", "three", "one two", ""]
    with opened(tmp_path, HashEmbedder()) as embedder:
        assert isinstance(embedder, Embedder)
        assert (embedder.embed(texts) == HashEmbedder().embed(texts)).all()
        assert embedder.embed([]).shape == (0, embedder.dimension)
        assert embedder.fingerprint() == HashEmbedder().fingerprint()
    with opened(tmp_path, HashEmbedder()) as embedder:
        assert (embedder.embed(texts[:1]) == HashEmbedder().embed(texts[:1])).all()


def test_what_costs_money_is_paid_once_and_booked(tmp_path: Path, paid: PaidEmbedder) -> None:
    with opened(tmp_path, paid) as embedder:
        embedder.embed(["one two", "three", "three"])
        assert embedder.cost_usd == 3.0
    with opened(tmp_path, paid) as embedder:
        embedder.embed(["three", "four"])
        assert embedder.cost_usd == 1.0
    assert ASKED == ["one two", "three", "four"]
    (day,) = booked(open_ledger(tmp_path))
    assert (day.flow, day.name, day.calls, day.tokens, day.cost_usd) == ("monitor", "desk", 2, 4, 4)


def test_what_was_paid_before_a_failure_is_kept(tmp_path: Path, paid: PaidEmbedder) -> None:
    with pytest.raises(Unavailable), opened(tmp_path, paid) as embedder:
        embedder.embed([*map(str, range(64)), "!"])
    with opened(tmp_path, paid) as embedder:
        embedder.embed(["5"])
    assert ASKED.count("5") == 1


def test_what_nobody_asks_for_is_forgotten(tmp_path: Path, paid: PaidEmbedder) -> None:
    for texts in (["a", "b"], ["b"], ["a"]):
        with opened(tmp_path, paid) as embedder:
            embedder.embed(texts)
    assert ASKED == ["a", "b", "a"]


def test_one_file_is_kept_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    folder = working_folder(tmp_path, "desk")
    folder.mkdir(parents=True)
    (folder / "vectors-other.npz").write_bytes(b"x")
    with opened(tmp_path, HashEmbedder()) as embedder:
        embedder.embed(["a"])
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    with opened(tmp_path, HashEmbedder()) as embedder:
        assert np.isfinite(embedder.embed(["a"])).all()
    forget_vectors(tmp_path, ["desk", "unknown"])
    assert not folder.exists()


class TwoSided(HashEmbedder):
    """Embeds a question as what is said behind it."""

    def query_fingerprint(self) -> str:
        return "questions"

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        return self.embed([f"question {text}" for text in texts])


def test_a_question_and_a_passage_of_the_same_text_keep_their_own_vectors(tmp_path: Path) -> None:
    for _ in range(2):  # made, and remembered
        with opened(tmp_path, TwoSided()) as embedder:
            passage, question = embedder.embed(["lamp"]), embedder.embed_query(["lamp"])
            assert (passage == HashEmbedder().embed(["lamp"])).all()
            assert (question == HashEmbedder().embed(["question lamp"])).all()


def test_where_both_sides_are_the_same_a_text_is_paid_once(
    tmp_path: Path, paid: PaidEmbedder
) -> None:
    with opened(tmp_path, paid) as embedder:
        embedder.embed(["one"])
        embedder.embed_query(["one"])
    assert ASKED == ["one"]
