"""What the routes stand on, opened once for the life of an application."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from starlette.requests import HTTPConnection

from llmops.configs.serve import ServeConfig
from llmops.deployments.app.budgets import RequestBudgets
from llmops.deployments.app.metrics import Metrics
from llmops.deployments.app.page.trials import Trials
from llmops.deployments.app.streams import OpenStreams
from llmops.tasks.access.pace import RequestPace
from llmops.tasks.chat.engine import ChatEngine
from llmops.tasks.chat.knowledge import LiveKnowledge
from llmops.tasks.traces.writer import TraceWriter


class ReadyState(NamedTuple):
    """`missing`: why nothing can be answered; `degraded`: what answers worse than it could;
    `knowledge_bases`: live versions; `waiting`: those that wait for their first version.
    """

    missing: list[str]
    degraded: list[str]
    knowledge_bases: dict[str, int]
    waiting: list[str]


@dataclass
class Services:
    """`required`: whether everybody needs a key; `sign_ins`: how often an address tries to sign
    in.
    """

    config: ServeConfig
    home: Path
    engine: ChatEngine
    knowledge: LiveKnowledge
    traces: TraceWriter
    budgets: RequestBudgets
    metrics: Metrics
    required: bool = False
    sign_ins: RequestPace = field(default_factory=RequestPace)
    trials: Trials = field(default_factory=Trials)
    streams: OpenStreams = field(default_factory=OpenStreams)

    @property
    def app(self) -> str:
        return self.config.app

    async def ready(self) -> ReadyState:
        """How things stand now."""
        states = await self.knowledge.ready()
        versions = {
            name: state.version for name, state in states.items() if state.version is not None
        }
        missing = [f"knowledge base {name}" for name in states if name not in versions]
        waiting = [name for name, state in states.items() if state.unpublished]
        degraded = [
            f"knowledge base {name}: an earlier version is read"
            for name, state in states.items()
            if state.version is not None and state.trouble
        ]
        if self.engine.prompt.state().trouble:
            degraded.append("prompt: an earlier version is used, as the registry was not reached")
        degraded += [
            f"model {name}: an earlier version is asked, as the live one cannot be used"
            for name in self.engine.live.stuck
        ]
        if self.traces.state().last_error:
            degraded.append("traces: they wait, as MLflow does not take them")
        return ReadyState(missing, degraded, versions, waiting)


def services_of(connection: HTTPConnection) -> Services:
    services: Services = connection.app.state.services
    return services
