"""Any scorer or judge of MLflow, by import path."""

from collections.abc import Mapping
from functools import cached_property
from inspect import Parameter, signature
from typing import Any, ClassVar

from llmops.tasks.plugins.importing import Foreign, imported
from llmops.tasks.plugins.scorers import Case, Sample, Score
from llmops.tasks.plugins.scorers._expected import texts_at
from llmops.tasks.plugins.scorers._imported import ANSWER, DirectScorer, NoScorer, together
from llmops.tasks.plugins.scorers._trace import trace_of

EXPECTED = "expectations"
ASKED = ("expected_response", "expected_facts")
"""What MLflow's own scorers look for among the expectations."""


class MlflowScorer(DirectScorer):
    """Asks the scorer of MLflow at `path`: a class such as mlflow.genai.scorers:RegexMatch, a
    function with the decorator `@scorer`, or one that makes a judge, such as
    mlflow.genai.judges:make_judge.

    It gets the case's inputs, the answer as outputs, what is expected as expectations
    (`expected_response` is `expected.answer`), and a trace with the passages where it wants one. A
    model that it asks, it asks by itself: neither budget nor cache see that.
    """

    requires: ClassVar[Mapping[str, str]] = {"mlflow": "pip install mlflow"}
    quiet: ClassVar[dict[str, str]] = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}

    def missing(self, case: Case) -> str | None:
        """The expected answer, for scorers of MLflow's own that compare with it."""
        if self._columns.isdisjoint(f"{EXPECTED}/{name}" for name in ASKED):
            return None
        given = expectations(case)
        if any(name in given for name in ASKED):
            return None
        return texts_at(case, ANSWER).lack

    def scored(self, sample: Sample) -> Score:
        """What its `run` gives, which passes it what it takes."""
        given = self._made.run(
            inputs=sample.case.inputs,
            outputs=sample.answer,
            expectations=expectations(sample.case),
            trace=trace_of(sample) if self._wants_trace else None,
        )
        return self.graded(given)

    def _try(self) -> None:
        made = self._made
        if made.is_session_level_scorer:
            raise NoScorer(
                f"{self.path} judges a whole conversation; an evaluation has single answers"
            )

    def _suits(self, kind: Foreign) -> None:
        if not isinstance(kind, _base()):
            super()._suits(kind)
        elif self.options:
            raise ValueError(f"{self.path} is a scorer already: it takes no options")

    @cached_property
    def _made(self) -> Foreign:
        base = _base()
        made = self._kind if isinstance(self._kind, base) else super()._made
        if not isinstance(made, base):
            raise NoScorer(
                f"{self.path} gives {type(made).__name__}, which is no scorer of MLflow; "
                "the scorer `function` takes any function"
            )
        return made

    @cached_property
    def _columns(self) -> frozenset[str]:
        """What it says it needs, as `expectations/expected_response`."""
        try:
            self._made.validate_columns({"inputs", "outputs", "trace"})
        except AttributeError:  # only MLflow's own have it
            return frozenset()
        except Exception as error:  # noqa: BLE001 - names the columns in words of its own
            return frozenset(
                f"{EXPECTED}/{name}" for name in ASKED if f"{EXPECTED}/{name}" in str(error)
            )
        return frozenset()

    @cached_property
    def _wants_trace(self) -> bool:
        """Whether it cannot do without: others take one in place of inputs and outputs."""
        trace = signature(self._made.__call__).parameters.get("trace")
        needed = trace is not None and trace.default is Parameter.empty
        return needed or "trace" in getattr(self._made, "template_variables", ())


def expectations(case: Case) -> dict[str, object]:
    """What is expected, with MLflow's names where they are not there: `expected_response` for
    `answer`, `expected_retrieved_context` for `uris`.
    """
    given, answer = dict(case.expected), together(case)
    if answer is not None:
        given.setdefault("expected_response", answer)
    uris = texts_at(case, "expected.uris").texts
    if uris:
        given.setdefault("expected_retrieved_context", [{"doc_uri": uri} for uri in uris])
    return given


def _base() -> type[Any]:
    base: Any = imported("mlflow.genai.scorers:Scorer")
    return base  # type: ignore[no-any-return]
