"""Placeholder."""

from collections.abc import Sequence
from pathlib import Path

from llmops.tasks.monitoring.figures import Recommendations
from llmops.tasks.monitoring.traffic import Exchange
from llmops.tasks.plugins.embedders import Embedder


def recommendations(
    home: Path,
    exchanges: Sequence[Exchange],
    embedder: Embedder,
    *,
    knowledge_bases: Sequence[str],
) -> Recommendations:
    """Placeholder."""
    del home, exchanges, embedder, knowledge_bases
    return Recommendations()
