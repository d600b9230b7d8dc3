"""What every flow run leaves behind: its name, its outcome, its records in Prefect and MLflow, its
final state.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.settings import PREFECT_UI_URL
from prefect.states import Completed, Failed

from llmops.tasks import artifacts as report
from llmops.tasks.errors import LlmopsError
from llmops.tasks.knowledge.outcome import Outcome
from llmops.tasks.knowledge.session import save_outcome
from llmops.tasks.knowledge.versions import close_version
from llmops.tasks.knowledge.views import rows_at
from llmops.tasks.ledger import open_ledger
from llmops.tasks.schemas import sha256
from llmops.tasks.tracking import BuildRecord, DocumentSet, record_build, run_url

NAMES = {"blocked": "Blocked", "failed": "FailureBudgetExceeded"}


def run_id() -> str | None:
    """The id of the flow run that this code is in; None outside of one."""
    return str(flow_run.id) if FlowRunContext.get() else None


def name_run(name: str) -> None:
    """Rename the current flow run, once its version is known."""
    if current := run_id():
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(current), name=name)


def tell(text: str) -> None:
    """A line in the log of the current flow run, for those who watch it in the UI."""
    if FlowRunContext.get():
        get_run_logger().info(text)


def name_outcome(outcome: Outcome) -> None:
    """A run that made no version says so in its name."""
    if outcome.status == "unchanged":
        name_run(f"{outcome.knowledge_base} unchanged (v{outcome.version})")
    elif outcome.candidate is None and outcome.status != "published":
        name_run(f"{outcome.knowledge_base} {outcome.status}")


def prefect_url() -> str | None:
    """Where a browser shows this run."""
    current, base = run_id(), PREFECT_UI_URL.value()
    return f"{base}/runs/flow-run/{current}" if current and base else None


def document_set(home: Path, outcome: Outcome) -> DocumentSet | None:
    """The documents of the version that is live now, as MLflow records a dataset."""
    if outcome.status != "published":
        return None
    rows = rows_at(open_ledger(home), outcome.knowledge_base, outcome.version or 0).values()
    digest = sha256("\n".join(sorted(f"{row.uri}\x1f{row.content_hash}" for row in rows)))
    return DocumentSet(
        digest=digest,
        sources=tuple(sorted({row.source for row in rows})),
        profile={"documents": len(rows), "characters": sum(row.characters for row in rows)},
    )


def carefully(outcome: Outcome, step: Callable[..., object], *args: Any) -> None:
    """Run a step that comes after publishing: its failure is a warning, the new version is live all
    the same.
    """
    try:
        step(*args)
    except LlmopsError as error:
        outcome.warnings = [*outcome.warnings, str(error)]


def conclude(home: Path, config: dict[str, Any], outcome: Outcome) -> State[Any]:
    """Record the outcome in MLflow, Prefect and the ledger, and return the state that the run ends
    in.
    """
    if url := prefect_url():
        outcome.links = {"prefect": url, **outcome.links}
    if outcome.candidate is not None or outcome.status == "failed":
        carefully(outcome, _track, home, config, outcome)
    carefully(outcome, report.outcome, outcome.public())
    save_outcome(
        open_ledger(home),
        outcome.prefect_run_id or "local",
        outcome.knowledge_base,
        outcome.public(),
    )
    return _state(outcome)


def _track(home: Path, config: dict[str, Any], outcome: Outcome) -> None:
    record = BuildRecord(
        knowledge_base=outcome.knowledge_base,
        outcome=outcome.public(),
        worst=tuple(outcome.worst),
        decision=outcome.gate,
        documents=document_set(home, outcome),
        prefect_run_id=outcome.prefect_run_id,
        prefect_url=prefect_url(),
        **config,
    )
    outcome.mlflow_run_id = record_build(home, record)
    outcome.links = outcome.links | {"mlflow": run_url(home, outcome.mlflow_run_id)}
    if outcome.candidate is not None:
        close_version(
            open_ledger(home),
            outcome.knowledge_base,
            outcome.candidate,
            mlflow_run_id=outcome.mlflow_run_id,
        )


def _state(outcome: Outcome) -> State[Any]:
    if outcome.status in NAMES:
        return Failed(name=NAMES[outcome.status], message=outcome.reason)
    documents = outcome.documents
    message = f"{outcome.status}: version {outcome.version}, {documents.get('total', 0)} documents"
    if documents.get("quarantined"):
        return Completed(
            name="CompletedWithQuarantine",
            message=f"{message}, {documents['quarantined']} in quarantine",
        )
    return Completed(message=message)
