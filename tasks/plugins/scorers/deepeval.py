"""Any metric of DeepEval that asks no model, by import path."""

from collections.abc import Mapping
from inspect import signature
from typing import ClassVar

from llmops.tasks.plugins.scorers import Sample, Score
from llmops.tasks.plugins.scorers._deepeval import DeepevalPart, outcome, test_case_of
from llmops.tasks.plugins.scorers._imported import DirectScorer, best


class DeepevalScorer(DeepevalPart, DirectScorer):
    """Measures with the metric at `path`, such as deepeval.metrics:ExactMatchMetric, or one of your
    own below deepeval.metrics.BaseMetric; `options` are those of its class.

    Of several expected answers the best counts. A metric that asks a model asks its own, which
    neither budget nor cache see: name those in `deepeval_judge`.
    """

    requires: ClassVar[Mapping[str, str]] = {"deepeval": "pip install deepeval"}
    advice: ClassVar[str] = "a metric that asks a model goes into `deepeval_judge`, with an `llm`"

    def scored(self, sample: Sample) -> Score:
        """Beside each of the expected answers."""
        return best(sample.case, lambda expected: self._measured(sample, expected))

    def _measured(self, sample: Sample, expected: str | None) -> Score:
        metric = self._made
        silent = "_show_indicator" in signature(metric.measure).parameters
        metric.error = None
        metric.measure(
            test_case_of(sample, expected), **({"_show_indicator": False} if silent else {})
        )
        return self.graded(outcome(metric))
