"""How long an answer took."""

from typing import ClassVar

from llmops.tasks.plugins.scorers import Sample, Score, Scorer


class LatencyScorer(Scorer):
    """Milliseconds from the request to the whole answer, as the runner measured them; less is
    better.
    """

    higher_is_better: ClassVar[bool] = False

    def score(self, sample: Sample) -> Score:
        return Score(value=sample.latency_ms)
