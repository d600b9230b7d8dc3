"""What both scorers of ragas share: its settings, the fields of a sample, how a metric is asked.

ragas has two kinds of metrics: those of ragas.metrics.collections, which take fields by name, and
the older ones of ragas.metrics, which take a sample.
"""

from collections.abc import Awaitable
from functools import cache
from inspect import Parameter, signature
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

CONTEXTS = "expected.contexts"
URIS = "expected.uris"
WANTED = {
    "reference": ANSWER,
    "reference_contexts": CONTEXTS,
    "reference_context_ids": URIS,
}
"""What of a case ragas' names are."""


class RagasPart(ImportedScorer):
    """A metric of ragas. Nothing is sent to its makers."""

    quiet: ClassVar[dict[str, str]] = {"RAGAS_DO_NOT_TRACK": "true"}

    def missing(self, case: Case) -> str | None:
        """What the metric compares the answer with."""
        return lacks(case, [WANTED[name] for name in self._needed() if name in WANTED])

    def _suits(self, kind: Foreign) -> None:
        if isinstance(kind, type):
            super()._suits(kind)
        elif self.options:
            raise ValueError(f"{self.path} is a metric already: it takes no options")

    def _needed(self) -> list[str]:
        return needed(self._kind)


def fields_of(sample: Sample, expected: str | None) -> dict[str, object]:
    """The sample in the names of ragas, with one expected answer."""
    return {
        "user_input": sample.question,
        "response": sample.answer,
        "reference": expected,
        "retrieved_contexts": contexts(sample),
        "reference_contexts": texts_of(sample.case, CONTEXTS),
        "retrieved_context_ids": [passage.uri for passage in sample.passages],
        "reference_context_ids": texts_of(sample.case, URIS),
    }


def needed(metric: Foreign) -> list[str]:
    """The fields without which a metric, or one of a class, cannot score."""
    if hasattr(metric, "single_turn_ascore"):
        columns = getattr(metric, "_required_columns", None) or _default_columns(metric)
        names = {each for several in columns.values() for each in several}
        return sorted(name for name in names if ":" not in name)
    return [
        name
        for name, parameter in _taken(metric).items()
        if parameter.default is Parameter.empty and name in WANTED
    ]


def _default_columns(kind: Foreign) -> dict[Any, set[str]]:
    field = getattr(kind, "__dataclass_fields__", {}).get("_required_columns")
    made = getattr(field, "default_factory", None)
    return made() if callable(made) else {}


def _taken(metric: Foreign) -> dict[str, Parameter]:
    """The fields that a metric takes by name; of one made by a decorator those of the function."""
    function = getattr(metric, "_func", None) or metric.ascore
    return {name: each for name, each in signature(function).parameters.items() if name != "self"}


async def scored(metric: Foreign, fields: dict[str, object]) -> object:
    """What a metric gives for these fields. Raises what it raises."""
    if hasattr(metric, "single_turn_ascore"):
        sample: Any = imported("ragas.dataset_schema:SingleTurnSample")
        return await metric.single_turn_ascore(sample(**fields))
    taken = _taken(metric)
    whole = any(each.kind is Parameter.VAR_KEYWORD for each in taken.values())
    given = {
        name: value
        for name, value in fields.items()
        if value is not None and (whole or name in taken)
    }
    return await metric.ascore(**given)


def check_metric(metric: Foreign, path: str) -> None:
    """Raise NoScorer for what is no metric of single answers."""
    if not any(callable(getattr(metric, name, None)) for name in ("ascore", "single_turn_ascore")):
        raise NoScorer(
            f"{path} is no metric of ragas for single answers: one of "
            "ragas.metrics.collections or ragas.metrics is wanted"
        )


class _FillingModel:
    """The methods that the metrics of ragas.metrics.collections want of a model."""

    gateway: GatewayModel

    def generate(self, prompt: str, response_model: type[M]) -> M:
        del prompt, response_model
        raise TypeError("the metric asks its model without async")

    def agenerate(self, prompt: str, response_model: type[M]) -> Awaitable[M]:
        return self.gateway.filled(prompt, response_model)


class _TellingModel:
    """The methods that the older metrics want of a model."""

    gateway: GatewayModel

    def is_finished(self, response: Foreign) -> bool:
        del response
        return True

    def generate_text(self, prompt: Foreign, **options: Foreign) -> Foreign:
        del prompt, options
        raise TypeError("the metric asks its model without async")

    async def agenerate_text(self, prompt: Foreign, n: int = 1, **options: Foreign) -> Foreign:
        del options  # temperature and stop are those of our model
        result: Any = imported("langchain_core.outputs:LLMResult")
        generation: Any = imported("langchain_core.outputs:Generation")
        texts = [await self.gateway.text(prompt.to_string()) for _ in range(n)]
        return result(generations=[[generation(text=text) for text in texts]])


@cache
def _model_class(path: str, methods: type[Any]) -> Foreign:
    base: Any = imported(path)
    return type("GatewayLlm", (methods, base), {})


def model_of(gateway: GatewayModel, kind: Foreign) -> Foreign:
    """Our model as the metrics of this class want one."""
    if hasattr(kind, "single_turn_ascore"):
        patience: Any = imported("ragas.run_config:RunConfig")
        # our gateway has been patient already
        once = patience(max_retries=1)
        model = _model_class("ragas.llms.base:BaseRagasLLM", _TellingModel)(run_config=once)
    else:
        model = _model_class("ragas.llms.base:InstructorBaseRagasLLM", _FillingModel)()
    model.gateway = gateway
    return model
