"""Which passages say what a text says, without asking a model."""

from collections.abc import Sequence

from llmops.tasks.chat.knowledge import Hit
from llmops.tasks.plugins.scorers.citations import without_markers
from llmops.tasks.plugins.scorers.grounded import covered, ground, numbers_in

SUPPORT = "support"
"""The step that looks for them."""
SHARE = 0.6
"""Of a text's words, the least that a passage has to have: the default of the scorer `grounded`."""


def supports(text: str, passage: str) -> float:
    """The share of the text's words that the passage has, from 0 to 1."""
    return covered(text, ground((passage,))) or 0.0


def supporting(text: str, hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Those that have most of the text's words and each of its numbers, in their order: a price
    that has changed since is no support.
    """
    wanted = set(numbers_in(without_markers(text)))
    alike = [hit for hit in hits if supports(text, hit.text) >= SHARE]
    return tuple(hit for hit in alike if wanted <= set(numbers_in(hit.text)))
