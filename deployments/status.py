"""What `llmops status` shows: parts, servers, flows, knowledge bases, spend, and what wants a look.

Everything is read: HOME/up.json, the ledger, and over HTTP what answers. Where nothing runs, what
the ledger and the configs say is shown all the same.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

from sqlalchemy import func, select

from llmops.configs.section import Schedule
from llmops.configs.settings import settings
from llmops.deployments.prefect_api import SECONDS, Deployment, PrefectApi, Run, own_api
from llmops.deployments.project import Project, Scheduled
from llmops.deployments.times import cron_for, last_time, next_time
from llmops.deployments.up import record
from llmops.deployments.up.record import UpRecord
from llmops.flows import server
from llmops.flows.server.used import used
from llmops.tasks.errors import LlmopsError, Unavailable
from llmops.tasks.knowledge import views
from llmops.tasks.knowledge.handle import Handle, live_names
from llmops.tasks.ledger import Ledger, existing_ledger, now
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import calls, runs

LATE = timedelta(minutes=2)
PERIODS = 2  # of its schedule, after which a knowledge base is stale
MANY_RESTARTS = 3


class PartShown(TypedDict):
    """A part of `up`, or a server that the user has (`yours`)."""

    name: str
    url: str | None
    healthy: bool
    pid: int | None
    restarts: int
    yours: bool


class ServerShown(TypedDict):
    """A server and why it is used. `answers`: None where nobody was asked."""

    name: str
    url: str | None
    why: str
    answers: bool | None


class RunShown(TypedDict):
    """A run that has ended, or is going on."""

    state: str
    type: str
    at: str | None
    run_id: str
    message: str | None


class FlowShown(TypedDict):
    """A config of the project. `last`: the last run that ended; `next`: when it runs again."""

    name: str
    config: str
    schedule: str | None
    last: RunShown | None
    next: str | None
    running: int
    paused: bool


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
    """`kind`: part, server, flow, overdue, stale, spend, config, ledger, idle."""

    kind: str
    about: str
    message: str


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

    def alert(self, kind: str, about: str, message: str) -> None:
        self.alerts.append({"kind": kind, "about": about, "message": message})


def status(home: Path, folder: Path | None = None) -> Status:
    """Look at a home and its project (default: that of the running `up`, else this folder)."""
    look, up = StatusLook(home), record.running(home)
    if folder is None and up:
        folder = Path(up.folder)
    servers = _servers(look, up)
    project, configs = _project(look, folder)
    ledger = _ledger(look)
    flows = [_flow(look, config, ledger) for config in configs]
    bases = _bases(look, ledger, configs)
    parts = _parts(look, up)
    if up is None and any(config.schedule for config in configs) and _own(servers):
        look.alert("idle", "up", "nothing runs the schedules: start `llmops up`")
    return {
        "home": str(home),
        "project": project.name if project else None,
        "up": {"pid": up.pid, "since": up.started_at, "folder": up.folder} if up else None,
        "servers": servers,
        "parts": parts,
        "flows": flows,
        "knowledge_bases": bases,
        "quarantine": sum(base["quarantine"] for base in bases),
        "spend": _spend(look, ledger),
        "alerts": look.alerts,
    }


def _own(servers: Sequence[ServerShown]) -> bool:
    return servers[0]["why"] == "the home's own"


def _parts(look: StatusLook, up: UpRecord | None) -> list[PartShown]:
    shown: list[PartShown] = []
    for part in up.parts if up else ():
        shown.append(
            {
                "name": part.name,
                "url": part.url,
                "healthy": part.healthy,
                "pid": part.pid,
                "restarts": part.restarts,
                "yours": part.yours,
            }
        )
        if not part.healthy:
            message = "does not answer" if part.yours else f"is down; see {look.home / 'logs'}"
            look.alert("part", part.name, message)
        elif part.restarts >= MANY_RESTARTS:
            message = f"had to be started again {part.restarts} times; see {look.home / 'logs'}"
            look.alert("part", part.name, message)
    return shown


def _servers(look: StatusLook, up: UpRecord | None) -> list[ServerShown]:
    """Both servers; where Prefect answers, it is asked further, within SECONDS in all."""
    urls = {part.name: part.url for part in up.parts} if up else {}
    shown: list[ServerShown] = []
    prefect, mlflow = used(look.home, SECONDS)
    for each in (prefect, mlflow):
        runs = each.healthy and (not each.own or each.pid is not None)
        url = urls.get(each.name) or (each.ui if runs or not each.own else None)
        answers = bool(urls.get(each.name)) or runs or (None if each.own else False)
        why = "the home's own" if each.own else each.why
        shown.append({"name": each.name, "url": url, "why": why, "answers": answers})
        if each.problem and not each.own:
            look.alert("server", each.name, f"{each.problem} ({each.why})")
    if shown[0]["answers"] and (prefect.healthy or prefect.own):
        theirs = server.named()
        headers = tuple(theirs.headers().items()) if theirs else ()
        api = PrefectApi(theirs.address, headers) if theirs else own_api(look.home)
        deadline = time.monotonic() + SECONDS - prefect.seconds
        look.api = api._replace(deadline=deadline) if api else None
    return shown


def _project(look: StatusLook, folder: Path | None) -> tuple[Project | None, list[Scheduled]]:
    try:
        project = Project.at(folder, look.home)
    except LlmopsError as error:
        look.alert("config", str(folder or Path().absolute()), error.message)
        return None, []
    try:
        return project, project.configs()
    except LlmopsError as error:
        for mistake in error.mistakes():
            look.alert("config", mistake.where, mistake.message)
        return project, []


def _ledger(look: StatusLook) -> Ledger | None:
    try:
        return existing_ledger(look.home)
    except LlmopsError as error:
        look.alert("ledger", str(look.home), str(error))
        return None


def _flow(look: StatusLook, config: Scheduled, ledger: Ledger | None) -> FlowShown:
    """By the Prefect server where it answers, else by the ledger and the clock."""
    when = cron_for(config.schedule) if config.schedule else None
    due = next_time(when, now()) if when else None
    shown: FlowShown = {
        "name": config.key,
        "config": config.file,
        "schedule": f"{config.schedule.cron} {config.schedule.timezone}"
        if config.schedule
        else None,
        "last": _last_of_ledger(ledger, config.name) if ledger else None,
        "next": due.isoformat() if due else None,
        "running": 0,
        "paused": False,
    }
    if look.api and config.schedule:
        try:
            _by_prefect(look, shown, look.api, config)
        except Unavailable as error:
            told = f"{error.message}; from {config.key} on, the ledger says what ran"
            look.alert("server", "prefect", told)
            look.api = None
    last = shown["last"]
    if last and last["type"] in ("FAILED", "CRASHED"):
        told = f": {last['message']}" if last["message"] else ""
        look.alert("flow", config.key, f"the last run ended {last['state']}{told}")
    return shown


def _by_prefect(look: StatusLook, shown: FlowShown, api: PrefectApi, config: Scheduled) -> None:
    found = [each for each in api.deployments(config.tags) if each["name"] == config.name]
    if not found:
        look.alert("flow", config.key, "is scheduled, but not registered: `llmops deploy`, or `up`")
        shown["next"] = None
        return
    deployment: Deployment = found[0]
    ids = [deployment["id"]]
    ended = {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}
    waiting = {"type": {"any_": ["SCHEDULED"]}}
    last = api.runs(ids, ended, "END_TIME_DESC", 1)
    coming = api.runs(ids, waiting, "EXPECTED_START_TIME_ASC", 1)
    running = api.active(ids)
    shown["last"] = _run(last[0]) if last else shown["last"]
    shown["next"] = coming[0]["expected_start_time"] if coming else None
    shown["running"], shown["paused"] = len(running), deployment["paused"]
    due = coming[0]["expected_start_time"] if coming else None
    if due and not running and now() - _moment(due) > LATE:
        look.alert("overdue", config.key, f"should have run at {due}: is there a worker?")


def _run(run: Run) -> RunShown:
    state = run["state"]
    return {
        "state": state["name"] if state else "unknown",
        "type": state["type"] if state else "",
        "at": run["end_time"],
        "run_id": run["id"],
        "message": state["message"] if state else None,
    }


def _moment(text: str) -> datetime:
    return aware(datetime.fromisoformat(text))


def _last_of_ledger(ledger: Ledger, name: str) -> RunShown | None:
    """What the last run of that name came to, as its outcome says it."""
    with ledger.read() as connection:
        row = connection.execute(
            select(runs).where(runs.c.kb == name).order_by(runs.c.finished_at.desc()).limit(1)
        ).one_or_none()
    if row is None:
        return None
    outcome = row.outcome
    state = str(outcome.get("status") or outcome.get("verdict") or "done")
    return {
        "state": state,
        "type": "FAILED" if state in ("failed", "blocked") else "COMPLETED",
        "at": aware(row.finished_at).isoformat(),
        "run_id": row.id,
        "message": outcome.get("reason"),
    }


def _bases(
    look: StatusLook, ledger: Ledger | None, configs: Sequence[Scheduled]
) -> list[BaseShown]:
    if ledger is None:
        return []
    schedules = {each.name: each.schedule for each in configs if each.flow == "index"}
    shown = []
    for name in live_names(ledger):
        found = views.status(Handle(home=look.home, name=name))
        ages = [float(each["staleness_seconds"]) for each in found["sources"]]
        base: BaseShown = {
            "name": name,
            "version": found["version"],
            "documents": found["documents"],
            "chunks": found["chunks"],
            "published_at": found["published_at"],
            "staleness_seconds": max(ages, default=None),
            "sources": found["sources"],
            "quarantine": found["quarantine"],
            "stale": len(found["stale"]),
            "running": found["running"],
        }
        schedule = schedules.get(name)
        limit = stale_after(schedule.cron, schedule.timezone) if schedule else None
        if schedule and limit and ages and max(ages) > limit.total_seconds():
            told = f"was last listed {_hours(max(ages))} ago, its schedule is {schedule.cron}"
            look.alert("stale", name, told)
        shown.append(base)
    return shown


def stale_after(cron: str, timezone: str) -> timedelta | None:
    """PERIODS times between two runs of a schedule; None for one that never came."""
    when = cron_for(Schedule(cron=cron, timezone=timezone))
    last = last_time(when, now())
    before = last_time(when, last - timedelta(seconds=1)) if last else None
    return PERIODS * (last - before) if last and before else None


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


def _spend(look: StatusLook, ledger: Ledger | None) -> Spend | None:
    """Answers of models by the day on which they were paid; vectors by the build that paid them."""
    if ledger is None:
        return None
    began = now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with ledger.read() as connection:
        paid, count = connection.execute(
            select(func.sum(calls.c.cost_usd), func.count()).where(
                calls.c.created_at >= began, calls.c.owner == ""
            )
        ).one()
        outcomes = connection.scalars(select(runs.c.outcome).where(runs.c.finished_at >= began))
        built = sum(
            float(each.get("cost_usd") or 0) for each in outcomes if each.get("flow") == "index"
        )
    total, budget = float(paid or 0) + built, settings().monthly_budget_usd
    if budget is not None and total > budget:
        look.alert("spend", f"{began:%Y-%m}", f"${total:.2f} of ${budget:.2f} are spent")
    month = f"{began:%Y-%m}"
    return {"month": month, "usd": round(total, 6), "calls": count, "budget_usd": budget}
