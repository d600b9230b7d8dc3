"""Hybrid search on a real store with the hashing embedder."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.embedders import Embedder, normalised
from llmops.tasks.plugins.stores import ROWS, RankedRow, StoreReader
from llmops.tasks.plugins.stores.lancedb import LanceDBStore
from llmops.tasks.retrieval.hybrid import (
    MODES,
    Searcher,
    default_weight,
    found_scores,
    fused,
)
from llmops.tasks.schemas import Vectors
from tests.plugins.stores.rows import document

TOPICS = ["cats purr softly", "dogs bark loudly", "birds sing early", "fish swim deep"]


class Topics(Embedder):
    """A vector per topic, by its first word; other texts lie between all topics. English only."""

    dimension: ClassVar[int] = 8
    max_tokens: ClassVar[int] = 100
    languages: ClassVar[frozenset[str]] = frozenset({"en"})

    def embed(self, texts: Sequence[str]) -> Vectors:
        animals = [topic.split()[0] for topic in TOPICS]
        rows = [[float(name in text.lower()) for name in animals] + [0.1] * 4 for text in texts]
        return normalised(np.array(rows, np.float32).reshape(len(rows), 8))

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> StoreReader:
    collection = LanceDBStore().open("kb", 8, tmp_path_factory.mktemp("home"))
    parts = [document(f"{n}.md", [topic, f"{topic} again"]) for n, topic in enumerate(TOPICS)]
    parts += [
        document("zh.md", ["黑豹队的防守"]),
        document("long.md", [f"filler words {n}" for n in range(150)]),
    ]
    rows = pd.concat(parts, ignore_index=True)
    collection.stage(1, rows, Topics().embed([*rows["text"]]), [])
    return collection.at(collection.seal(1))


@pytest.fixture
def searcher(reader: StoreReader) -> Searcher:
    return Searcher(reader, Topics())


@pytest.mark.parametrize("mode", MODES)
def test_the_right_chunk_is_first(searcher: Searcher, mode: str) -> None:
    found = searcher.search("what do dogs do loudly", 3, mode)  # type: ignore[arg-type]
    assert [*found.columns] == [*ROWS.names, "score"]
    assert (found["uri"].iloc[0], found["ordinal"].iloc[0]) == ("1.md", 0)
    assert [*found["score"]] == sorted(found["score"], reverse=True)


def test_hybrid_finds_what_only_one_part_finds(searcher: Searcher) -> None:
    found = searcher.search("cats loudly", 12)
    assert {"0.md", "1.md"} <= set(found["uri"])


def test_an_unknown_language_is_left_to_the_text(searcher: Searcher) -> None:
    assert [*searcher.search("黑豹队丢了多少分", 5)["uri"]] == ["zh.md"]
    assert [
        *Searcher(searcher.reader, Topics(), weight=0.9).search("黑豹队丢了多少分", 5)["uri"]
    ] == ["zh.md"]


def test_without_a_common_term_the_vectors_decide(searcher: Searcher) -> None:
    pd.testing.assert_frame_equal(
        searcher.search("xyzzy", 4), searcher.search("xyzzy", 4, "vector")
    )
    assert len(searcher.search("квантовая", 4)) == 4


def test_a_vector_at_hand_is_used(searcher: Searcher) -> None:
    fish = Topics().embed(["fish"])[0]
    assert searcher.search("cats", 1, "vector", vector=fish)["uri"].iloc[0] == "3.md"


def test_a_given_weight_is_used(reader: StoreReader) -> None:
    assert (
        Searcher(reader, Topics(), weight=1.0).search("cats bark loudly", 1)["uri"].iloc[0]
        == "0.md"
    )
    assert (
        Searcher(reader, Topics(), weight=0.0).search("cats bark loudly", 1)["uri"].iloc[0]
        == "1.md"
    )


@pytest.mark.parametrize("mode", MODES)
def test_documents_are_distinct_and_enough(searcher: Searcher, mode: str) -> None:
    found = searcher.documents("filler words birds", 5, mode)  # type: ignore[arg-type]
    assert searcher.uris_many(["filler words birds"], 5, mode) == [[uri for uri, _ in found]]  # type: ignore[arg-type]
    uris = [uri for uri, _ in found]
    assert len(set(uris)) == len(uris)
    assert len(uris) == (2 if mode == "text" else 5)
    assert dict(found)["2.md"] == "birds sing early"


def test_many_documents_are_the_same_as_one_by_one(searcher: Searcher) -> None:
    queries = ["cats", "dogs bark", "黑豹"]
    for mode in MODES:
        assert searcher.documents_many(queries, 3, mode) == [
            searcher.documents(query, 3, mode) for query in queries
        ]
    assert searcher.documents_many([], 3) == []


@pytest.mark.parametrize(("k", "mode"), [(0, "hybrid"), (1_001, "text"), (5, "fuzzy")])
def test_wrong_arguments_name_what_is_allowed(searcher: Searcher, k: int, mode: str) -> None:
    with pytest.raises(UsageError, match="from 1 to 1000"):
        searcher.search("cats", k, mode)  # type: ignore[arg-type]


def test_the_rule_follows_the_embedders_languages() -> None:
    english = frozenset({"en"})
    assert default_weight("What is the capital of France?", english) == 0.5
    assert default_weight("install", english) == 0.5
    assert default_weight("Wie kann ich mein Passwort ändern?", english) == 0
    assert default_weight("黑豹队的防守", english) == 0
    assert default_weight("黑豹队的防守", frozenset()) == 0.5
    assert default_weight("黑豹队的防守", frozenset({"zh"})) == 0.5


def test_a_language_that_the_embedder_does_not_read_is_told(searcher: Searcher) -> None:
    (alone,) = searcher.remarks("黑豹队的防守")
    assert "(zh) is none that the embedder reads (en): text search alone decided" in alone
    assert "none of its words was found" in searcher.remarks("忘记密码怎么办")[0]
    assert "vector is near to says little" in searcher.remarks("黑豹队的防守", "vector")[0]
    assert searcher.remarks("黑豹队的防守", "text") == []
    assert searcher.remarks("What is the capital of France?") == []


def hits(scores: dict[str, float]) -> list[RankedRow]:
    return [
        RankedRow(f"chunk of {uri}", uri, 0, uri, 0, 4, score, place=(scores, n))
        for n, (uri, score) in enumerate(scores.items())
    ]


def test_the_combination_by_hand() -> None:
    near, found = hits({"a": 0.9, "b": 0.8, "c": 0.5}), hits({"c": 10.0, "d": 6.0, "b": 2.0})
    both = fused(near, found, depth=3, weight=0.5)
    assert {hit.uri: hit.score for hit in both} == pytest.approx(
        {"a": 0.5, "c": 0.5, "b": 0.375, "d": 0.25}
    )
    assert [hit.uri for hit in both] == ["a", "c", "b", "d"]


def test_a_short_text_list_ends_at_zero_not_at_its_last() -> None:
    assert [*found_scores(np.array([10.0, 5.0]), 100)] == [1.0, 0.5]


def test_equal_searches_give_equal_lists(tmp_path: Path, searcher: Searcher) -> None:
    first = searcher.search("filler words", 160)
    pd.testing.assert_frame_equal(first, searcher.search("filler words", 160))
    assert [*first["ordinal"].iloc[:5]] == [0, 1, 2, 3, 4]
