"""What every vector store must do, whatever it holds in memory: searches come to what plain Python
comes to, with ties, doubles and conditions, for one thread and for many.
"""

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from llmops.tasks.filters import Compare, HasAny, Not, Where, visible
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import normalised
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.stores import Point, Store, StoreCollection, StoreReader
from llmops.tasks.retrieval.hybrid import MODES, Mode, Searcher
from llmops.tasks.schemas import Vectors
from tests.plugins.stores.rows import DIMENSION, document
from tests.plugins.stores.searches import PlainSearch

WORDS = [f"word{number}" for number in range(25)]
SHARES = {"public": 0.6, "staff": 0.37, "board": 0.03}
CONDITIONS: dict[str, Where | None] = {
    "none": None,
    "all": Not(Compare("uri", "text", "=", "absent")),
    "public": visible(frozenset()),
    "staff": HasAny("labels", ("staff",)),
    "few": HasAny("labels", ("board",)),
    "nothing": Compare("uri", "text", "=", "absent"),
}
POINTS = normalised(np.random.default_rng(5).standard_normal((40, DIMENSION)).astype(np.float32))


def rows_of(first: int, last: int) -> tuple[pd.DataFrame, Vectors]:
    """Documents of one to four chunks; texts and vectors come again and again, and the second chunk
    stands where the first one does.
    """
    chance = random.Random(first)
    parts, labels = [], []
    for number in range(first, last):
        texts = [
            " ".join(chance.choices(WORDS[: chance.choice([3, 25])], k=chance.randint(1, 6)))
            for _ in range(chance.randint(1, 4))
        ]
        parts.append(document(f"doc-{number % 7}-{number:04}.md", texts))
        labels += chance.choices([*SHARES], [*SHARES.values()]) * len(texts)
    rows = pd.concat(parts, ignore_index=True)
    second = rows["ordinal"] == 1
    rows.loc[second, "start"], rows.loc[second, "end"] = 0, 10
    rows.loc[rows["ordinal"] == 0, "end"] = 10
    rows["labels"] = pd.Series([[label] for label in labels], dtype=rows["labels"].dtype)
    return rows, POINTS[[chance.randrange(len(POINTS)) for _ in range(len(rows))]]


class Version(NamedTuple):
    collection: StoreCollection
    snapshot: str
    plain: PlainSearch


@pytest.fixture(scope="module", params=["new", "changed"])
def version(
    request: pytest.FixtureRequest,
    spec: Spec,
    name: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Version]:
    """A collection that was written at once, and one of which some rows were replaced."""
    home, store = tmp_path_factory.mktemp("home"), spec.build(Store)
    collection = store.open(f"{name}-search", DIMENSION, home)
    rows, points = rows_of(0, 400)
    collection.stage(1, rows, points, [])
    snapshot = collection.seal(1)
    if request.param == "changed":
        new, new_points = rows_of(400, 405)
        retired, kept = [*rows["chunk_id"][:15]], np.arange(len(rows)) >= 15
        collection.stage(2, new, new_points, retired)
        snapshot = collection.seal(2)
        rows = pd.concat([rows[kept], new], ignore_index=True)
        points = np.concatenate([points[kept], new_points])
    yield Version(collection, snapshot, PlainSearch(rows, points, lambda: collection.at(snapshot)))
    store.drop(f"{name}-search", home)


@cache
def warm(version: Version, where: Where | None) -> Searcher:
    """After some searches a reader may answer from memory."""
    searcher = Searcher(version.collection.at(version.snapshot), HashEmbedder(), 0.5, where)
    for number in range(4):
        searcher.search(WORDS[number], 3, "hybrid", POINTS[0])
    return searcher


def listed(searcher: Searcher, mode: Mode, number: int, k: int) -> list[tuple[str, float]]:
    rows = searcher.search(" ".join(asked(number)), k, mode, POINTS[number])
    return list(zip(rows["chunk_id"], rows["score"], strict=True))


def asked(number: int) -> list[str]:
    return random.Random(number).sample(WORDS, number % 4 + 1)


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("mode", MODES)
def test_a_search_is_what_plain_python_comes_to(
    version: Version, mode: Mode, condition: str
) -> None:
    where = CONDITIONS[condition]
    searcher = warm(version, where)
    for number, k in enumerate((1, 3, 10, 100, 101, 1_000)):
        found = listed(searcher, mode, number, k)
        wanted = version.plain.search(mode, POINTS[number], asked(number), k, where)
        assert [name for name, _ in found] == [name for name, _ in wanted], k
        assert [score for _, score in found] == pytest.approx(
            [score for _, score in wanted], abs=1e-6
        )


def test_columns_are_those_asked_for_whatever_was_searched(version: Version) -> None:
    searcher = warm(version, None)
    for mode in MODES:
        whole = searcher.search("word1 word2", 10, mode, POINTS[1])
        some = searcher.search("word1 word2", 10, mode, POINTS[1], ["text", "uri"])
        pd.testing.assert_frame_equal(some, whole[["text", "uri", "score"]])


class WholeRowsReader(StoreReader):
    """Has what every reader must have, and nothing quicker."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader

    def vector(self, query: Point, k: int, where: Where | None = None) -> pd.DataFrame:
        return self._reader.vector(query, k, where)

    def text(self, terms: Sequence[str], k: int, where: Where | None = None) -> pd.DataFrame:
        return self._reader.text(terms, k, where)

    def rows(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        return self._reader.rows(columns)

    def count(self) -> int:
        return self._reader.count()


@pytest.mark.parametrize("condition", ["none", "staff", "nothing"])
def test_a_reader_of_whole_rows_finds_the_same(version: Version, condition: str) -> None:
    quick = warm(version, CONDITIONS[condition])
    plain = replace(quick, reader=WholeRowsReader(quick.reader))
    for mode in MODES:
        for k in (3, 150):
            pd.testing.assert_frame_equal(
                plain.search("word1 word2", k, mode, POINTS[1]),
                quick.search("word1 word2", k, mode, POINTS[1]),
            )
        assert plain.documents("word1 word9", 20, mode, POINTS[1]) == quick.documents(
            "word1 word9", 20, mode, POINTS[1]
        )


@pytest.mark.parametrize("condition", ["none", "few", "nothing"])
@pytest.mark.parametrize("mode", MODES)
def test_many_questions_find_what_each_finds_alone(
    version: Version, mode: Mode, condition: str
) -> None:
    searcher = warm(version, CONDITIONS[condition])
    cold = replace(searcher, reader=version.collection.at(version.snapshot))
    plain = replace(searcher, reader=WholeRowsReader(cold.reader))
    numbers = range(20)
    texts, points = ["", *(" ".join(asked(number)) for number in numbers[1:])], POINTS[:20]
    for k in (3, 120):
        one = [searcher.passages(texts[n], k, mode, POINTS[n]) for n in numbers]
        assert searcher.passages_many(texts, k, mode, points) == one
        assert cold.passages_many(texts, k, mode, points) == one
        documents = [searcher.documents(texts[n], k, mode, POINTS[n]) for n in numbers]
        assert searcher.documents_many(texts, k, mode, points) == documents
        uris = [[uri for uri, _ in each] for each in documents]
        assert searcher.uris_many(texts, k, mode, points) == uris
    few = [texts[number] for number in numbers[:5]]
    assert plain.passages_many(few, 10, mode, POINTS[:5]) == [
        searcher.passages(texts[n], 10, mode, POINTS[n]) for n in numbers[:5]
    ]


def test_candidates_of_many_questions_are_those_of_each(version: Version) -> None:
    searcher = warm(version, None)
    texts = [" ".join(asked(number)) for number in range(len(POINTS))]
    for number, lists in enumerate(searcher.candidates_many(texts, POINTS)):
        assert [*lists.near] == searcher.reader.near(POINTS[number], 100)
        assert [*lists.found] == searcher.reader.found(asked(number), 100)


def test_many_threads_find_what_one_does(version: Version) -> None:
    conditions = [*CONDITIONS.values()] * 2
    one = {
        (number, mode): listed(searcher, mode, number, 10)
        for number, searcher in enumerate([warm(version, where) for where in conditions])
        for mode in MODES
    }
    reader = version.collection.at(version.snapshot)

    def search(task: tuple[int, Mode]) -> list[tuple[str, float]]:
        number, mode = task
        searcher = Searcher(reader, HashEmbedder(), 0.5, conditions[number])
        return listed(searcher, mode, number, 10)

    with ThreadPoolExecutor(8) as pool:
        assert dict(zip(one, pool.map(search, one), strict=True)) == one
