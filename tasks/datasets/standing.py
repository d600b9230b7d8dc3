"""How a review queue stands, as the outcome of the feedback flow tells it."""

from pathlib import Path

from llmops.tasks.datasets.outcome import ReviewCounts
from llmops.tasks.review.agreement import agreement, states


def standing(home: Path, app: str, queue: str) -> ReviewCounts:
    """Items by their state, and agreement over those that several people have reviewed."""
    agreed = agreement(home, app, queue)
    return ReviewCounts(
        queue=queue,
        states=states(home, app, queue),
        agreement=agreed.alpha,
        agreeing=agreed.agreement,
        compared=agreed.n,
    )
