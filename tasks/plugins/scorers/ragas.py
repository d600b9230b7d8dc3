"""Any metric of ragas that asks no model, by import path."""

import asyncio
from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from llmops.tasks.plugins.importing import Foreign
from llmops.tasks.plugins.scorers import Sample, Score
from llmops.tasks.plugins.scorers._imported import DirectScorer, best
from llmops.tasks.plugins.scorers._ragas import RagasPart, check_metric, fields_of, scored


class RagasScorer(RagasPart, DirectScorer):
    """Measures with the metric at `path`, such as ragas.metrics.collections:RougeScore, or a
    function of your own with a decorator such as `@numeric_metric`; `options` are those of its
    class.

    Of several expected answers the best counts. A metric that asks a model asks its own, which
    neither budget nor cache see: name those in `ragas_judge`.
    """

    requires: ClassVar[Mapping[str, str]] = {"ragas": "pip install ragas"}
    advice: ClassVar[str] = "a metric that asks a model goes into `ragas_judge`, with an `llm`"

    def scored(self, sample: Sample) -> Score:
        """Beside each of the expected answers."""
        return best(
            sample.case,
            lambda expected: self.graded(
                asyncio.run(scored(self._made, fields_of(sample, expected)))
            ),
        )

    @cached_property
    def _made(self) -> Foreign:
        made = super()._made if isinstance(self._kind, type) else self._kind
        check_metric(made, self.path)
        return made
