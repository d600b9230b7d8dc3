"""The free embedder of every contender: feature hashing, a tenth of a millisecond a text."""

from collections.abc import Sequence

import numpy as np

from llmops.tasks.plugins.embedders.hash import HashEmbedder

DIMENSION = HashEmbedder.dimension


def embed(texts: Sequence[str]) -> list[list[float]]:
    rows: list[list[float]] = HashEmbedder().embed(texts).tolist()
    return rows


def embed_array(texts: Sequence[str]) -> list[np.ndarray]:
    return list(HashEmbedder().embed(texts))
