"""Placeholder."""

from collections.abc import Mapping, Sequence

from llmops.tasks.monitoring.figures import Monitored


def report_html(
    monitored: Monitored,
    headline: str,
    warnings: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
) -> str:
    """Placeholder."""
    del monitored, warnings, links
    return f"<!doctype html><title>{len(headline)}</title>"
