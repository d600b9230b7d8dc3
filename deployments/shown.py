"""What `llmops status --json` consists of, and the look that gathers it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from llmops.deployments.prefect_api import PrefectApi


class PartShown(TypedDict):
    """A part of `up`, or a server that the user has (`yours`). `waits`: what it waits for, though
    it is well; `starting`: it does not answer yet, and its process is young.
    """

    name: str
    url: str | None
    healthy: bool
    pid: int | None
    restarts: int
    yours: bool
    waits: str
    starting: bool


class ServerShown(TypedDict):
    """A server and why it is used. `answers`: None where nobody was asked."""

    name: str
    url: str | None
    why: str
    answers: bool | None


class RunShown(TypedDict):
    """A run that has ended. `verdict`: of an evaluation that decided."""

    state: str
    type: str
    at: str | None
    run_id: str
    message: str | None
    verdict: str | None


class FlowShown(TypedDict):
    """A config of the project. `last`: the last run that ended; `next`: when it runs again;
    `mistake`: why the config cannot be read.
    """

    name: str
    config: str
    schedule: str | None
    last: RunShown | None
    next: str | None
    running: int
    paused: bool
    mistake: str | None


class BaseShown(TypedDict):
    """A knowledge base. `staleness_seconds`: of the source that was listed longest ago."""

    name: str
    version: int
    documents: int
    chunks: int
    published_at: str
    staleness_seconds: float | None
    sources: list[dict[str, Any]]
    quarantine: int
    stale: int
    running: str | None


class Spend(TypedDict):
    """What the ledger knows to have been paid since the first of the month (UTC)."""

    month: str
    usd: float
    calls: int
    budget_usd: float | None


class Alert(TypedDict):
    """`kind`: part, server, flow, overdue, stale, unbuilt, spend, config, ledger, idle, alerter, or
    the rule of an alert that fires. `hint`: what to do, where that is known.
    """

    kind: str
    about: str
    message: str
    hint: str


class Status(TypedDict):
    """The object of `status --json`."""

    home: str
    project: str | None
    up: dict[str, object] | None
    servers: list[ServerShown]
    parts: list[PartShown]
    flows: list[FlowShown]
    knowledge_bases: list[BaseShown]
    quarantine: int
    spend: Spend | None
    alerts: list[Alert]


@dataclass
class StatusLook:
    """One look at a home: what was found so far, and the alerts. `api`: None where Prefect does
    not answer, or not any more.
    """

    home: Path
    api: PrefectApi | None = None
    alerts: list[Alert] = field(default_factory=list)

    def alert(self, kind: str, about: str, message: str, hint: str = "") -> None:
        self.alerts.append({"kind": kind, "about": about, "message": message, "hint": hint})
