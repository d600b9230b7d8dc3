"""Texts as what letters they have: an embedder to start from."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from llmops.tasks.plugins.embedders import Embedder, normalised
from llmops.tasks.schemas import Vectors

TOKEN = re.compile(r"\w+|[^\w\s]")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class ExampleEmbedder(Embedder):
    """How often each letter occurs. `damping`: below 1, frequent letters count for less. A real one
    loads its model in `embed`, never in the constructor.
    """

    dimension: ClassVar[int] = len(LETTERS)
    max_tokens: ClassVar[int] = 8192
    damping: float = 0.5

    def embed(self, texts: Sequence[str]) -> Vectors:
        counts = [Counter(text.lower()) for text in texts]
        rows = [[float(count[letter]) for letter in LETTERS] for count in counts]
        table = np.array(rows, np.float32).reshape(len(texts), self.dimension)
        return normalised(table**self.damping)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in TOKEN.finditer(text)]
