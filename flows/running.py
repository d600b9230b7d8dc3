"""From a command to a flow: run in this process, against the user's Prefect server or this home's
own, and quietly.
"""

from contextlib import nullcontext
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from llmops.configs.section import FlowConfig
from llmops.flows import server
from llmops.flows.ahead import flow_of, loads
from llmops.flows.scheduled import scheduled
from llmops.flows.server.attending import attended
from llmops.tasks.errors import Unavailable
from llmops.tasks.postponed import postpone_fastapi
from llmops.tasks.progress import stage

HEARTBEATS, WAITS = "_send_heartbeats", "join_on_exit"
"""Of Prefect's engine: what beats while a run lasts, and whether its thread is waited for."""


def run_flow(home: Path, config: FlowConfig, **options: object) -> dict[str, Any]:
    """Run the flow that a config is for, and return the JSON object of its outcome. Raises what the
    flow raised.
    """
    with stage("start Prefect"):
        used = server.connect(home, meanwhile=loads(home, config))
    since = server.log_position(home)
    theirs = isinstance(used, server.UserServer)
    with nullcontext() if theirs else attended(home):
        outcome = run_connected(home, config, **options)
    if told := scheduled(config):
        outcome = {**outcome, "scheduled": told}
    name = "remarks" if "remarks" in outcome else "warnings"
    if isinstance(used, server.UserServer):
        said = list(used.remarks)
    else:
        errors = server.log_errors(home, since, tried_again=False)
        said = [f"Prefect's server: {line}" for line in errors]
    return {**outcome, name: [*outcome.get(name, []), *said]}


def run_connected(home: Path, config: FlowConfig, **options: object) -> dict[str, Any]:
    """The same against the Prefect server that this process is connected to."""
    flow = flow_of(config)
    calling = import_module("llmops.flows.calling")
    leave_heartbeats()
    postpone_fastapi()
    from httpx import TransportError

    try:
        state = flow(config, home, return_state=True, **options)
    except TransportError as error:
        raise Unavailable(
            f"the Prefect server went away in the middle of the run: {error!r}",
            hint="what was done is kept: the same command continues where it stopped",
        ) from error
    content: dict[str, Any] = calling.outcome(home, state)
    return content


def leave_heartbeats() -> None:
    """Let Prefect's engine end a run without waiting for the thread of its heartbeats, which sleeps
    for up to a second before it sees that it may end, and sends nothing after. Prefect's own engine
    of asynchronous flows does the same.
    """
    from prefect import flow_engine

    beating = getattr(flow_engine, HEARTBEATS, None)  # private: a release may lack it
    if beating is None or isinstance(beating, partial):
        return
    if WAITS in signature(beating).parameters:
        setattr(flow_engine, HEARTBEATS, partial(beating, **{WAITS: False}))
