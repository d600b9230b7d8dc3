"""What a served application was asked and answered: whole conversations as they were sent."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from llmops.tasks.plugins.collectors import (
    Collector,
    CollectorContext,
    RecordedAnswer,
    Skipped,
)
from llmops.tasks.rows import Row, RowMessage

PART = 200
"""Traces that one task reads."""
UNITS = {"h": 1 / 24, "d": 1.0, "w": 7.0}
SINCE = re.compile(r"(\d+(?:\.\d+)?)([hdw])")


class TracesCollector(Collector):
    """`since`: such as 12h, 30d, 8w. `feedback`: whose answers; `none` are those that nobody rated.
    `score`: the least value by each live metric, such as {grounded: 0.8}; an answer without one is
    left out.
    """

    app: str
    """The application whose answers are collected."""
    since: str = Field(default="30d", pattern=f"^{SINCE.pattern}$")
    feedback: Literal["up", "down", "none", "rated", "any"] = "any"
    score: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)

    @property
    def days(self) -> float:
        number, unit = SINCE.fullmatch(self.since).groups()  # type: ignore[union-attr]
        return float(number) * UNITS[unit]

    def parts(self, context: CollectorContext) -> list[str]:
        ids = context.answered(self.app, self.days)
        return [" ".join(ids[start : start + PART]) for start in range(0, len(ids), PART)]

    def rows(self, context: CollectorContext, part: str) -> Iterator[Row | Skipped]:
        for answer in context.recorded(part.split()):
            if self._wanted(answer):
                yield _row(answer)

    def _wanted(self, answer: RecordedAnswer) -> bool:
        liked = answer.liked
        said = {
            "any": True,
            "none": liked is None,
            "rated": liked is not None,
            "up": liked is not None and liked > 0.5,
            "down": liked is not None and liked < 0.5,
        }[self.feedback]
        enough = all(answer.scores.get(name, -1) >= least for name, least in self.score.items())
        return said and enough and bool(answer.answer.strip())


def _row(answer: RecordedAnswer) -> Row:
    passages = {"passages": [dict(each) for each in answer.passages]} if answer.passages else {}
    scores = {"scores": answer.scores} if answer.scores else {}
    return Row(
        id=answer.trace_id,
        messages=(*answer.asked, RowMessage(role="assistant", content=answer.answer)),
        tools=answer.tools,
        score=answer.liked,
        group=answer.group,
        lineage={**answer.lineage, **passages, **scores},
    )
