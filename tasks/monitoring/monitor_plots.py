"""Placeholder."""

from llmops.tasks.monitoring.figures import Monitored


def plots(monitored: Monitored) -> dict[str, bytes]:
    """Placeholder."""
    del monitored
    return {}
