"""Searches: `python -m benchmarks.contenders.search SYSTEM FOLDER QUESTIONS`. Asked for a mode, it
answers the next questions in it, each alone, in a warm process. `FOLDER`: for ours the home, for
the peers a LanceDB of the same texts and vectors, as they would write it.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders.hashed import embed
from benchmarks.contenders.worker import serve

K, WARM, TABLE = 10, 10, "chunks"
MODES = ("hybrid", "vector")
Search = Callable[[str, str], int]
"""(mode, question) -> how many passages came."""


def llmops(folder: str) -> Search:
    from llmops import KnowledgeBase

    kb = KnowledgeBase("bench", Path(folder))
    return lambda mode, question: len(kb.search(question, K, mode))  # type: ignore[arg-type]


def lancedb(folder: str) -> Search:
    import lancedb

    table = lancedb.connect(folder).open_table(TABLE)

    def search(mode: str, question: str) -> int:
        vector = embed([question])[0]
        query: Any = table.search(vector)
        if mode == "hybrid":
            query = table.search(query_type="hybrid").vector(vector).text(question)
        return len(query.limit(K).to_list())

    return search


def llamaindex(folder: str) -> Search:
    from llama_index.core import VectorStoreIndex
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.vector_stores.types import VectorStoreQueryMode
    from llama_index.vector_stores.lancedb import LanceDBVectorStore

    class HashEmbedding(BaseEmbedding):
        def _get_text_embedding(self, text: str) -> list[float]:
            return embed([text])[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return embed([query])[0]

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return embed([query])[0]

    found = {}
    for mode in MODES:
        store = LanceDBVectorStore(uri=folder, table_name=TABLE, query_type=mode)
        index = VectorStoreIndex.from_vector_store(store, embed_model=HashEmbedding())
        asked = VectorStoreQueryMode.HYBRID if mode == "hybrid" else VectorStoreQueryMode.DEFAULT
        found[mode] = index.as_retriever(similarity_top_k=K, vector_store_query_mode=asked)
    return lambda mode, question: len(found[mode].retrieve(question))


SYSTEMS = {"llmops": llmops, "lancedb": lancedb, "llamaindex": llamaindex}


def main(system: str, folder: str, file: str) -> None:
    asked: list[list[str]] = json.loads(Path(file).read_text(encoding="utf-8"))
    search = SYSTEMS[system](folder)
    rounds = {mode: iter(asked) for mode in MODES}
    for mode in MODES:
        for question in next(rounds[mode])[:WARM]:
            search(mode, question)

    def work(mode: str) -> dict[str, float]:
        times, processor = [], time.process_time()
        for question in next(rounds[mode]):
            began = time.perf_counter()
            if search(mode, question) < K:
                raise RuntimeError(f"fewer than {K} passages")
            times.append(1_000 * (time.perf_counter() - began))
        p50, p95 = np.percentile(times, [50, 95])
        cpu = 1_000 * (time.process_time() - processor) / len(times)
        return {"p50": float(p50), "p95": float(p95), "cpu": cpu}

    serve({mode: partial(work, mode) for mode in MODES})


if __name__ == "__main__":
    main(*sys.argv[1:])
