"""Embedders: `python -m benchmarks.contenders.embed SYSTEM TEXTS MODEL`. `TEXTS` holds lists of
texts by kind; asked for a kind, it embeds that list once. All have the weights of all-MiniLM-L6-v2.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.contenders.worker import serve

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
Embed = Callable[[list[str]], Sequence[Sequence[float]] | np.ndarray]


def llmops(precision: str, model: str) -> Embed:
    del model  # the weights' package
    from llmops.tasks.plugins import Spec
    from llmops.tasks.plugins.embedders import Embedder

    return Spec(name="minilm", options={"precision": precision}).build(Embedder).embed


def fastembed(model: str) -> Embed:
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    TextEmbedding.add_custom_model(
        model="bench/minilm",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf="bench/minilm"),
        dim=384,
        model_file="model.onnx",
    )
    loaded = TextEmbedding("bench/minilm", specific_model_path=model)
    return lambda texts: np.stack(list(loaded.embed(texts)))


def sentence_transformers(model: str) -> Embed:
    from sentence_transformers import SentenceTransformer

    loaded = SentenceTransformer(str(Path(model).parent / "minilm"), device="cpu")
    return partial(loaded.encode, normalize_embeddings=True, show_progress_bar=False)


def llamaindex(model: str) -> Embed:
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    loaded = HuggingFaceEmbedding(str(Path(model).parent / "minilm"), device="cpu")
    embed: Embed = loaded.get_text_embedding_batch
    return embed


SYSTEMS: dict[str, Callable[[str], Embed]] = {
    "fp32": partial(llmops, "fp32"),
    "int8": partial(llmops, "int8"),
    "fastembed": fastembed,
    "sentence-transformers": sentence_transformers,
    "llamaindex": llamaindex,
}


def main(system: str, file: str, model: str) -> None:
    kinds: dict[str, list[str]] = json.loads(Path(file).read_text(encoding="utf-8"))
    embed = SYSTEMS[system](model)
    embed(["warm", "up"])

    def work(texts: list[str]) -> dict[str, float]:
        began, processor = time.perf_counter(), time.process_time()
        vectors = np.asarray(embed(texts))
        seconds = time.perf_counter() - began
        return {
            "seconds": seconds,
            "cpu": time.process_time() - processor,
            "first": float(vectors[0][0]),
        }

    serve({kind: partial(work, texts) for kind, texts in kinds.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
