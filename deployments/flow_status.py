"""How each config of a project does: its last run and its next one, by the Prefect server where it
answers, else by the ledger and the clock.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from llmops.deployments.prefect_api import Deployment, PrefectApi, Run
from llmops.deployments.project import Scheduled
from llmops.deployments.shown import FlowShown, RunShown, StatusLook
from llmops.deployments.times import cron_for, next_time
from llmops.tasks.alerts.history import FAILED
from llmops.tasks.errors import Mistake, Unavailable
from llmops.tasks.ledger import Ledger, now
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.runs import saved_outcome
from llmops.tasks.ledger.tables import runs

LATE = timedelta(minutes=2)


def flow_shown(look: StatusLook, config: Scheduled, ledger: Ledger | None) -> FlowShown:
    """A config that can be read."""
    when = cron_for(config.schedule) if config.schedule else None
    due = next_time(when, now()) if when else None
    shown: FlowShown = {
        "name": config.key,
        "config": config.file,
        "schedule": f"{config.schedule.cron} {config.schedule.timezone}"
        if config.schedule
        else None,
        "last": _last_of_ledger(ledger, config) if ledger else None,
        "next": due.isoformat() if due else None,
        "running": 0,
        "paused": False,
        "mistake": None,
    }
    if look.api and config.schedule:
        try:
            _by_prefect(look, shown, look.api, config)
        except Unavailable as error:
            told = f"{error.message}; from {config.key} on, the ledger says what ran"
            look.alert("server", "prefect", told, error.hint)
            look.api = None
    if last := shown["last"]:
        outcome = (saved_outcome(ledger, last["run_id"]) if ledger else None) or {}
        last["verdict"] = outcome.get("verdict")
        if last["type"] in ("FAILED", "CRASHED"):
            told = f": {last['message']}" if last["message"] else ""
            look.alert(
                "flow", config.key, f"the last run ended {last['state']}{told}", _hint(outcome)
            )
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
        "verdict": None,
    }


def _moment(text: str) -> datetime:
    return aware(datetime.fromisoformat(text))


def _last_of_ledger(ledger: Ledger, config: Scheduled) -> RunShown | None:
    """What the last run of that config came to, as its outcome says it."""
    mine = (runs.c.kb == config.name) & (runs.c.outcome["flow"].as_string() == config.flow)
    with ledger.read() as connection:
        row = connection.execute(
            select(runs).where(mine).order_by(runs.c.finished_at.desc()).limit(1)
        ).one_or_none()
    if row is None:
        return None
    outcome = row.outcome
    state = str(outcome.get("status") or outcome.get("verdict") or "done")
    return {
        "state": state,
        "type": "FAILED" if state in FAILED else "COMPLETED",
        "at": aware(row.finished_at).isoformat(),
        "run_id": row.id,
        "message": outcome.get("reason") or outcome.get("headline"),
        "verdict": None,
    }


def _hint(outcome: Mapping[str, Any]) -> str:
    """What the outcome of a run says to do; of a night, that of its first part that failed."""
    failed = [part for part in outcome.get("parts", ()) if part["failed"]]
    return str((failed[0] if failed else outcome).get("hint") or "")


def broken_flow(name: str, file: str, mistake: Mistake) -> FlowShown:
    """A config that cannot be read."""
    return {
        "name": name,
        "config": file,
        "schedule": None,
        "last": None,
        "next": None,
        "running": 0,
        "paused": False,
        "mistake": mistake.message,
    }
