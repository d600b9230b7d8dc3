"""A scorer of somebody else's, whole: their config says `scorers: [{name: brevity, most: 40}]`."""

from pydantic import Field

from llmops.tasks.plugins.scorers import Case, Sample, Score, Scorer


class Brevity(Scorer):
    """1 for an answer of at most `most` words, less for longer ones; cases may set a limit of their
    own in `expected.words`.
    """

    most: int = Field(default=50, ge=1)

    def missing(self, case: Case) -> str | None:
        return (
            None
            if isinstance(case.expected.get("words", 1), int)
            else "expected.words is no whole number"
        )

    def score(self, sample: Sample) -> Score:
        most, words = sample.case.expected.get("words", self.most), len(sample.answer.split())
        return Score(
            value=min(1.0, most / words) if words else 0.0,
            reason=f"{words} words",
            parts={"words": float(words)},
        )
