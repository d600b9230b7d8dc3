"""Counts the words of the question that a passage holds: needs no model and no network, costs
nothing, and gives the same order everywhere.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from llmops.tasks.plugins.rerankers import LocalReranker
from llmops.tasks.texts.terms import analyse

ADJACENT = 0.25
"""What it counts that words of the question stand beside each other in the passage, too."""


class OverlapReranker(LocalReranker):
    """For trying, for tests and as the least that another one has to beat: the share of the
    question's terms that the passage holds, and of its pairs of terms, in [0, 1].
    """

    cheap: ClassVar[bool] = True

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        asked = analyse(question)
        terms, pairs = set(asked), set(pairwise(asked))
        return [_share(terms, pairs, analyse(text)) for text in texts]


def _share(terms: set[str], pairs: set[tuple[str, str]], held: Sequence[str]) -> float:
    if not terms:
        return 0.0
    alone = len(terms & set(held)) / len(terms)
    if not pairs:
        return alone
    return (1 - ADJACENT) * alone + ADJACENT * len(pairs & set(pairwise(held))) / len(pairs)
