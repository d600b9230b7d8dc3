"""The measures of the chunking benchmark, against counting characters one by one."""

import os
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.chunking import CHUNKERS, Remembering, measured, read, row, scores, union
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.embedders.hash import HashEmbedder

RANGE = st.tuples(st.integers(0, 60), st.integers(1, 30)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)
RANGES = st.lists(RANGE, min_size=1, max_size=6)


def characters(ranges: list[tuple[int, int]]) -> Counter[int]:
    return Counter(place for start, end in ranges for place in range(start, end))


@given(
    excerpts=RANGES,
    retrieved=st.lists(RANGE, max_size=6),
    elsewhere=st.integers(0, 50),
    chunks=RANGES,
)
def test_scores_are_those_of_the_paper(
    excerpts: list[tuple[int, int]],
    retrieved: list[tuple[int, int]],
    elsewhere: int,
    chunks: list[tuple[int, int]],
) -> None:
    wanted, got = set(characters(excerpts)), characters(retrieved)
    found = scores(excerpts, retrieved, elsewhere, chunks)
    size = got.total() + elsewhere
    assert found.recall == pytest.approx(len(wanted & set(got)) / len(wanted))
    assert found.precision == pytest.approx(len(wanted & set(got)) / size if size else 0)
    assert found.iou == pytest.approx(len(wanted & set(got)) / (size + len(wanted - set(got))))
    touching = set().union(*(set(range(*chunk)) for chunk in chunks if wanted & set(range(*chunk))))
    assert found.omega == pytest.approx(len(wanted & touching) / len(wanted | touching))


@given(ranges=st.lists(RANGE, max_size=8))
def test_a_union_is_the_same_characters_apart(ranges: list[tuple[int, int]]) -> None:
    merged = union(ranges)
    assert set(characters(merged)) == set(characters(ranges))
    assert max(characters(merged).values(), default=1) == 1
    assert all(one[1] < two[0] for one, two in pairwise(merged))


@pytest.mark.parametrize("name", CHUNKERS)
def test_every_chunker_of_the_table_can_be_built(name: str) -> None:
    if "LlamaIndex" in name:
        pytest.importorskip("llama_index.core", reason="llama-index-core is not installed")
    assert Spec.model_validate(CHUNKERS[name]).build(Chunker).size <= 254


@pytest.mark.slow
def test_the_data_is_read_and_measured() -> None:
    if "LLMOPS_BENCH_DATA" not in os.environ:
        pytest.skip("LLMOPS_BENCH_DATA is not set: it names the folder of public corpora")
    corpora, questions = read(Path(os.environ["LLMOPS_BENCH_DATA"]), 50_000)
    assert (len(corpora), len(questions)) == (5, 229)
    whole, every = read(Path(os.environ["LLMOPS_BENCH_DATA"]), 10_000_000)
    assert (sum(map(len, whole.values())), len(every)) == (1_444_328, 472)
    found = measured("sentence 200", corpora, questions, Remembering(HashEmbedder()))
    assert len(found.scores) == 229
    assert 0.3 < sum(one.recall for one in found.scores) / 229 < 0.95
    assert 2000 < found.read < 6000
    assert row("sentence 200", found, found).startswith("| sentence 200 | ")
