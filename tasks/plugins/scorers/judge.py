"""A language model that grades an answer by a rubric.

Reasons before grades, as in G-Eval (Liu et al. 2023, arXiv:2303.16634); what such judges get wrong:
Zheng et al. 2023, Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena (arXiv:2306.05685).
"""

from statistics import fmean, median
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from llmops.tasks.plugins.llms import Message, Request
from llmops.tasks.plugins.scorers import Ask, Case, Judge, Sample, Score
from llmops.tasks.plugins.scorers._judging import (
    Criteria,
    Sees,
    Text,
    Unusable,
    background,
    lacking,
    listed,
    material,
    read_graded,
    rules,
    schema,
    shown_reason,
    understood,
)
from llmops.tasks.statistics.scales import Grade, Scale, grades_of, value_of

TASK = "Grade the answer by the rubric. Reply with the JSON object alone."


class Reading(NamedTuple):
    """One reply of the judge. `value` None: it could not be used, and `reason` says why."""

    value: float | None
    parts: dict[str, float]
    reason: str


class RubricJudge(Judge):
    """The value is the grade's place on the scale: 0 for the worst grade, 1 for the best. With
    `criteria` each is graded by itself and is a metric of its own, `judge.criterion`; the value is
    their mean.

    `scale`: `binary`, whole numbers such as `1-5`, or words, the worst first. `sees`: what the
    judge is shown beside question and answer. `repeats`: how often it is asked; the median counts.
    A reply that cannot be used is asked about once more; then the score is failed.
    """

    rubric: Text | None = None
    """What is judged, in words."""
    criteria: Criteria = Field(default_factory=dict)
    scale: Scale = "1-5"
    sees: tuple[Sees, ...] = ()
    repeats: int = Field(default=1, ge=1, le=9)

    @model_validator(mode="after")
    def _says_what_is_good(self) -> Self:
        if not self.rubric and not self.criteria:
            raise ValueError(
                "a `rubric` is wanted, which says what a good answer is, or `criteria` such as "
                "{accurate: says nothing that the passages do not say}"
            )
        return self

    @property
    def grades(self) -> tuple[Grade, ...]:
        """Those of the scale."""
        return grades_of(self.scale)

    def missing(self, case: Case) -> str | None:
        """The expected answer, where the judge is to see it."""
        return lacking(case, self.sees)

    async def judge(self, sample: Sample, ask: Ask) -> Score:
        """The median of the readings; one by one, so that a refusal is paid once. Raises what `ask`
        raises.
        """
        if lack := self.missing(sample.case):
            return Score(value=None, reason=lack)
        request = self.request(sample)
        return _together([await self._reading(request, ask) for _ in range(self.repeats)])

    def request(self, sample: Sample) -> Request:
        """What the judge is asked about an answer: the rubric apart from what others wrote."""
        blocks = background(sample, self.sees)
        blocks += [("passages", listed(sample.passages))] if "passages" in self.sees else []
        return Request(
            messages=(
                Message(
                    role="system", content=rules(self.rubric or "", self.criteria, self.grades)
                ),
                Message(role="user", content=material([*blocks, ("answer", sample.answer)], TASK)),
            ),
            output=schema(self.grades, tuple(self.criteria)),
        )

    async def _reading(self, request: Request, ask: Ask) -> Reading:
        try:
            graded = await understood(
                request,
                ask,
                lambda content: read_graded(content, self.grades, tuple(self.criteria)),
            )
        except Unusable as error:
            return Reading(None, {}, str(error))
        values = {name: value_of(grade, self.grades) for name, (grade, _) in graded.items()}
        return Reading(
            fmean(values.values()),
            {name: value for name, value in values.items() if name},
            shown_reason(graded),
        )


def _together(readings: list[Reading]) -> Score:
    """The median of the readings that could be used, with the reason of the one that is nearest to
    it.
    """
    used = [(one.value, one) for one in readings if one.value is not None]
    if not used:
        return Score(value=None, reason=readings[0].reason, failed=True)
    value = median(value for value, _ in used)
    nearest = min((one for _, one in used), key=lambda one: abs((one.value or 0.0) - value))
    parts = {name: median(one.parts[name] for _, one in used) for name in nearest.parts}
    note = (
        f"\n({len(readings) - len(used)} of {len(readings)} readings could not be used)"
        if len(used) < len(readings)
        else ""
    )
    return Score(value=value, reason=nearest.reason + note, parts=parts)
