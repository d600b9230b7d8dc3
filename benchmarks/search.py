"""What one search costs on LanceDB in a warm process, from the question's text to its passages: by
vector, by text and hybrid, with and without a condition, for one thread and for eight.

    python -m benchmarks.search [--sizes 20000 100000] [--searches 400]

Chunks of 60 words in documents of ten, vectors of 384 dimensions at random; questions of some words
that are new each time, embedded by `minilm`, ten passages each. `labels`: of a user who may see
95 % of the chunks; `5 %`: a condition that so many fulfil. `cpu ms`: processor time of the whole
process, LanceDB's threads included, for each search; it changes little with other work on the
machine, p50 and p95 do. Each size runs in a process of its own; `peak_mb` is its memory, that of
building included. `embedding` is the share of the question's vector alone.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.stores import DIMENSION, PER_CALL, VOCABULARY, WEIGHTS, batch
from llmops.tasks.filters import HasAny, Where, visible
from llmops.tasks.knowledge.reading import HIT_COLUMNS, hits
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import Store, StoreReader
from llmops.tasks.retrieval.hybrid import MODES, Mode, Searcher

CONDITIONS: dict[str, Where | None] = {
    "none": None,
    "labels": visible(frozenset({"staff"})),
    "5 %": HasAny("labels", ("board",)),
}
WARM = 20


class SpeedFigures(NamedTuple):
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    per_second: float


COLUMNS = ("rows", "mode", "condition", "threads", *SpeedFigures._fields, "peak_mb")


def built(rows: int, home: Path) -> StoreReader:
    """A sealed collection: 5 % of its chunks are for the board, 25 % for staff, the rest public."""
    collection = Spec(name="lancedb").build(Store).open("bench", DIMENSION, home)
    shares = ["board"] + ["staff"] * 5 + ["public"] * 14
    for first in range(0, rows, PER_CALL):
        chunks, points = batch(first, PER_CALL, 1)
        labels = [[shares[number % len(shares)]] for number in range(PER_CALL)]
        chunks["labels"] = pd.Series(labels, dtype=chunks["labels"].dtype)
        collection.stage(1, chunks, points, [])
    return collection.at(collection.seal(1))


def questions(count: int, seed: int) -> list[str]:
    """English, so that hybrid searches use both parts."""
    words = np.random.default_rng(seed).choice(VOCABULARY, (count, 4), p=WEIGHTS / WEIGHTS.sum())
    return [
        "what does the {} say about the {} and the {} of the {}".format(*some) for some in words
    ]


def searching(searcher: Searcher, mode: Mode) -> Callable[[str], None]:
    def search(question: str) -> None:
        found = hits(searcher.search(question, 10, mode, columns=HIT_COLUMNS))
        if len(found) != 10 and mode != "text":
            raise RuntimeError(f"{len(found)} passages instead of 10")

    return search


def measured(work: Callable[[str], object], threads: int, asked: list[str]) -> SpeedFigures:
    def search(question: str) -> float:
        began = time.perf_counter()
        work(question)
        return 1_000 * (time.perf_counter() - began)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(search, asked[:WARM]))
        began, processor = time.perf_counter(), time.process_time()
        times = list(pool.map(search, asked[WARM:]))
        wall, processor = time.perf_counter() - began, time.process_time() - processor
    p50, p95 = np.percentile(times, [50, 95])
    return SpeedFigures(float(p50), float(p95), 1_000 * processor / len(times), len(times) / wall)


def lines(rows: int, searches: int, home: Path) -> Iterator[str]:
    """A line of the table for each mode, condition and number of threads."""
    reader, embedder = built(rows, home), Spec(name="minilm").build(Embedder)
    searcher = Searcher(reader, embedder, 0.5)
    for threads in (1, 8):
        asked = questions(WARM + searches, seed=threads)
        alone = measured(lambda question: embedder.embed([question]), threads, asked)
        yield line(rows, "embedding", "", threads, *alone, peak())
        for mode in MODES:
            for number, (name, where) in enumerate(CONDITIONS.items()):
                asked = questions(WARM + searches, seed=threads * 10 + number)
                work = searching(replace(searcher, where=where), mode)
                yield line(rows, mode, name, threads, *measured(work, threads, asked), peak())


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def line(*cells: str | float) -> str:
    texts = (f"{cell:.1f}" if isinstance(cell, float) else cell for cell in cells)
    return "".join(f"{text:>12}" for text in texts) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--searches", type=int, default=400)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        for cost in lines(int(chosen.one[0]), chosen.searches, Path(chosen.one[1])):
            sys.stdout.write(cost)
            sys.stdout.flush()
        return 0
    sys.stdout.write(line(*COLUMNS))
    sys.stdout.flush()
    for rows in chosen.sizes:
        with tempfile.TemporaryDirectory() as home:
            order = [sys.executable, "-m", "benchmarks.search", "--one", str(rows), home]
            subprocess.run([*order, "--searches", str(chosen.searches)], check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
