"""What both scorers of DeepEval share: its settings, a test case of a sample, what is needed."""

from collections.abc import Awaitable
from functools import cache, cached_property
from typing import Any, ClassVar

from llmops.tasks.plugins.importing import Foreign, imported
from llmops.tasks.plugins.scorers import Case, Sample
from llmops.tasks.plugins.scorers._imported import (
    ANSWER,
    GatewayModel,
    ImportedScorer,
    M,
    NoScorer,
    contexts,
    lacks,
    texts_of,
)

CONTEXT = "expected.contexts"
WANTED = {"expected_output": ANSWER, "context": CONTEXT}
"""What of a case DeepEval's names for a test case are."""
NOT_HERE = ("tools_called", "expected_tools", "mcp_servers", "mcp_tools_called")
"""What an evaluation of single answers does not record."""


class DeepevalPart(ImportedScorer):
    """A metric of DeepEval. Nothing is sent to its makers, and no .env is read."""

    quiet: ClassVar[dict[str, str]] = {
        "DEEPEVAL_TELEMETRY_OPT_OUT": "1",
        "DEEPEVAL_DISABLE_DOTENV": "1",
        "DEEPEVAL_UPDATE_WARNING_OPT_IN": "0",
        "ERROR_REPORTING": "0",
    }

    def missing(self, case: Case) -> str | None:
        """What the metric compares the answer with."""
        return lacks(case, [WANTED[name] for name in self._required if name in WANTED])

    def _suits(self, kind: Foreign) -> None:
        base = imported("deepeval.metrics:BaseMetric")
        assert isinstance(base, type)
        if not (isinstance(kind, type) and issubclass(kind, base)):
            raise NoScorer(
                f"{self.path} is no metric of DeepEval for single answers: a class below "
                "deepeval.metrics.BaseMetric is wanted"
            )
        if absent := [name for name in _names(kind) if name in NOT_HERE]:
            raise ValueError(
                f"{self.path} needs {', '.join(absent)}, which an evaluation does not record"
            )
        super()._suits(kind)

    @cached_property
    def _required(self) -> list[str]:
        """Of a test case, in DeepEval's names."""
        given = self.options.get("evaluation_params") or ()  # of GEval, whose class needs nothing
        named = [str(each["path"]).rpartition(".")[2].lower() for each in given if "path" in each]
        return [*_names(self._kind), *named]


def _names(kind: Foreign) -> list[str]:
    wanted = getattr(kind, "_required_params", ())
    return [each.value for each in wanted] if isinstance(wanted, list | tuple) else []


def test_case_of(sample: Sample, expected: str | None) -> Foreign:
    """The sample in DeepEval's form, with one expected answer."""
    made: Any = imported("deepeval.test_case:LLMTestCase")
    return made(
        input=sample.question,
        actual_output=sample.answer,
        expected_output=expected,
        retrieval_context=contexts(sample),
        context=texts_of(sample.case, CONTEXT),
        tags=list(sample.case.tags) or None,
        completion_time=sample.latency_ms / 1000,
        token_cost=sample.cost_usd,
    )


def outcome(metric: Foreign) -> dict[str, object]:
    """What a metric has measured; its breakdown becomes parts."""
    if metric.error:
        raise ValueError(metric.error)
    breakdown = metric.score_breakdown
    return {
        **(breakdown if isinstance(breakdown, dict) else {}),
        "value": metric.score,
        "reason": metric.reason or "",
    }


class _AskingModel:
    """The methods that DeepEval wants of a model."""

    gateway: GatewayModel

    def load_model(self) -> "_AskingModel":
        return self

    def get_model_name(self) -> str:
        return "llmops"

    def generate(self, *prompt: str, **options: Foreign) -> str:
        """A metric that does not wait: no call can be paid for then."""
        del prompt, options
        raise TypeError("the metric asks its model without async; leave async_mode as it is")

    def a_generate(self, prompt: str, schema: type[M] | None = None) -> Awaitable[Any]:
        return self.gateway.filled(prompt, schema) if schema else self.gateway.text(prompt)


@cache
def _model_class() -> Foreign:
    base: Any = imported("deepeval.models:DeepEvalBaseLLM")
    return type("GatewayLlm", (_AskingModel, base), {})


def model_of(gateway: GatewayModel) -> Foreign:
    """Our model as one of DeepEval's."""
    model = _model_class()("llmops")
    model.gateway = gateway
    return model
