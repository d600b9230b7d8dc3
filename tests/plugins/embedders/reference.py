"""BERT once more, in plain numpy and float64, to compare with: written from the BERT
paper, not from ours.
"""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import erf

Array = np.ndarray[Any, Any]


class Reference:
    """`vector(ids)` of token ids with [CLS] and [SEP]: mean of the last states, or the first, of
    length 1.
    """

    def __init__(
        self, folder: Path, layers: int = 6, heads: int = 12, pooling: str = "mean"
    ) -> None:
        from safetensors.numpy import load_file

        self.layers, self.count, self.pooling = layers, heads, pooling

        self.weights = {
            name: value.astype(np.float64)
            for name, value in load_file(folder / "model.safetensors").items()
        }

    def vector(self, ids: list[int]) -> Array:
        state = (
            self.weights["embeddings.word_embeddings.weight"][ids]
            + self.weights["embeddings.position_embeddings.weight"][: len(ids)]
            + self.weights["embeddings.token_type_embeddings.weight"][0]
        )
        state = self.norm("embeddings.LayerNorm", state)
        for number in range(self.layers):
            state = self.layer(f"encoder.layer.{number}.", state)
        mean = state[0] if self.pooling == "cls" else state.mean(axis=0)
        return np.asarray(mean / np.linalg.norm(mean))

    def layer(self, prefix: str, state: Array) -> Array:
        query, key, value = (
            self.heads(self.linear(f"{prefix}attention.self.{part}", state))
            for part in ("query", "key", "value")
        )
        scores = self.scores(query, key)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (
            (shares / shares.sum(axis=-1, keepdims=True) @ value)
            .transpose(1, 0, 2)
            .reshape(state.shape)
        )
        state = self.norm(
            f"{prefix}attention.output.LayerNorm",
            state + self.linear(f"{prefix}attention.output.dense", mixed),
        )
        inner = self.linear(f"{prefix}intermediate.dense", state)
        inner = inner * (1 + erf(inner / np.sqrt(2))) / 2
        return self.norm(
            f"{prefix}output.LayerNorm", state + self.linear(f"{prefix}output.dense", inner)
        )

    def scores(self, query: Array, key: Array) -> Array:
        """Of shape (heads, tokens, tokens)."""
        return np.asarray(query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1]))

    def heads(self, state: Array) -> Array:
        return state.reshape(len(state), self.count, -1).transpose(1, 0, 2)

    def linear(self, name: str, state: Array) -> Array:
        return np.asarray(state @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"])

    def norm(self, name: str, state: Array) -> Array:
        centred = state - state.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        return np.asarray(scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"])
