"""From text to vectors, and the tokenizer that goes with them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins import Plugin
from llmops.tasks.schemas import Starts, Vectors

Embed = Callable[[Sequence[str]], Vectors]
"""One side of an embedder: its `embed`, or its `embed_query`."""


class Embedder(Plugin, ABC):
    """An embedder declares what it can do before anything is loaded.

    `languages`: ISO 639-1 codes that its vectors are good for; empty means all. `max_tokens`: how
    long a text may be, without special tokens; what is longer is cut by the model, so chunkers stay
    below. `price`: US dollars per million tokens. `alone`: counting tokens is its own work, cheap
    to begin, so that a build may let it count in several processes at once. Each class says so of
    itself; it is not inherited. `texts_per_call`: how many a build gives it at once; what a call
    gave is remembered before the next, so that a crash costs one call.
    """

    family: ClassVar[str] = "embedders"
    alone: ClassVar[bool] = False
    texts_per_call: ClassVar[int] = 64

    @property
    def languages(self) -> frozenset[str]:
        """What its vectors are good for. A class attribute where all of a kind have the same."""
        return frozenset()

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Of every vector. A class attribute where all of a kind have the same."""

    @property
    @abstractmethod
    def max_tokens(self) -> int:
        """How long a text may be. A class attribute where all of a kind have the same."""

    @property
    def price(self) -> float:
        """US dollars per million tokens; 0 where it costs nothing, or nobody knows what."""
        return 0.0

    @property
    def priced(self) -> bool:
        """Whether the price is known."""
        return True

    def check(self) -> None:
        """Raise UsageError where files that an option names are not there. Nothing is loaded."""

    def load(self) -> None:
        """Load ahead what `embed` would load at its first call; nothing where that is a service.
        Raises what that call would raise.
        """

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of passages: one L2-normalised float32 row per text, in order. A text's
        vector never depends on its neighbours.

        Raises Unavailable when the model cannot be reached or loaded.
        """

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        """The vectors of questions, as `embed` gives those of passages. Many models (E5, BGE,
        Cohere, Voyage) want to be told which of the two a text is; of all others they are the same.
        """
        return self.embed(texts)

    def query_fingerprint(self) -> str:
        """What a question's vector depends on: whoever remembers vectors of questions, or has
        trained on them, keeps them by this. That of passages where both sides are the same.
        """
        return self.fingerprint()

    @abstractmethod
    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Character offsets (start, end) of each token of the text, ascending, without special
        tokens.
        """

    def token_starts(self, text: str) -> Starts:
        """The first of each pair of `token_offsets`, for whoever needs no more: an embedder may
        know a quicker way.
        """
        pairs = self.token_offsets(text)
        return np.fromiter((start for start, _ in pairs), np.int64, len(pairs))

    def count(self, text: str) -> int:
        """The length of a text in tokens."""
        return len(self.token_starts(text))


def normalised(vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Vectors:
    """Rows scaled to length 1; a zero row becomes the first unit vector, which stores accept.

    Raises Unavailable for a row without a finite length: it would be remembered, and found beside
    anything.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if broken := int((~np.isfinite(lengths)).sum()):
        raise Unavailable(
            f"the embedder gave NaN, infinity or numbers that are too large in {broken} of "
            f"{len(vectors)} vectors; finite ones are wanted",
            hint="check the model: it may be damaged, or overflow in half precision",
        )
    safe = np.where(lengths > 0, vectors, np.eye(1, vectors.shape[1], dtype=np.float32))
    result: Vectors = (safe / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return result
