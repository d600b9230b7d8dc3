"""What one search costs on LanceDB in a warm process, from the question's text to its passages
(`KnowledgeBase.search`): by vector, by text and hybrid, with and without a condition, for one
thread and for eight, and for many questions in one call.

    python -m benchmarks.search [--sizes 20000 100000] [--searches 400] [--embedders hash minilm]

Chunks of 60 words in documents of ten, words as frequent as Zipf has it, vectors of 384 dimensions
at random; questions of some words that are new each time, ten passages each. `none`: of a user who
may see every chunk; `labels`: of one who may see 95 %; `5 %`: a condition that so many fulfil.
`batch`: the ten best documents of all questions in one call, as `kb measure` and the gate ask them;
`one by one`: the same questions, each alone. `cpu ms`: processor time of the whole process,
LanceDB's threads included, for each search; it changes little with other work on the machine, p50
and p95 do. Each size and embedder has a process of its own; `peak_mb` is its memory, that of
building included. `embedding` is the share of the question's vector alone.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sqlalchemy import update

from benchmarks.stores import DIMENSION, PER_CALL, VOCABULARY, WEIGHTS, batch
from llmops import KnowledgeBase
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.knowledge.versions import close_version, open_version, register
from llmops.tasks.ledger import now
from llmops.tasks.ledger.tables import knowledge_bases
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.stores import Store
from llmops.tasks.retrieval.hybrid import MODES, Mode, Searcher
from llmops.tasks.schemas import Vectors

LABELS = ["board"] + ["staff"] * 5 + ["public"] * 14
SOURCES = ["rare"] + ["often"] * 19


class Condition(NamedTuple):
    labels: frozenset[str]
    where: str = ""


EVERYTHING = frozenset({"staff", "board"})
CONDITIONS = {
    "none": Condition(EVERYTHING),
    "labels": Condition(frozenset({"staff"})),
    "5 %": Condition(EVERYTHING, 'source = "rare"'),
}
WARM, K, KB = 20, 10, "bench"


class SpeedFigures(NamedTuple):
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    per_second: float


COLUMNS = ("rows", "embedder", "mode", "condition", "threads", *SpeedFigures._fields, "peak_mb")


def built(rows: int, embedder: str, home: Path) -> KnowledgeBase:
    """A published version: 5 % of its chunks are for the board, 25 % for staff, the rest public."""
    collection = Spec(name="lancedb").build(Store).open(KB, DIMENSION, home)
    for first in range(0, rows, PER_CALL):
        chunks, points = batch(first, PER_CALL, 1)
        chunks["labels"] = _repeated([[label] for label in LABELS], chunks["labels"])
        chunks["source"] = _repeated(SOURCES, chunks["source"])
        collection.stage(1, chunks, points, [])
    publish(home, embedder, collection.seal(1), rows)
    return KnowledgeBase(KB, home)


def _repeated(values: list[str] | list[list[str]], column: "pd.Series[str]") -> "pd.Series[str]":
    some = [values[number % len(values)] for number in range(len(column))]
    return pd.Series(some, dtype=column.dtype)


def publish(home: Path, embedder: str, snapshot: str, rows: int) -> None:
    """What a build leaves in the ledger for whoever reads."""
    handle = Handle(home=home, name=KB)
    register(handle)
    config = {"store": {"name": "lancedb"}, "embed": {"name": embedder}, "facts": {}}
    numbers = {"version": 1, "collection": KB, "config": config, "config_sha256": "0" * 64}
    with handle.hold() as lease:
        open_version(handle, lease, numbers)
    done = {"status": "published", "published_at": now(), "snapshot": snapshot, "weight": 0.5}
    close_version(handle, 1, **done, documents=rows // 10, chunks=rows)
    with handle.ledger.write() as connection:
        connection.execute(update(knowledge_bases).values(live=1))


def questions(count: int, seed: int) -> list[str]:
    """English, so that hybrid searches use both parts."""
    words = np.random.default_rng(seed).choice(VOCABULARY, (count, 4), p=WEIGHTS / WEIGHTS.sum())
    return [
        "what does the {} say about the {} and the {} of the {}".format(*some) for some in words
    ]


def searching(kb: KnowledgeBase, mode: Mode, given: Condition) -> Callable[[str], None]:
    def search(question: str) -> None:
        passages = kb.search(question, K, mode, given.where, given.labels)
        if len(passages) != K and mode != "text":
            raise RuntimeError(f"{len(passages)} passages instead of {K}")

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


def lines(rows: int, embedder: str, searches: int, home: Path) -> Iterator[str]:
    """A line of the table for each mode, condition and number of threads."""
    with built(rows, embedder, home) as kb:
        plain = searcher(home, Handle(home=home, name=KB).published())
        told = partial(line, rows, embedder)
        for threads in (1, 8):
            asked = questions(WARM + searches, seed=threads)
            alone = measured(partial(embedding, plain), threads, asked)
            yield told("embedding", "", threads, *alone, peak())
            for mode in MODES:
                for number, (name, given) in enumerate(CONDITIONS.items()):
                    asked = questions(WARM + searches, seed=threads * 10 + number)
                    figures = measured(searching(kb, mode, given), threads, asked)
                    yield told(mode, name, threads, *figures, peak())
        for mode in MODES:
            for name, figures in together(plain, mode, questions(searches, seed=3)).items():
                yield told(mode, name, 1, *figures, peak())


def embedding(plain: Searcher, question: str) -> Vectors:
    return plain.embedder.embed_query([question])


def together(plain: Searcher, mode: Mode, asked: list[str]) -> dict[str, SpeedFigures]:
    """Many questions in one call, and the same ones each alone."""
    plain.documents_many(questions(WARM, seed=4), K, mode)
    alone = measured(
        lambda question: plain.documents(question, K, mode), 1, [*asked[:WARM], *asked]
    )
    began, processor = time.perf_counter(), time.process_time()
    plain.documents_many(asked, K, mode)
    wall, processor = time.perf_counter() - began, time.process_time() - processor
    each = 1_000 * wall / len(asked)
    batched = SpeedFigures(each, each, 1_000 * processor / len(asked), len(asked) / wall)
    return {"one by one": alone, "batch": batched}


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
    parser.add_argument("--embedders", nargs="+", default=["hash", "minilm"])
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        rows, embedder, home = chosen.one
        for cost in lines(int(rows), embedder, chosen.searches, Path(home)):
            sys.stdout.write(cost)
            sys.stdout.flush()
        return 0
    sys.stdout.write(f"load before: {os.getloadavg()[0]:.1f}\n{line(*COLUMNS)}")
    sys.stdout.flush()
    for rows in chosen.sizes:
        for embedder in chosen.embedders:
            with tempfile.TemporaryDirectory() as home:
                one = ["--one", str(rows), embedder, home, "--searches", str(chosen.searches)]
                subprocess.run([sys.executable, "-m", "benchmarks.search", *one], check=True)
    sys.stdout.write(f"load after: {os.getloadavg()[0]:.1f}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
