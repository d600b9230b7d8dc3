"""The vector stores at two sizes: open, search, publish of a 1 % change, rollback, a whole read;
times and memory.

    python -m benchmarks.stores [--sizes 10000 100000] [--stores lancedb weaviate]

Random unit vectors of 384 dimensions and synthetic texts of 60 words. Weaviate is the one that
WEAVIATE_URL and WEAVIATE_GRPC_PORT name. Each store and size runs in a process of its own: `peak
MB` is that of the client, for LanceDB with the store in it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import normalised
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.stores import ROWS, Store, StoreCollection
from llmops.tasks.retrieval.hybrid import Mode, Searcher
from llmops.tasks.schemas import Vectors, frame

DIMENSION, PER_CALL, QUERIES, WORDS, LONG = 384, 1_000, 100, 20_000, 60
VOCABULARY = np.array([f"word{number}" for number in range(WORDS)])
WEIGHTS = 1 / np.arange(1, WORDS + 1)
COLUMNS = {
    "build": "build s",
    "publish": "1 % s",
    "rollback": "rollback s",
    "read": "read s",
    "open": "open ms",
    "vector": "vector ms",
    "text": "text ms",
    "hybrid": "hybrid ms",
    "peak_mb": "peak MB",
}


def batch(first: int, count: int, seed: int) -> tuple[pd.DataFrame, Vectors]:
    """Chunks of a number each: the same number gives the same chunk_id, another seed another text
    and vector.
    """
    chance = np.random.default_rng((seed, first))
    words = chance.choice(VOCABULARY, (count, LONG), p=WEIGHTS / WEIGHTS.sum())
    rows = [
        {
            "chunk_id": f"{number:032x}",
            "doc_id": f"{number // 10:032x}",
            "ordinal": number % 10,
            "text": text,
            "start": 0,
            "end": len(text),
            "tokens": LONG,
            "headings": [],
            "page": None,
            "context": "",
            "uri": f"{number // 10:06}.md",
            "title": None,
            "source": "bench",
            "metadata": "{}",
            "search": None,
            "language": "en",
            "media_type": "text/plain",
            "flags": [],
            "labels": ["public"],
            "row_hash": f"{seed}-{number}",
            "terms": text,
        }
        for number, text in enumerate(map(" ".join, words), first)
    ]
    return frame(rows, ROWS), normalised(
        chance.standard_normal((count, DIMENSION)).astype(np.float32)
    )


def timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def build(collection: StoreCollection, rows: int) -> str:
    for first in range(0, rows, PER_CALL):
        collection.stage(1, *batch(first, PER_CALL, 1), [])
    return collection.seal(1)


def change(collection: StoreCollection, rows: int) -> str:
    """Every hundredth part is replaced: the first 1 % of the chunks."""
    changed, points = batch(0, rows // 100, 2)
    collection.stage(2, changed, points, [*changed["chunk_id"]])
    return collection.seal(2)


def searched(searcher: Searcher, mode: Mode) -> str:
    """Median and 95th percentile in milliseconds, over queries of four words each."""
    chance, times = np.random.default_rng(3), []
    for _ in range(QUERIES + 5):
        words = " ".join(chance.choice(VOCABULARY, 4, p=WEIGHTS / WEIGHTS.sum()))
        point = normalised(chance.standard_normal((1, DIMENSION)).astype(np.float32))[0]
        times.append(1_000 * timed(partial(searcher.search, words, 10, mode, point)))
    return "{:.1f} / {:.1f}".format(*np.percentile(times[5:], [50, 95]))


def measure(name: str, rows: int, home: Path) -> dict[str, Any]:
    options = (
        {
            "url": os.environ["WEAVIATE_URL"],
            "grpc_port": int(os.environ.get("WEAVIATE_GRPC_PORT", "50051")),
        }
        if name == "weaviate"
        else {}
    )
    store, place = Spec(name=name, options=options).build(Store), f"bench-{os.getpid()}"
    collection = store.open(place, DIMENSION, home)
    try:
        sealed: list[str] = []
        found: dict[str, Any] = {"build": timed(lambda: sealed.append(build(collection, rows)))}
        found["open"] = 1_000 * timed(lambda: store.open(place, DIMENSION, home).at(sealed[0]))
        searcher = Searcher(collection.at(sealed[0]), HashEmbedder(), weight=0.5)
        found |= {mode: searched(searcher, mode) for mode in ("vector", "text", "hybrid")}
        found["publish"] = timed(lambda: sealed.append(change(collection, rows)))
        found["read"] = timed(
            lambda: sum(
                len(part) for part in collection.at(sealed[1]).rows(["chunk_id", "row_hash"])
            )
        )
        found["rollback"] = timed(lambda: collection.recover(sealed[0]))
        if (held := collection.at(sealed[0]).count()) != rows:
            raise RuntimeError(f"{name} holds {held} rows after the rollback instead of {rows}")
    finally:
        store.drop(place, home)
    return found | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measured(stores: list[str], sizes: list[int]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    for name in stores:
        for rows in sizes:
            with tempfile.TemporaryDirectory() as home:
                ended = subprocess.run(
                    [sys.executable, "-m", "benchmarks.stores", "--one", name, str(rows), home],
                    capture_output=True,
                    check=False,
                    text=True,
                )
            if ended.returncode:
                raise RuntimeError(f"{name} with {rows} rows: {ended.stderr[-2000:]}")
            yield name, rows, json.loads(ended.stdout.splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument(
        "--stores",
        nargs="+",
        default=["lancedb", *(["weaviate"] if "WEAVIATE_URL" in os.environ else [])],
    )
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        sys.stdout.write(
            json.dumps(measure(options.one[0], int(options.one[1]), Path(options.one[2]))) + "\n"
        )
        return 0
    sys.stdout.write(
        f"{'store':<10}{'rows':>8}" + "".join(f"{title:>16}" for title in COLUMNS.values()) + "\n"
    )
    for name, rows, found in measured(options.stores, options.sizes):
        cells = (
            found[key] if isinstance(found[key], str) else f"{found[key]:.2f}" for key in COLUMNS
        )
        sys.stdout.write(f"{name:<10}{rows:>8}" + "".join(f"{cell:>16}" for cell in cells) + "\n")
        sys.stdout.flush()
    if "weaviate" not in options.stores:
        sys.stdout.write("weaviate: skipped, WEAVIATE_URL is not set\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
