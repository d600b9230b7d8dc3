"""What a training came to: the object that `llmops train --json` prints."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.retrieval.measure import QuestionReport

Status = Literal["planned", "promoted", "rejected", "inconclusive"]


class Gain(BaseModel):
    """A difference on `questions` questions in `groups` independent groups, with its 95 % interval:
    what is gained in nDCG@10, from `before` to `after`.
    """

    model_config = ConfigDict(frozen=True)
    before: float
    after: float
    difference: float
    interval: tuple[float, float]
    questions: int
    groups: int

    @property
    def shown(self) -> bool:
        """Whether the gain is more than chance."""
        return self.interval[0] > 0

    def told(self) -> str:
        low, high = self.interval
        change = f"{self.difference:+.3f} [{low:+.3f}, {high:+.3f}]"
        return f"nDCG@10 {self.before:.3f} → {self.after:.3f}, {change}"


class LabelCounts(BaseModel):
    """`judged`: questions that were given; `sources`: by where they came from; `usable`: those that
    were learnt from; the others name no passage of the knowledge base (`without_passage`), or are
    in a language that the embedder does not know (`other_language`), where text decides alone.
    `clicks`: usable questions of opened sources, which are not judged and only train.
    """

    model_config = ConfigDict(frozen=True)
    judged: int
    sources: dict[str, int]
    usable: int
    clicks: int = 0
    without_passage: int
    other_language: int
    groups: int


class LostQuestion(QuestionReport):
    """A question whose answer moved down: by how much its nDCG@10 fell."""

    lost: float


class RankingFigures(BaseModel):
    """`weight`: what a fitted weight gains; `adapter`: what the adapter gains on top of the better
    of both; `served`: what the ranking that would be served gains in all. All are of documents that
    were not trained on; `seen`: the last on documents that were. `whitening`: the control without
    labels. `first`: precision@1 before and after. `better`, `worse`, `same`: questions; `worst`:
    those that lose most. `test`, `test_seen`, `test_unseen`: of the set that neither trains nor
    decides. `against_live`: the candidate beside the ranking that was live, None where none was;
    `against_better`, `against_worse`: questions of that.
    """

    model_config = ConfigDict(frozen=True)
    weight: Gain | None = None
    adapter: Gain | None = None
    served: Gain | None = None
    seen: Gain | None = None
    whitening: Gain | None = None
    first: tuple[float, float] | None = None
    better: int = 0
    worse: int = 0
    same: int = 0
    tags: dict[str, float] = Field(default_factory=dict)
    worst: tuple[LostQuestion, ...] = ()
    test: Gain | None = None
    test_first: tuple[float, float] | None = None
    test_seen: Gain | None = None
    test_unseen: Gain | None = None
    against_live: Gain | None = None
    against_better: int = 0
    against_worse: int = 0


class TrainOutcome(BaseModel):
    """`ranking`: the number under which it is kept, whatever was decided; `live`: the one that is
    live now, None for none; `learnt`: weight and adapter, as far as they passed.
    """

    model_config = ConfigDict(frozen=True)
    flow: Literal["train"] = "train"
    name: str
    trainer: str
    knowledge_base: str
    version: int
    status: Status
    reason: str
    ranking: int | None = None
    previous_ranking: int | None = None
    live: int | None = None
    learnt: dict[str, float | bool] = Field(default_factory=dict)
    labels: LabelCounts
    figures: RankingFigures = RankingFigures()
    dataset_sha256: str
    model_sha256: str | None = None
    seconds: float = 0.0
    prefect_run_id: str | None = None
    mlflow_run_id: str | None = None
    links: dict[str, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)

    @property
    def headline(self) -> str:
        return f"{self.knowledge_base}: {self.status}: {self.reason}"

    @property
    def failed(self) -> str | None:
        return None

    @property
    def completed(self) -> str:
        return self.status.capitalize()

    @property
    def exit_code(self) -> int:
        """3 for rejected, 5 for inconclusive, else 0."""
        return {"rejected": 3, "inconclusive": 5}.get(self.status, 0)

    def warned(self, *warnings: str) -> "TrainOutcome":
        return self.model_copy(update={"warnings": [*self.warnings, *warnings]})

    def linked(self, links: dict[str, str]) -> "TrainOutcome":
        return self.model_copy(update={"links": links})

    def public(self) -> Mapping[str, object]:
        """The JSON object."""
        return {**self.model_dump(mode="json"), "headline": self.headline}
