"""Short passages first."""

from collections.abc import Sequence
from typing import ClassVar

from llmops.tasks.plugins.rerankers import LocalReranker


class ExampleReranker(LocalReranker):
    """A passage of `ideal` characters scores 1, longer and shorter ones less. A real one reads
    question and passage together, with a model that it loads in `scores`.
    """

    cheap: ClassVar[bool] = True
    ideal: int = 300

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        return [1 / (1 + abs(len(text) - self.ideal) / self.ideal) for text in texts]
