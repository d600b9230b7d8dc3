"""What an answer cost."""

from typing import ClassVar

from llmops.tasks.plugins.scorers import Sample, Score, Scorer


class CostScorer(Scorer):
    """US dollars for the tokens of the answer and its question, by the table of prices; less is
    better. Judges are not in it. An answer that was remembered costs what it did when it was paid,
    so that arms compare."""

    higher_is_better: ClassVar[bool] = False

    def score(self, sample: Sample) -> Score:
        return Score(value=sample.cost_usd)
