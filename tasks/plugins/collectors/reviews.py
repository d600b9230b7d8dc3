"""Answers that people wrote, corrected or judged, and their votes between two answers."""

from collections.abc import Iterator

from pydantic import Field

from llmops.tasks.plugins.collectors import Collector, CollectorContext, Skipped, Trust
from llmops.tasks.rows import Row


class ReviewsCollector(Collector):
    """`queue`: whose reviews; `app`: whose answers, that of the queue's name by default; `trust`:
    whose feedback counts without a review.
    """

    queue: str
    app: str = ""
    trust: Trust = Field(default="reviewers")

    def rows(self, context: CollectorContext, part: str) -> Iterator[Row | Skipped]:
        del part
        yield from context.reviewed(self.app or self.queue, self.queue, self.trust)
