"""What is trained, as a config says it, and the judged questions that it names."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from llmops.tasks.datasets.clicked import clicked
from llmops.tasks.datasets.evidence import gathered
from llmops.tasks.datasets.golden import golden_of
from llmops.tasks.datasets.settled import settled
from llmops.tasks.datasets.words import Words, words
from llmops.tasks.errors import UsageError
from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.plugins.trainers import DatasetTrainer, Trainer
from llmops.tasks.plugins.trainers.retrieval import RetrievalTrainer
from llmops.tasks.retrieval.golden import Question, read_golden
from llmops.tasks.schemas import paths_of, sha256
from llmops.tasks.training.sweep import Sweep


class TrainSpec(BaseModel):
    """`name`: of the config; `trainer`: with its options; `folder`: where relative paths start;
    `config`: as MLflow shows it; `sweep`: which of its options are tried; `budget_usd`: the most
    that a service may take; `month_usd`: the most that the home may pay in a calendar month, this
    included.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    trainer: Spec
    folder: Path
    config: dict[str, object] = {}
    sweep: Sweep | None = None
    budget_usd: float | None = None
    month_usd: float | None = None

    def of_dataset(self) -> DatasetTrainer | None:
        """The trainer, where it learns from a data set."""
        trainer = self.trainer.build(Trainer)
        return trainer.at(self.folder) if isinstance(trainer, DatasetTrainer) else None

    def build(self) -> RetrievalTrainer:
        """Raises UsageError for a trainer of another kind."""
        trainer = self.trainer.build(Trainer)
        if not isinstance(trainer, RetrievalTrainer):
            raise UsageError(
                f"the trainer {self.trainer.name} makes a model of its own ({trainer.kind}), not "
                "the ranking of a knowledge base",
                hint="allowed here: retrieval",
            )
        return trainer


class Labels(NamedTuple):
    """Judged questions by id, and how many came from where. `clicked`: questions of answers whose
    sources were opened, never more than judged ones. `sha256`: of what all of them say, in the
    order of their ids: the version of the data set.
    """

    questions: tuple[Question, ...]
    sources: dict[str, int]
    sha256: str
    clicked: tuple[Question, ...] = ()


def labels_of(home: Path, spec: TrainSpec) -> Labels:
    """Those of golden sets first; a question of the same id that people's feedback has made counts
    once. Raises ConfigError for a broken golden set, UsageError where there is none, Unavailable
    where MLflow does not answer.
    """
    trainer = spec.build()
    found: dict[str, Question] = {}
    sources: dict[str, int] = {}
    if trainer.questions is not None:
        read = read_golden(*paths_of(spec.folder, trainer.questions)).questions
        found |= {question.id: question for question in read}
        sources["golden sets"] = len(read)
    clicks: list[Question] = []
    if trainer.feedback is not None:
        told = words(home, trainer.feedback, trainer.feedback, trainer.trust)
        said = feedback_questions(home, trainer, told)
        sources["feedback"] = len(said)
        found = {question.id: question for question in said} | found
        if trainer.clicks:
            every = clicked(home, trainer.feedback, trainer.knowledge_base, told)
            clicks = weakly_judged(found.values(), every)
            sources["clicks"] = len(clicks)
    if not found:
        raise UsageError(
            f"people have not found any answer of {trainer.feedback!r} good yet: there is nothing "
            "to train on",
            hint="reviews and ratings of trusted people count; or name golden sets in questions",
        )
    questions = tuple(found[key] for key in sorted(found))
    weak = tuple(sorted(clicks, key=lambda each: each.id))
    shown = {"question", "relevant"}
    content = [each.model_dump(mode="json", include=shown) for each in (*questions, *weak)]
    return Labels(questions, sources, sha256(canonical(content)), weak)


def weakly_judged(judged: Collection[Question], clicks: Sequence[Question]) -> list[Question]:
    """What clicks add: no question that was judged, and not more than those that were."""
    asked = {_words(each) for each in judged}
    return [each for each in clicks if _words(each) not in asked][: len(judged)]


def _words(question: Question) -> str:
    return " ".join(question.question.casefold().split())


def feedback_questions(home: Path, trainer: RetrievalTrainer, said: Words) -> list[Question]:
    """What good answers of an application say of its passages: accepted, corrected or rated."""
    evidence, _ = gathered(home, settled(said.feedback, said.reviews))
    mine = [
        each
        for each in evidence
        if each.lineage.knowledge_base.partition("@")[0] in ("", trainer.knowledge_base)
    ]
    return golden_of(mine)[0]


def held_out(spec: TrainSpec) -> tuple[Question, ...]:
    """The questions of `test`; none where it is not given."""
    trainer = spec.build()
    if trainer.test is None:
        return ()
    return read_golden(*paths_of(spec.folder, trainer.test)).questions
