"""Milliseconds of one search in a warm process."""

import json
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.parts.ingestion import turned
from benchmarks.report.processes import Absent, Worker, worker
from benchmarks.report.records import Part, Record
from benchmarks.search import built, questions
from benchmarks.stores import PER_CALL, batch

OURS = "llmops"
PEERS = {"LanceDB's own query": "lancedb", "LlamaIndex retriever": "llamaindex"}
FIGURES = {"p50": "ms", "p95": "ms", "cpu": "ms"}
ABOUT = """One question of some 30 tokens at a time, new each time, to ten passages, in one
thread of a warm process; the question is embedded by `hash`, which is part of the time. Chunks
of 60 words, as frequent as Zipf has it, with 384 dimensions. {count} questions a round.

- **llmops**: `KnowledgeBase.search` on a published version, with labels of who may see what.
- **LanceDB's own query**: the same texts and vectors in a table of its own with a full-text
  index; hybrid by its default reranker (reciprocal ranks).
- **LlamaIndex retriever**:
  `VectorStoreIndex.from_vector_store(LanceDBVectorStore(…)).as_retriever()` over a copy of that
  table.

No system has a vector index at these sizes: all compare with every vector, so that no passage is
missed."""


def measure(*, quick: bool) -> Part:
    sizes, count, rounds = ([2_000], 40, 2) if quick else ([20_000, 100_000], 60, 3)
    skipped: dict[str, str] = {}
    records = []
    for rows in sizes:
        found: dict[tuple[str, str, str], list[float]] = {}
        with tempfile.TemporaryDirectory(prefix="llmops-bench-") as place, ExitStack() as stack:
            folder = Path(place)
            started = opened(rows, count, rounds, folder, stack, skipped)
            for number in range(rounds):
                for name in turned([*started], number):
                    for mode in ("hybrid", "vector"):
                        told = started[name].ask(mode)
                        for figure in FIGURES:
                            found.setdefault((mode, figure, name), []).append(told[figure])
        for mode, figure, name in sorted(found, key=lambda key: key[:2]):
            said = "processor time" if figure == "cpu" else figure
            measure_name = f"{rows:,} chunks, {mode}: {said}"
            records.append(Record(measure_name, name, "ms", found[mode, figure, name]))
    return Part(
        name="search",
        title="Search",
        about=ABOUT.format(count=count),
        command="python -m benchmarks search",
        records=records,
        skipped=skipped,
        plot=[f"{rows:,} chunks, hybrid: {figure}" for rows in sizes for figure in ("p50", "p95")],
    )


def opened(
    rows: int, count: int, rounds: int, folder: Path, stack: ExitStack, skipped: dict[str, str]
) -> dict[str, Worker]:
    """A warm process of each system, over the same texts and vectors."""
    with built(rows, "hash", folder / "home"):
        pass
    asked = [questions(count, seed) for seed in range(rounds + 1)]
    (folder / "questions.json").write_text(json.dumps(asked))
    places = {OURS: folder / "home"} | {name: folder / system for name, system in PEERS.items()}
    first, *others = (places[name] for name in PEERS)
    copied(rows, first)
    for place in others:  # each writes into its own: an index, a version
        shutil.copytree(first, place)
    started = dict[str, Worker]()
    for name, place in places.items():
        ours = name == OURS
        given = ["llmops" if ours else PEERS[name], str(place), str(folder / "questions.json")]
        try:
            one = worker("benchmarks.contenders.search", *given, peer=not ours)
            started[name] = stack.enter_context(one)
        except Absent as error:
            skipped[name] = str(error)
    return started


def node(name: str, text: str) -> dict[str, str]:
    """What LlamaIndex's LanceDBVectorStore keeps of a node beside text and vector."""
    content: dict[str, object] = {"id_": name, "metadata": {}, "text": text}
    return {"_node_content": json.dumps(content), "_node_type": "TextNode"}


def copied(rows: int, folder: Path) -> None:
    """A table as the peers write it, with a full-text index of the texts."""
    import lancedb

    def part(first: int) -> Any:
        chunks, vectors = batch(first, PER_CALL, 1)
        size = vectors.shape[1]
        flat = pa.array(np.ascontiguousarray(vectors).ravel(), pa.float32())
        told = zip(chunks["chunk_id"], chunks["text"], strict=True)
        return pa.table(
            {
                "id": pa.array(chunks["chunk_id"].to_list()),
                "doc_id": pa.array(chunks["doc_id"].to_list()),
                "text": pa.array(chunks["text"].to_list()),
                "vector": pa.FixedSizeListArray.from_arrays(flat, size),
                "metadata": pa.array([node(*each) for each in told]),
            }
        )

    table = lancedb.connect(str(folder)).create_table("chunks", part(0))
    for first in range(PER_CALL, rows, PER_CALL):
        table.add(part(first))
    table.optimize()
    table.create_fts_index("text")
