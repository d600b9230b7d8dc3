"""Any metric of ragas that asks a model, by import path: it asks ours."""

from collections.abc import Mapping
from inspect import signature
from typing import ClassVar

from llmops.tasks.plugins._foreign import with_objects
from llmops.tasks.plugins.importing import Foreign
from llmops.tasks.plugins.scorers import Ask, Judge, Sample, Score
from llmops.tasks.plugins.scorers._imported import GatewayModel, together, unasked
from llmops.tasks.plugins.scorers._judging import Unusable
from llmops.tasks.plugins.scorers._ragas import (
    RagasPart,
    check_metric,
    fields_of,
    model_of,
    scored,
)


class RagasJudge(RagasPart, Judge):
    """Measures with the metric at `path`, such as ragas.metrics.collections:Faithfulness; its `llm`
    is ours, so that each of its questions is paid once, within the budget, and remembered.

    The questions are ragas' own: it does not keep the answer apart from its instructions, as the
    scorer `judge` does. Several expected answers are shown together.
    """

    requires: ClassVar[Mapping[str, str]] = {"ragas": "pip install ragas"}

    async def judge(self, sample: Sample, ask: Ask) -> Score:
        """Raises what `ask` raises."""
        gateway = GatewayModel(ask)
        fields = fields_of(sample, together(sample.case))
        try:
            return self.graded(await gateway.judged(scored(self._with(gateway), fields)))
        except Unusable as error:
            return Score(value=None, failed=True, reason=str(error))

    def _suits(self, kind: Foreign) -> None:
        if "llm" in self.options:
            raise ValueError("options.llm: name the model in `llm` of the scorer itself")
        super()._suits(kind)
        if not isinstance(kind, type) or "llm" not in signature(kind).parameters:
            raise ValueError(f"{self.path} asks no model: name it in the scorer `ragas`")

    def _try(self) -> None:
        check_metric(self._with(GatewayModel(unasked)), self.path)

    def _with(self, gateway: GatewayModel) -> Foreign:
        return self._kind(**with_objects(self.options), llm=model_of(gateway, self._kind))
