"""Scorers: one answer to one case in, a number with its reason out."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmops.tasks.plugins import Plugin, Spec, digest
from llmops.tasks.plugins.llms import Reply, Request, llm_of
from llmops.tasks.schemas import Lineage

Ask = Callable[[Request], Awaitable[Reply]]
"""Asks the scorer's own model: paid once, within the budget of the run. Raises DocumentError when
it gives no usable reply.
"""


class Case(BaseModel):
    """One question of an evaluation. `expected` is what scorers compare with; cases of one `group`
    are not independent. `lineage`: where one comes from that people's feedback has made; it is no
    part of what the case says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str = Field(min_length=1)
    inputs: dict[str, Any]
    expected: dict[str, Any] = Field(default_factory=dict)
    group: str | None = None
    tags: tuple[str, ...] = ()
    lineage: Lineage | None = None


class Passage(BaseModel):
    """A piece of text that the prompt was given, best first. Empty strings where it did not come
    from a knowledge base.
    """

    model_config = ConfigDict(frozen=True)
    text: str
    uri: str = ""
    title: str = ""
    doc_id: str = ""
    chunk_id: str = ""


class Sample(BaseModel):
    """An answered case. `output`: the JSON Schema that the prompt asked for; `parsed`: the JSON of
    such an answer, None where it is none.

    `question`: the case's `inputs.question`, else its only text input, else all inputs as JSON.
    """

    model_config = ConfigDict(frozen=True)
    case: Case
    answer: str
    question: str = ""
    parsed: Any = None
    output: dict[str, Any] | None = None
    passages: tuple[Passage, ...] = ()
    latency_ms: float = 0.0
    cost_usd: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0


class Score(BaseModel):
    """`value` None: it could not be scored, and `reason` says why; that is never a zero. `parts`:
    further metrics, called `name.part`. `failed`: the scorer itself broke (a judge that gave no
    usable reply), rather than having nothing to say about this case."""

    model_config = ConfigDict(frozen=True)
    value: float | None
    reason: str = ""
    parts: dict[str, float] = Field(default_factory=dict)
    failed: bool = False


class Scorer(Plugin, ABC):
    """`id`: the metric's name, where a scorer is used twice; else it is the plugin's name.
    `optional`: cases that lack what the scorer needs are left unscored; without it they are a
    mistake, found before anything is paid."""

    family: ClassVar[str] = "scorers"
    higher_is_better: ClassVar[bool] = True
    range_known: ClassVar[bool] = True
    """Values that lie from 0 to 1 do so by their nature, and not by chance."""
    id: str | None = Field(default=None, pattern=r"^[A-Za-z_]\w{0,60}$")
    optional: bool = False

    def missing(self, case: Case) -> str | None:
        """What the scorer needs of a case and does not find, as a sentence; None: nothing. Asked
        before anything is paid.
        """
        return None

    @abstractmethod
    def score(self, sample: Sample) -> Score:
        """The score of one answer. Raises nothing for any answer: what cannot be scored has the
        value None and a reason.
        """

    def score_all(self, samples: Sequence[Sample]) -> list[Score]:
        """The scores, in order: for scorers that are quicker with many at once."""
        return [self.score(sample) for sample in samples]


class Judge(Scorer, ABC):
    """A scorer that asks a language model. `floor`: the least agreement with human labels at which
    it may decide, not only inform; `llmops evaluate --calibrate` measures it with the file
    `labels`."""

    llm: Spec = Field(repr=False)
    """The model that judges, as configs of evaluations name one."""
    floor: float | None = Field(default=None, ge=-1, le=1)
    labels: str | None = None

    @model_validator(mode="after")
    def _can_be_asked_and_trusted(self) -> Self:
        llm_of(self.llm)
        if self.llm.name == "extractive":
            raise ValueError(
                "llm: extractive quotes sentences and cannot judge them: name a language model"
            )
        if self.floor is not None and self.labels is None:
            raise ValueError(
                "`floor` needs `labels`: a file of answers that people have graded, to "
                "measure the judge with"
            )
        return self

    @property
    def grades(self) -> tuple[int | str, ...]:
        """What people's labels may say, the worst first: the value 0 is the first, 1 the last, and
        the others lie evenly between.
        """
        return (0, 1)

    def fingerprint(self) -> str:
        """Options and what the model's replies depend on: not its key or place, nor how the judge
        is called and checked.
        """
        return digest(
            f"{self.spelling()}/{self.revision}",
            self.model_dump_json(exclude={"llm", "floor", "labels", "id", "optional"}),
            llm_of(self.llm).fingerprint(),
        )

    def score(self, sample: Sample) -> Score:
        """A judge cannot answer without its model: see `judge`."""
        raise TypeError(f"{type(self).__name__} asks a model; call judge()")

    @abstractmethod
    async def judge(self, sample: Sample, ask: Ask) -> Score:
        """The score of one answer. Raises what `ask` raises."""


class PairJudge(Judge, ABC):
    """A judge of two answers to the same case: 1 when the candidate's is better, 0 when the
    baseline's is, 0.5 for a tie.
    """

    @property
    def grades(self) -> tuple[int | str, ...]:
        """Of two answers a and b, as candidate and baseline."""
        return ("b", "tie", "a")

    async def judge(self, sample: Sample, ask: Ask) -> Score:
        """One answer alone has no value here."""
        return Score(value=None, reason="compares two answers")

    @abstractmethod
    async def compare(self, candidate: Sample, baseline: Sample, ask: Ask) -> Score:
        """Raises what `ask` raises."""


def metric_of(spec: Spec) -> str:
    """The name under which a scorer's values stand in every table."""
    return spec.id
