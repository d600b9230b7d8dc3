"""What `llmops status` shows: parts, servers, flows, knowledge bases, spend, and what wants a look.

Everything is read: HOME/up.json, the ledger, and over HTTP what answers. Where nothing runs, what
the ledger and the configs say is shown all the same.
"""

import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from llmops.configs.section import Schedule
from llmops.deployments.flow_status import broken_flow, flow_shown
from llmops.deployments.prefect_api import SECONDS, api_of
from llmops.deployments.project import ConfigSurvey, Project, Scheduled
from llmops.deployments.remarks import NO_SCHEDULE, unbuilt
from llmops.deployments.shown import (
    BaseShown,
    FlowShown,
    PartShown,
    ServerShown,
    Spend,
    Status,
    StatusLook,
)
from llmops.deployments.spending import month_spend, over_budget
from llmops.deployments.times import cron_for, last_time
from llmops.deployments.up import record
from llmops.deployments.up.ailing import ailing, starting
from llmops.deployments.up.record import UpRecord
from llmops.flows.server.used import used
from llmops.tasks.alerts.beats import SILENCE_HINT, silence
from llmops.tasks.alerts.record import records
from llmops.tasks.errors import LlmopsError
from llmops.tasks.knowledge import views
from llmops.tasks.knowledge.handle import Handle, live_names
from llmops.tasks.ledger import Ledger, existing_ledger, now
from llmops.tasks.ledger.alerting import alerts

SEEN_HERE = ("flow-failed", "flow-blocked", "flow-late", "config-wrong", "part-down", "spend")
"""Rules of the alerter that say what a look at the home says itself."""
PERIODS = 2  # of its schedule, after which a knowledge base is stale


def status(home: Path, folder: Path | None = None) -> Status:
    """Look at a home and its project (default: that of the running `up`, else this folder)."""
    look, up = StatusLook(home), record.running(home)
    if folder is None and up:
        folder = Path(up.folder)
    servers = _servers(look, up)
    project, survey = _project(look, folder)
    configs = survey.usable
    ledger = _ledger(look)
    flows = [flow_shown(look, config, ledger) for config in configs]
    flows += _broken(survey)
    bases = _bases(look, ledger, configs)
    parts = _parts(look, up)
    _firing(look, ledger)
    _idle(look, up, survey, own=servers[0]["why"] == "the home's own")
    if project and ledger and not survey.mistakes:  # a config that cannot be read may build it
        for name, message, hint in unbuilt(project):
            look.alert("unbuilt", name, message, hint)
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


def _firing(look: StatusLook, ledger: Ledger | None) -> None:
    """An alerter that fell silent, and the alerts that it has found beyond what is looked at here:
    those are as old as its last look.
    """
    if ledger is None:
        return
    if told := silence(ledger, now()):
        look.alert("alerter", "alerts", told, SILENCE_HINT)
    with ledger.read() as connection:
        fires = records(connection, alerts.c.resolved_at.is_(None), alerts.c.fired_at.is_not(None))
    for each in fires:
        if each.rule not in SEEN_HERE:
            look.alert(each.rule, each.subject, each.message, each.hint)


def _idle(look: StatusLook, up: UpRecord | None, survey: ConfigSurvey, *, own: bool) -> None:
    """Schedules that nobody runs, and a runner without schedules."""
    scheduled = any(config.schedule for config in survey.usable)
    if up is None and scheduled and own:
        look.alert("idle", "up", "nothing runs the schedules: start `llmops up`")
    if up is not None and not scheduled and not survey.mistakes:
        look.alert("idle", "up", f"runs nothing by itself: {NO_SCHEDULE[0]}", NO_SCHEDULE[1])


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
                "waits": part.waits,
                "starting": starting(part),
            }
        )
        for message in ailing(part, look.home):
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
            look.alert("server", each.name, f"{each.problem} ({each.why})", each.hint)
    if shown[0]["answers"] and (prefect.healthy or prefect.own):
        api = api_of(look.home)
        deadline = time.monotonic() + SECONDS - prefect.seconds
        look.api = api._replace(deadline=deadline) if api else None
    return shown


def _project(look: StatusLook, folder: Path | None) -> tuple[Project | None, ConfigSurvey]:
    try:
        project = Project.at(folder, look.home)
    except LlmopsError as error:
        look.alert("config", str(folder or Path().absolute()), error.message, error.hint)
        return None, ConfigSurvey()
    try:
        survey = project.survey()
    except LlmopsError as error:
        look.alert("config", error.where, error.message, error.hint)
        return project, ConfigSurvey()
    for _, mistake in survey.mistakes:
        look.alert("config", mistake.where, mistake.message, mistake.hint)
    return project, survey


def _broken(survey: ConfigSurvey) -> list[FlowShown]:
    """The configs that cannot be read, each with its first mistake."""
    usable = {config.file for config in survey.usable}
    first = {file: mistake for file, mistake in reversed(survey.mistakes) if file not in usable}
    return [broken_flow(survey.names.get(file, file), file, first[file]) for file in sorted(first)]


def _ledger(look: StatusLook) -> Ledger | None:
    try:
        return existing_ledger(look.home)
    except LlmopsError as error:
        look.alert("ledger", str(look.home), error.message, error.hint)
        return None


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
    """What was paid since the month began, by all flows."""
    if ledger is None:
        return None
    spent = month_spend(ledger, now())
    if told := over_budget(spent):
        look.alert("spend", spent["month"], told)
    return spent
