"""A language model that says which of two answers is better, asked in both orders.

Judges prefer a place, often the first, whatever stands there: Wang et al. 2023, Large Language
Models are not Fair Evaluators (arXiv:2305.17926); Zheng et al. 2023 (arXiv:2306.05685), who count a
preference only where both orders agree.
"""

from typing import Literal, NamedTuple

from llmops.tasks.plugins.llms import Message, Request
from llmops.tasks.plugins.scorers import Ask, Case, PairJudge, Sample, Score
from llmops.tasks.plugins.scorers._judging import (
    ANSWER,
    DATA,
    Sees,
    Text,
    Unusable,
    background,
    lacking,
    listed,
    material,
    obliging,
    reason_of,
    understood,
)

Place = Literal["first", "second", "tie"]
PLACES: tuple[Place, ...] = ("first", "second", "tie")
INTRODUCTION = "You compare two answers to the same question by a rubric."
TASK = "Say which answer is better by the rubric. Reply with the JSON object alone."
FORM = (
    'Reply with a JSON object: "reason" first, one to three sentences that compare what '
    'the answers say, then "better": "first", '
    '"second", or "tie" where neither is better. The order in which the answers stand says '
    "nothing, nor does their length."
)
OUTPUT = obliging(
    {"reason": {"type": "string"}, "better": {"type": "string", "enum": list(PLACES)}}
)


class PairVerdict(NamedTuple):
    """What the judge said in one order."""

    better: Place
    reason: str


class PairwiseJudge(PairJudge):
    """1 when the candidate's answer is better, 0 when the baseline's is; 0.5 for a tie, and where
    the two orders disagree.

    Parts: `disagreement` is 1 where they disagree, so that its mean is the share of cases in which
    the place counted; `first` is 1 where the first place won both times, -1 where the second did,
    else 0. Equal answers are a tie and are not asked about. `sees`: what the judge is shown beside
    question and answers.
    """

    rubric: Text
    """Which of two answers is the better one, in words."""
    sees: tuple[Sees, ...] = ()

    def missing(self, case: Case) -> str | None:
        """The expected answer, where the judge is to see it."""
        return lacking(case, self.sees)

    async def compare(self, candidate: Sample, baseline: Sample, ask: Ask) -> Score:
        """Both orders, one after the other. Raises what `ask` raises."""
        if lack := self.missing(candidate.case):
            return Score(value=None, reason=lack)
        if candidate.answer == baseline.answer:
            return Score(value=0.5, reason="both answers are the same text")
        try:
            one = await understood(self.request(candidate, baseline), ask, _verdict)
            other = await understood(self.request(baseline, candidate), ask, _verdict)
        except Unusable as error:
            return Score(value=None, reason=str(error), failed=True)
        return _together(one, other)

    def request(self, first: Sample, second: Sample) -> Request:
        """What the judge is asked about two answers in this order."""
        rules = "\n\n".join([INTRODUCTION, f"The rubric:\n{self.rubric}", DATA, ANSWER, FORM])
        blocks = [
            *background(first, self.sees),
            *self._passages(first, second),
            ("first answer", first.answer),
            ("second answer", second.answer),
        ]
        messages = (
            Message(role="system", content=rules),
            Message(role="user", content=material(blocks, TASK)),
        )
        return Request(messages=messages, output=OUTPUT)

    def _passages(self, first: Sample, second: Sample) -> list[tuple[str, str]]:
        """Once where both answers had the same."""
        if "passages" not in self.sees:
            return []
        if first.passages == second.passages:
            return [("passages", listed(first.passages))]
        return [
            ("passages of the first answer", listed(first.passages)),
            ("passages of the second answer", listed(second.passages)),
        ]


def _verdict(content: dict[str, object]) -> PairVerdict:
    said = str(content.get("better", "")).strip().casefold()
    for place in PLACES:
        if said == place:
            return PairVerdict(place, reason_of(content))
    raise ValueError(f'"better" must be one of {", ".join(PLACES)}; got {said[:40]!r}')


def _together(one: PairVerdict, other: PairVerdict) -> Score:
    """`one`: with the candidate first; `other`: with the baseline first."""
    swapped: dict[Place, Place] = {"first": "second", "second": "first", "tie": "tie"}
    agree = one.better == swapped[other.better]
    value = {"first": 1.0, "second": 0.0, "tie": 0.5}[one.better] if agree else 0.5
    place = (
        {"first": 1.0, "second": -1.0, "tie": 0.0}[one.better]
        if one.better == other.better
        else 0.0
    )
    shown = {"first": "candidate", "second": "baseline", "tie": "tie"}
    reason = (
        f"candidate first: {shown[one.better]}: {one.reason}\nbaseline first: "
        f"{shown[swapped[other.better]]}: {other.reason}"
    )
    return Score(
        value=value, reason=reason, parts={"disagreement": float(not agree), "first": place}
    )
