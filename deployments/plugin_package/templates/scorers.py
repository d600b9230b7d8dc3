"""Whether an answer is short enough."""

from pydantic import Field

from llmops.tasks.plugins.scorers import Sample, Score, Scorer


class ExampleScorer(Scorer):
    """1 for an answer of at most `most` words, less for longer ones."""

    most: int = Field(default=50, ge=1)

    def score(self, sample: Sample) -> Score:
        words = len(sample.answer.split())
        if not words:
            return Score(value=None, reason="there is no answer")
        return Score(value=min(1.0, self.most / words), reason=f"{words} words")
