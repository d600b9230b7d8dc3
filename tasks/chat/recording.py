"""What the chat says of its steps while it works: `tasks.traces.TraceRecorder` fulfils it."""

from contextlib import AbstractContextManager
from typing import Protocol


class RecordedSpan(Protocol):
    """One step."""

    outputs: object
    attributes: dict[str, object]

    def used(self, model: str, tokens_in: int, tokens_out: int, cost_usd: float) -> None:
        """Say what the step has paid."""


class Recorder(Protocol):
    """`id`: of the trace, `tr-` and 32 digits; `kind` of a span: one of MLflow's."""

    @property
    def id(self) -> str: ...

    def span(
        self, name: str, kind: str, inputs: object = None
    ) -> AbstractContextManager[RecordedSpan]: ...
