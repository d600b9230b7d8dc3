"""What a run of the feedback flow came to: the object that `llmops feedback --json` prints."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.datasets.project import Projected


class TriageCounts(BaseModel):
    """`looked`: new traces that were looked at; `waiting`: those that later runs look at; `topics`:
    new ones; `added`: items that are new in the queue, `reasons`: why, by reason; `left`: answers
    that have a reason, and come with later runs.
    """

    model_config = ConfigDict(frozen=True)
    looked: int = 0
    waiting: int = 0
    topics: int = 0
    added: int = 0
    left: int = 0
    reasons: dict[str, int] = Field(default_factory=dict)


class ReviewCounts(BaseModel):
    """Of the whole queue. `agreement`: Krippendorff's alpha of the reviewers' verdicts, None where
    it is not known; `mlflow`: items that were put into MLflow's queue, and answers from there.
    """

    model_config = ConfigDict(frozen=True)
    queue: str
    states: dict[str, int] = Field(default_factory=dict)
    agreement: float | None = None
    agreeing: float | None = None
    compared: int = 0
    mlflow: dict[str, int] | None = None


class FeedbackOutcome(BaseModel):
    """`status`: changed where the queue, a file or a curated answer did."""

    model_config = ConfigDict(frozen=True)
    flow: Literal["feedback"] = "feedback"
    name: str
    app: str
    status: Literal["changed", "unchanged", "incomplete"]
    triage: TriageCounts
    review: ReviewCounts
    written: Projected
    seconds: float = 0.0
    prefect_run_id: str | None = None
    mlflow_run_id: str | None = None
    links: dict[str, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)

    @property
    def headline(self) -> str:
        files = "".join(f", {each.rows} {each.kind}" for each in self.written.files)
        settled = sum(self.written.settled.values())
        return (
            f"{self.app}: {self.triage.looked} new traces looked at, {self.triage.added} put into "
            f"the queue {self.review.queue}; {settled} answers settled{files}"
        )

    @property
    def failed(self) -> str | None:
        return None

    @property
    def completed(self) -> str:
        return "Incomplete" if self.status == "incomplete" else "Completed"

    def warned(self, *warnings: str) -> "FeedbackOutcome":
        return self.model_copy(update={"warnings": [*self.warnings, *warnings]})

    def linked(self, links: dict[str, str]) -> "FeedbackOutcome":
        return self.model_copy(update={"links": links})

    def public(self) -> Mapping[str, object]:
        """The JSON object."""
        return {**self.model_dump(mode="json"), "headline": self.headline}


def feedback_outcome(
    name: str,
    app: str,
    triage: TriageCounts,
    review: ReviewCounts,
    written: Projected,
    run_id: str | None,
    seconds: float,
) -> FeedbackOutcome:
    """The outcome, with what a person has to know as warnings."""
    left_alone = [each.hint for each in written.files if each.status == "edited"]
    return FeedbackOutcome(
        name=name,
        app=app,
        status=_status(triage, review, written),
        triage=triage,
        review=review,
        written=written,
        seconds=seconds,
        prefect_run_id=run_id,
        warnings=[*left_alone, *_lost(written)],
    )


def _status(
    triage: TriageCounts, review: ReviewCounts, written: Projected
) -> Literal["changed", "unchanged", "incomplete"]:
    states = {each.status for each in written.files}
    if "edited" in states or written.lost:
        return "incomplete"
    curated = written.curated
    moved = curated is not None and bool(curated.added or curated.changed or curated.retired)
    put = bool(review.mlflow and review.mlflow.get("put"))
    added = triage.added or written.outdated
    return "changed" if added or "written" in states or moved or put else "unchanged"


def _lost(written: Projected) -> list[str]:
    curated = written.curated
    return [
        text
        for count, text in (
            (
                written.outdated,
                f"{written.outdated} corrections are put to people again: what supports them has "
                "left the documents. Until then nothing is made of them",
            ),
            (
                written.lost,
                f"{written.lost} settled answers have no trace any more, neither in MLflow nor on "
                "their way there: nothing was made of them",
            ),
            (
                curated.by_hand if curated else 0,
                f"{curated.by_hand if curated else 0} curated answers were changed or retired by "
                "hand, and were left as they are",
            ),
            (
                curated.skipped if curated else 0,
                f"{curated.skipped if curated else 0} corrections are no curated answers: their "
                "traces do not say who may get them, or they are too long",
            ),
        )
        if count
    ]
