"""Live scores in words: what the artifact of a run shows."""

from llmops.tasks.monitoring.outcome import LiveMetric, LiveScores


def live_markdown(outcome: LiveScores) -> str:
    """The headline, and a row per metric."""
    rows = [
        f"| metric | mean of {outcome.days:g} days | 95 % interval | traces | unscored | failed |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_row(name, metric) for name, metric in outcome.metrics.items()),
    ]
    texts = [f"# {outcome.headline}", "\n".join(rows)]
    if outcome.warnings:
        texts.append("## Warnings\n\n" + "\n".join(f"- {_plain(w)}" for w in outcome.warnings))
    return "\n\n".join(texts)


def _row(name: str, metric: LiveMetric) -> str:
    value = "" if metric.value is None else f"{metric.value:.3f}"
    interval = f"{metric.interval[0]:.3f} to {metric.interval[1]:.3f}" if metric.interval else ""
    counts = (metric.scored, metric.unscored, metric.failed)
    return f"| {' | '.join([name, value, interval, *map(str, counts)])} |"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
