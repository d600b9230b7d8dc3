"""The config of the `feedback` flow: from what people were answered, and said of it, to questions,
cases, curated answers and training rows.
"""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from llmops.configs.section import FlowConfig, Schedule, Section, Slots
from llmops.tasks.chat.spec import Name
from llmops.tasks.datasets.project import ProjectSpec
from llmops.tasks.datasets.words import Trust
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.triage.signals import TriageRules


class Triage(Section):
    """Which answers people should look at. `grounding`: those of which the passages support a
    smaller share of sentences, 0 for none; `random`: the share of a sample; `topics`: how many new
    topics a run brings, told apart by `embed`; `most`: items that a run adds to the queue.
    `outdated`: also corrections whose support has left the documents.
    """

    negative: bool = True
    refusals: bool = True
    grounding: float = Field(default=0.5, ge=0, le=1)
    disagreements: bool = True
    random: float = Field(default=0.02, ge=0, le=1)
    topics: int = Field(default=5, ge=0, le=100)
    most: int = Field(default=100, ge=1, le=10_000)
    outdated: bool = True
    embed: Spec = Spec(name="minilm")


class ReviewSettings(Section):
    """`queue`: where reviewers find the answers, the application's own by default; `reviewers`: how
    many have to agree; `mlflow`: put them into MLflow's review queue of that name, too.
    """

    queue: Name | None = None
    reviewers: int = Field(default=1, ge=1, le=10)
    mlflow: bool = False


class WriteSettings(Section):
    """What is made of people's word: files, and answers that the application gives from then
    on.
    """

    golden: Path | None = None
    cases: Path | None = None
    curated: bool = True
    rows: Path | None = None

    @model_validator(mode="after")
    def _files_of_their_own(self) -> "WriteSettings":
        names = [str(path) for path in (self.golden, self.cases, self.rows) if path]
        if len(set(names)) < len(names):
            raise ValueError("golden, cases and rows are files of their own: name each differently")
        return self


class FeedbackConfig(FlowConfig):
    """Traces of one application, of the last `days`. `trust`: whose feedback counts without a
    review; without a key one is no reviewer, whatever name one gives.
    """

    plugins: ClassVar[Slots] = {"triage.embed": Embedder}
    flow: Literal["feedback"]
    name: Name = ""
    app: Name
    days: float = Field(default=30, gt=0, le=366)
    triage: Triage = Triage()
    review: ReviewSettings = ReviewSettings()
    trust: Trust = "reviewers"
    write: WriteSettings = WriteSettings()
    schedule: Schedule | None = None

    @model_validator(mode="before")
    @classmethod
    def _called_after_its_application(cls, content: object) -> object:
        if isinstance(content, dict) and isinstance(app := content.get("app"), str):
            return {"name": app, **content}
        return content

    @property
    def queue(self) -> str:
        return self.review.queue or self.app

    def rules(self) -> TriageRules:
        """Which answers are chosen."""
        return TriageRules.model_validate(self.triage.model_dump(exclude={"embed", "outdated"}))

    def project_spec(self) -> ProjectSpec:
        """What is made of people's word."""
        write = self.write
        return ProjectSpec(
            app=self.app,
            name=self.name,
            queue=self.queue,
            trust=self.trust,
            golden=self.folder / write.golden if write.golden else None,
            cases=self.folder / write.cases if write.cases else None,
            rows=self.folder / write.rows if write.rows else None,
            curated=write.curated,
            outdated=self.triage.outdated,
            reviewers=self.review.reviewers,
        )
