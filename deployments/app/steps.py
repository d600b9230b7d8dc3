"""How far a build is: the step that its flow run is at, as Prefect knows it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from llmops.deployments.prefect_api import PrefectApi, own_api
from llmops.flows import server
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.leases import building_run

Step = Literal["start", "plan", "collect", "clean", "check", "chunk", "embed", "stage", "publish"]
STEPS: tuple[Step, ...] = get_args(Step)
SECONDS = 0.8
NAMED: Mapping[str, Step] = {
    "recover": "start",
    "plan": "plan",
    "check golden set": "plan",
    "cut": "plan",
    "collect": "collect",
    "sketch": "clean",
    "judge": "clean",
    "clean": "clean",
    "validate": "check",
    "chunk": "chunk",
    "embed": "embed",
    "compare": "embed",
    "open_version": "stage",
    "stage": "stage",
    "retire": "stage",
    "seal": "stage",
    "gate": "stage",
    "settle": "publish",
    "publish": "publish",
    "tidy": "publish",
}
"""The step that a task belongs to, by what its run's name begins with."""
OF = re.compile(r"(?P<number>\d+) of (?P<all>\d+)")


class BuildProgress(NamedTuple):
    """`done` of `parts` of the step are done; 0 of 0 for a step without parts."""

    step: Step
    done: int = 0
    parts: int = 0


def progress(home: Path, kb: str) -> BuildProgress:
    """Where the build of a knowledge base is now. Where nobody knows, it is at its start."""
    try:
        run = building_run(open_ledger(home), kb)
        api = _api(home) if run else None
        if run is None or api is None:
            return BuildProgress("start")
        wanted = {
            "flow_runs": {"id": {"any_": [run]}},
            "sort": "EXPECTED_START_TIME_DESC",
            "limit": 200,
        }
        return progress_of(api.ask("/task_runs/filter", wanted, SECONDS))
    except LlmopsError:  # a server that is busy: the build goes on without being watched
        return BuildProgress("start")


def onwards(now: BuildProgress, before: str) -> BuildProgress:
    """Where a build is that was at the step `before`: at its end nobody knows its run any more, and
    that is no new beginning.
    """
    known = next((step for step in STEPS if step == before), STEPS[0])
    return BuildProgress(known) if now.step == STEPS[0] else now


def progress_of(runs: object) -> BuildProgress:
    """What the task runs of a flow run come to, as Prefect gives them."""
    furthest = BuildProgress("start")
    seen = [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []
    found = [(step, run) for run in seen if (step := step_of(str(run.get("name", "")))) is not None]
    if not found:
        return furthest
    last = max((step for step, _ in found), key=STEPS.index)
    own = [run for step, run in found if step == last]
    parts = [int(match["all"]) for run in own if (match := OF.search(str(run["name"])))]
    done = sum(run.get("state_type") == "COMPLETED" for run in own)
    return BuildProgress(last, min(done, max(parts)), max(parts)) if parts else BuildProgress(last)


def step_of(name: str) -> Step | None:
    """The step of a task run, by its name; None for one that belongs to none."""
    begins = [each for each in NAMED if name == each or name.startswith((f"{each} ", f"{each}-"))]
    return NAMED[max(begins, key=len)] if begins else None


def _api(home: Path) -> PrefectApi | None:
    theirs = server.named()
    if theirs is None:
        return own_api(home)
    return PrefectApi(theirs.address, tuple(theirs.headers().items()))
