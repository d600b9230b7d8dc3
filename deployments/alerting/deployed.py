"""What a Prefect server knows of the schedules and runs of a project, in three questions."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, cast

from llmops.deployments.prefect_api import Deployment, PrefectApi, Run
from llmops.tasks.alerts.history import EndedRun, Name, Result
from llmops.tasks.ledger.leases import aware

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
NEITHER = "CANCELLED"
"""Covered by another run, missed, or ended by a person: neither good nor a failure."""
RAISED = re.compile(r"^Flow run encountered an exception: ")


class DeployedConfig(NamedTuple):
    """A config as the server holds it. `since`: when it got the schedule that it has, None where
    that is paused; `began`: when the last run did; `runs`: those that ended well or
    failed; `cancelled`: ids of the others, which are neither.
    """

    of: Name
    since: datetime | None
    began: datetime | None
    running: bool
    runs: tuple[EndedRun, ...]
    cancelled: frozenset[str]


def deployed_configs(api: PrefectApi, tags: Sequence[str]) -> dict[str, DeployedConfig]:
    """By key, such as `index/handbook`. Raises Unavailable."""
    there = api.deployments(tags)
    by_id = {each["id"]: each for each in there}
    ended = api.runs(list(by_id), {"type": {"any_": list(ENDED)}}, "END_TIME_DESC")
    active = api.active(list(by_id))
    found = (
        _config(each, _of(each["id"], ended), _of(each["id"], active)) for each in by_id.values()
    )
    return {"/".join(each.of): each for each in found}


def _of(deployment: str, runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run["deployment_id"] == deployment]


def _config(found: Deployment, ended: Sequence[Run], active: Sequence[Run]) -> DeployedConfig:
    flow = next((tag[5:] for tag in found["tags"] if tag.startswith("flow:")), "")
    of = (flow, found["name"])
    begun = [moment(run["start_time"]) for run in (*ended, *active) if run["start_time"]]
    return DeployedConfig(
        of=of,
        since=_since(found),
        began=max(begun, default=None),
        running=bool(active),
        runs=tuple(_ended(run, of) for run in ended if _kind(run) != NEITHER),
        cancelled=frozenset(run["id"] for run in ended if _kind(run) == NEITHER),
    )


def _since(found: Deployment) -> datetime | None:
    """When its active schedule was made; None where none is active."""
    row = cast(Mapping[str, object], found)
    schedules = row.get("schedules")
    made = [
        moment(each["created"])
        for each in (schedules if isinstance(schedules, list) else [])
        if each.get("active") and isinstance(each.get("created"), str)
    ]
    return max(made) if made and not found["paused"] else None


def _kind(run: Run) -> str:
    return run["state"]["type"] if run["state"] else ""


def _ended(run: Run, of: Name) -> EndedRun:
    """As far as its state tells. Of a night in which parts failed, they are the failures."""
    state = run["state"] or {"type": "", "name": "", "message": None}
    ended = moment(run["end_time"] or run["expected_start_time"] or "1970-01-01")
    result: Result = "good"
    if state["type"] in ("FAILED", "CRASHED") and state["name"] != "PartsFailed":
        result = "blocked" if state["name"] == "Blocked" else "failed"
    message = RAISED.sub("", state["message"] or f"ended {state['name']}").strip()
    began = moment(run["start_time"]) if run["start_time"] else ended
    return EndedRun(run["id"], of, began, ended, result, message.splitlines()[0])


def moment(text: str) -> datetime:
    return aware(datetime.fromisoformat(text))
