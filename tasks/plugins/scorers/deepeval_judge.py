"""Any metric of DeepEval that asks a model, by import path: it asks ours."""

from collections.abc import Mapping
from inspect import signature
from typing import ClassVar

from llmops.tasks.plugins._foreign import with_objects
from llmops.tasks.plugins.importing import Foreign
from llmops.tasks.plugins.scorers import Ask, Judge, Sample, Score
from llmops.tasks.plugins.scorers._deepeval import (
    DeepevalPart,
    model_of,
    outcome,
    test_case_of,
)
from llmops.tasks.plugins.scorers._imported import GatewayModel, together, unasked
from llmops.tasks.plugins.scorers._judging import Unusable


class DeepevalJudge(DeepevalPart, Judge):
    """Measures with the metric at `path`, such as deepeval.metrics:FaithfulnessMetric; its `model`
    is `llm`, so that each of its questions is paid once, within the budget, and remembered.

    The questions are DeepEval's own: it does not keep the answer apart from its instructions, as
    the scorer `judge` does. Several expected answers are shown together.
    """

    requires: ClassVar[Mapping[str, str]] = {"deepeval": "pip install deepeval"}

    async def judge(self, sample: Sample, ask: Ask) -> Score:
        """A metric is made anew for each answer: it keeps what it has measured. Raises what `ask`
        raises.
        """
        gateway = GatewayModel(ask)
        metric = self._with(gateway)
        case = test_case_of(sample, together(sample.case))
        try:
            await gateway.judged(metric.a_measure(case, _show_indicator=False))
            return self.graded(outcome(metric))
        except Unusable as error:
            return Score(value=None, failed=True, reason=str(error))

    def _suits(self, kind: Foreign) -> None:
        if "model" in self.options:
            raise ValueError("options.model: name the model in `llm`, as evaluations name one")
        super()._suits(kind)
        if "model" not in signature(kind).parameters:
            raise ValueError(f"{self.path} asks no model: name it in the scorer `deepeval`")

    def _try(self) -> None:
        self._with(GatewayModel(unasked))

    def _with(self, gateway: GatewayModel) -> Foreign:
        return self._kind(**with_objects(self.options), model=model_of(gateway))
