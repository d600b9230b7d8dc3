"""How far a build or a training is: the step that its flow run is at, as Prefect knows it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from llmops.deployments.prefect_api import PrefectApi, own_api
from llmops.flows import server
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.leases import building_run

Step = Literal[
    "start",
    "plan",
    "collect",
    "clean",
    "check",
    "chunk",
    "embed",
    "stage",
    "publish",
    "select",
    "split",
    "export",
    "train",
]
STEPS: tuple[Step, ...] = (
    "start",
    "plan",
    "collect",
    "clean",
    "check",
    "chunk",
    "embed",
    "stage",
    "publish",
)
TRAINING_STEPS: tuple[Step, ...] = (
    "start",
    "collect",
    "check",
    "clean",
    "select",
    "split",
    "export",
    "publish",
    "train",
)
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
NAMED_TRAINING: Mapping[str, Step] = {
    "cut": "start",
    "collect": "collect",
    "check": "check",
    "compare": "check",
    "scrub": "clean",
    "dedup": "select",
    "decontaminate": "select",
    "split": "split",
    "prove that nothing leaks": "split",
    "export": "export",
    "publish": "publish",
    "train": "train",
}
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


def training_progress(home: Path, name: str, began: str) -> BuildProgress:
    """Where the training of a data set is now, that a page has started at a time: of the runs of
    its two flows since then.
    """
    try:
        if (api := _api(home)) is None:
            return BuildProgress("start")
        wanted = {
            "flows": {"name": {"any_": ["finetune", "train"]}},
            "flow_runs": {"name": {"any_": [name]}, "start_time": {"after_": began}},
            "sort": "EXPECTED_START_TIME_DESC",
            "limit": 200,
        }
        found = api.ask("/task_runs/filter", wanted, SECONDS)
    except LlmopsError:
        return BuildProgress("start")
    return progress_of(found, TRAINING_STEPS, NAMED_TRAINING)


def onwards(now: BuildProgress, before: str, steps: Sequence[Step] = STEPS) -> BuildProgress:
    """Where a build is that was at the step `before`: at its end nobody knows its run any more, and
    that is no new beginning.
    """
    known = next((step for step in steps if step == before), steps[0])
    return BuildProgress(known) if now.step == steps[0] else now


def progress_of(
    runs: object, steps: Sequence[Step] = STEPS, named: Mapping[str, Step] = NAMED
) -> BuildProgress:
    """What the task runs of a flow run come to, as Prefect gives them."""
    furthest = BuildProgress("start")
    seen = [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []
    names = [(step_of(str(run.get("name", "")), named), run) for run in seen]
    found = [(step, run) for step, run in names if step is not None]
    if not found:
        return furthest
    last = max((step for step, _ in found), key=steps.index)
    own = [run for step, run in found if step == last]
    parts = [int(match["all"]) for run in own if (match := OF.search(str(run["name"])))]
    done = sum(run.get("state_type") == "COMPLETED" for run in own)
    return BuildProgress(last, min(done, max(parts)), max(parts)) if parts else BuildProgress(last)


def step_of(name: str, named: Mapping[str, Step] = NAMED) -> Step | None:
    """The step of a task run, by its name; None for one that belongs to none."""
    begins = [each for each in named if name == each or name.startswith((f"{each} ", f"{each}-"))]
    return named[max(begins, key=len)] if begins else None


def _api(home: Path) -> PrefectApi | None:
    theirs = server.named()
    if theirs is None:
        return own_api(home)
    return PrefectApi(theirs.address, tuple(theirs.headers().items()))
