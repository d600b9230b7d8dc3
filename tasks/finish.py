"""How every flow ends: its outcome in MLflow, in Prefect's artifacts and in the ledger, and the
state that the run ends in.

An outcome offers what `Ended` asks for. A flow calls `finish(home, outcome, *steps)`: each step
takes the outcome and returns it with what it adds. The failure of a `careful` step is a warning:
what was done before it stands.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext, TaskRunContext
from prefect.runtime import flow_run
from prefect.settings import PREFECT_UI_URL
from prefect.states import Completed, Crashed, Failed

from llmops.tasks import progress, stopping
from llmops.tasks.alerts.beats import silence
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.runs import save_outcome


class Ended(Protocol):
    """What `finish` wants of an outcome.

    `name`: of the knowledge base, evaluation or app that it is about; `links`: name -> URL;
    `headline`: the run in one line; `failed`: the state's name where the run counts as failed, else
    None; `completed`: its name otherwise.
    """

    @property
    def name(self) -> str: ...
    @property
    def prefect_run_id(self) -> str | None: ...
    @property
    def links(self) -> dict[str, str]: ...
    @property
    def headline(self) -> str: ...
    @property
    def failed(self) -> str | None: ...
    @property
    def completed(self) -> str: ...
    def warned(self, *warnings: str) -> Self: ...
    def linked(self, links: dict[str, str]) -> Self: ...
    def public(self) -> Mapping[str, Any]: ...


E = TypeVar("E", bound=Ended)


RAISED = re.compile(r"Finished in state Failed\(.Task run encountered an exception:? (?P<name>\w+)")


class SaysNothing(logging.Filter):
    """Leaves out what Prefect ends each task with: the line of one that did its work, which our own
    says better; the traceback of an error that says itself how to fix it, which is in the task's
    state and in the line of its flow; and the first of two lines on a gate that stays shut, which
    ends in the traceback of no error.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        told = record.getMessage()
        raised = RAISED.match(told)
        return not (
            told == "Finished in state Completed()"
            or told.startswith("Task run failed with state: ")
            or isinstance(error, LlmopsError)
            or (raised and raised["name"] in _names_of(LlmopsError))
        )


def _names_of(kind: type[Exception]) -> Iterator[str]:
    """Of a class of errors and all below it."""
    yield kind.__name__
    for below in kind.__subclasses__():
        yield from _names_of(below)


logging.getLogger("prefect.task_runs").addFilter(SaysNothing())
T = TypeVar("T")


def finish(home: Path, outcome: E, *steps: Callable[[E], E]) -> State[Any]:
    """Take the steps, keep what the run came to under its id, and say how it ended."""
    if url := prefect_url():
        outcome = outcome.linked({"prefect": url, **outcome.links})
    with progress.stage("record"):
        for step in steps:
            outcome = step(outcome)
    if told := _unwatched(home):
        outcome = outcome.warned(told)
    save_outcome(
        open_ledger(home),
        run_id() or outcome.prefect_run_id or "local",
        outcome.name,
        dict(outcome.public()),
    )
    stopping.LAST.pop(run_id() or "", None)
    if outcome.failed:
        return Failed(name=outcome.failed, message=outcome.headline)
    return Completed(name=outcome.completed, message=outcome.headline)


def _unwatched(home: Path) -> str:
    """What a run that nobody started has to say of an alerter that fell silent: a person who reads
    its end is told what the alerter can no longer tell.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return silence(open_ledger(home), now()) if run and run.deployment_id else ""


def careful(step: Callable[[E], E]) -> Callable[[E], E]:
    """The same step; where it fails, the outcome as it was before, with a warning."""

    def carefully(outcome: E) -> E:
        try:
            return step(outcome)
        except LlmopsError as error:
            return outcome.warned(str(error))

    return carefully


def run_id() -> str | None:
    """The id of the flow run that this code is in; None outside of one."""
    return str(flow_run.id) if FlowRunContext.get() else None


def name_run(name: str, *tags: str) -> None:
    """Rename the current flow run, once it is known what it is about, and add tags to those that it
    has.
    """
    if current := run_id():
        progress.about(name, current, prefect_url() or "")
        stopping.LAST[current] = partial(_crashed, UUID(current))
        stopping.take_over()
        with get_client(sync_client=True) as client:
            context = FlowRunContext.get()
            before = context.flow_run.tags if context and context.flow_run else []
            every = list(dict.fromkeys([*before, *tags])) if tags else None
            client.update_flow_run(UUID(current), name=name, tags=every)


def _crashed(run: UUID) -> None:
    """What Prefect is told of a run that is ended at once: it would count as running for ever."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run).state
        if state is None or not state.is_final():
            client.set_flow_run_state(run, Crashed(message="interrupted"), force=True)


def tell(text: str) -> None:
    """A line in the log of the current task run, else of the flow run, for those who watch it in
    the UI.
    """
    if FlowRunContext.get() or TaskRunContext.get():
        get_run_logger().info(text)


def telling(value: T, text: Callable[[T], str]) -> T:
    """What a task returns, after a line in its log that says what it came to."""
    tell(text(value))
    return value


def prefect_url() -> str | None:
    """Where a browser shows this run."""
    current, base = run_id(), PREFECT_UI_URL.value()
    return f"{base}/runs/flow-run/{current}" if current and base else None
