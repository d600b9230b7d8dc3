"""How an evaluation ends: its record in the ledger, MLflow and Prefect, the alias moved, and the
state of the run.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from llmops.tasks import artifacts as report
from llmops.tasks import evaluate, runs
from llmops.tasks.decisions import record as records
from llmops.tasks.decisions.summary import summary_markdown
from llmops.tasks.errors import LIVE, LlmopsError
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.run import Part, Trial
from llmops.tasks.knowledge.session import save_outcome
from llmops.tasks.ledger import open_ledger
from llmops.tasks.prompts import registry

Record = dict[str, Any]


def conclude(
    home: Path, trial: Trial, found: Record, parts: Sequence[Part], cases: CaseSet
) -> State[Any]:
    """Save the record first: nothing that follows may lose it. What fails then is a remark, and
    said; the record stands.
    """
    if url := runs.prefect_url():
        found["links"] = {"prefect": url, **found["links"]}
    found = records.save(home, found)
    found = records.save(home, carefully(found, evaluate.track, home, found, parts, cases))
    if found["mlflow_run_id"] and parts:
        shutil.rmtree(parts[0].file.parent)  # MLflow holds all of it now
    if found["verdict"] == "promote" and found["promote"]:
        found = carefully({**found, "promoted": None}, _promote, home, trial, found)
    found = records.save(home, carefully(found, _show, found))
    save_outcome(open_ledger(home), found["prefect_run_id"] or "local", found["name"], found)
    runs.tell(f"{found['verdict']}: {found['reason']}")
    return _state(found)


def _promote(home: Path, trial: Trial, found: Record) -> Record:
    """Into the registry goes what has won; what was only tried stays a file."""
    who = f"prefect run {found['prefect_run_id']}" if found["prefect_run_id"] else "llmops evaluate"
    prompt, alias = found["promote"]["prompt"], found["promote"]["alias"]
    LIVE[:] = [f"the alias {prompt}@{alias} may have moved (llmops prompts history {prompt})"]
    registry.push(home, trial.arm(found["candidate"]).prompt.prompt)
    moved = evaluate.promote(home, found, prompt, alias, who)
    LIVE[:] = [f"the alias {prompt}@{alias} is version {moved['version']}"]
    return {**found, "promoted": moved}


def carefully(found: Record, step: Callable[..., Record], *args: Any) -> Record:
    """The record after a step, or with a remark where the step failed."""
    try:
        return step(*args)
    except LlmopsError as error:
        return {**found, "remarks": [*found["remarks"], str(error)]}


def _show(found: Record) -> Record:
    report.evaluation(
        found["name"], summary_markdown(found), found["reason"], found["links"].get("mlflow", "")
    )
    return found


def _state(found: Record) -> State[Any]:
    if found["status"] == "failed":
        return Failed(name="TooManyErrors", message=found["reason"])
    if "promoted" in found and not found["promoted"]:
        return Failed(name="NotPromoted", message=found["remarks"][-1])
    names = {"promote": "Completed", "reject": "Rejected", "inconclusive": "Inconclusive"}
    return Completed(name=names[found["verdict"]], message=f"{found['verdict']}: {found['reason']}")
