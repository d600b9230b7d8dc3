"""Whether the answer refuses when it should, and only then."""

from pydantic import field_validator

from llmops.tasks.plugins.scorers import Case, Sample, Score, Scorer
from llmops.tasks.plugins.scorers._expected import at
from llmops.tasks.plugins.scorers._refusals import refuses
from llmops.tasks.texts.comparable import words

STATED = ("answerable", "refuse")
IMPLIED = ("answer", "uris", "keywords", "pattern")


class RefusalScorer(Scorer):
    """1 when the answer refuses a case with `expected.answerable: false` (or `expected.refuse:
    true`), or does not refuse another; else 0.

    A structured answer says so itself: `refused` or `answerable`, true or false. Of a text it is
    told by what refusals look like in English, German, French, Spanish, Italian, Portuguese, Dutch,
    Russian, Turkish, Chinese, Japanese, Korean, Persian and Arabic (`refusals.txt`, written by
    hand; docs/evaluation.md says how often it errs), and by `phrases`: words that your prompt asks
    for. A text that goes on to answer ("I don't know the day, but it was in 1848") does not refuse.
    An empty answer does neither, and is wrong.

    The idea is SQuAD 2.0's (Rajpurkar et al. 2018, arXiv:1806.03822): to know what is not known is
    part of the task.
    """

    phrases: tuple[str, ...] = ()

    @field_validator("phrases")
    @classmethod
    def _say_something(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(words(one) for one in value):
            raise ValueError(
                "got a phrase without a letter or digit, which every answer would have"
            )
        return value

    def missing(self, case: Case) -> str | None:
        """A case with an expected answer is answerable, if it says nothing else."""
        strange = [name for name in STATED if not isinstance(case.expected.get(name, False), bool)]
        if strange:
            return f"expected.{strange[0]} is neither true nor false"
        if any(name in case.expected for name in STATED) or any(
            case.expected.get(name) for name in IMPLIED
        ):
            return None
        return "expected.answerable is missing"

    def score(self, sample: Sample) -> Score:
        if lack := self.missing(sample.case):
            return Score(value=None, reason=lack)
        if not sample.answer.strip():
            return Score(value=0.0, reason="the answer is empty")
        expected = sample.case.expected
        should = expected.get("refuse") is True or expected.get("answerable") is False
        does = self.refused(sample)
        wrong = (
            f"{'refuses' if does else 'answers'} a case that is {'un' if should else ''}answerable"
        )
        return Score(value=float(should == does), reason="" if should == does else wrong)

    def refused(self, sample: Sample) -> bool:
        """What the answer says of itself, else how it sounds."""
        for name, means in (("refused", True), ("answerable", False)):
            if isinstance(said := at(sample.parsed, name), bool):
                return said is means
        return refuses(sample.answer, self.phrases)
