"""The steps of the end of an index run: its name, its records in MLflow, its artifacts."""

from collections.abc import Callable
from pathlib import Path
from urllib.request import url2pathname

from llmops.tasks import artifacts
from llmops.tasks.errors import NearDuplicate
from llmops.tasks.finish import name_run, prefect_url
from llmops.tasks.knowledge import quarantine, versions
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.outcome import Outcome
from llmops.tasks.knowledge.views import rows_at
from llmops.tasks.schemas import sha256
from llmops.tasks.tracking import (
    DATA_DOCS,
    BuildRecord,
    ConfigRecord,
    DocumentSet,
    QualityRecord,
    place_of,
    record_build,
    record_quality,
    run_url,
    shared,
)


def named(outcome: Outcome) -> Outcome:
    """A run that made no version says so in its name."""
    if outcome.status == "unchanged":
        name_run(f"{outcome.name} unchanged (v{outcome.version})")
    elif outcome.candidate is None and outcome.status != "published":
        name_run(f"{outcome.name} {outcome.status}")
    return outcome


def recorded(handle: Handle, config: ConfigRecord) -> Callable[[Outcome], Outcome]:
    """The step that records a build in MLflow, where there is something to record."""

    def step(outcome: Outcome) -> Outcome:
        if outcome.status == "unchanged" and outcome.gate.get("measured"):
            record_quality(handle.home, _quality(outcome))
        page = _data_docs(outcome)
        blocked = outcome.status == "blocked" and page and not place_of(handle.home).own
        if outcome.candidate is None and outcome.status != "failed" and not blocked:
            return outcome
        record = BuildRecord(
            knowledge_base=outcome.knowledge_base,
            outcome=outcome.public(),
            worst=tuple(outcome.worst),
            decision=outcome.gate,
            documents=_document_set(handle, outcome),
            data_docs=page,
            prefect_run_id=outcome.prefect_run_id,
            prefect_url=prefect_url(),
            **config,
        )
        mlflow_run_id = record_build(handle.home, record)
        if outcome.status == "published":
            record_quality(handle.home, _quality(outcome))
        run_page = run_url(handle.home, mlflow_run_id)
        readable = shared(handle.home, run_page, {"data docs": DATA_DOCS} if page else {})
        if outcome.candidate is not None:
            versions.close_version(handle, outcome.candidate, mlflow_run_id=mlflow_run_id)
        links = outcome.links | {"mlflow": run_page} | readable
        hint = outcome.hint
        if hint and page and readable:
            hint = hint.replace(page.as_uri(), readable["data docs"])
        update = {"mlflow_run_id": mlflow_run_id, "links": links, "hint": hint}
        return outcome.model_copy(update=update)

    return step


def _quality(outcome: Outcome) -> QualityRecord:
    """The point of the version that went live, or that is live and was measured."""
    gate = outcome.gate
    return QualityRecord(
        knowledge_base=outcome.knowledge_base,
        version=outcome.version or 0,
        measured=gate.get("measured") or {},
        questions=gate.get("questions") or 0,
        golden_sha256=gate.get("golden_sha256") or "",
        gated=bool(gate.get("golden_sha256")),
        numbers={
            "documents": {
                name: outcome.documents.get(name, 0) for name in ("total", "quarantined")
            },
            "chunks": {"total": outcome.chunks["total"]},
            **(
                {"cost_usd": outcome.cost_usd, "seconds": outcome.seconds}
                if outcome.status == "published"
                else {}
            ),
        },
    )


def _data_docs(outcome: Outcome) -> Path | None:
    """The file that the outcome links to."""
    uri = outcome.links.get("data docs")
    return Path(url2pathname(uri.removeprefix("file://"))) if uri else None


def _document_set(handle: Handle, outcome: Outcome) -> DocumentSet | None:
    """The documents of the version that is live now, as MLflow records a dataset."""
    if outcome.status != "published":
        return None
    rows = rows_at(handle, outcome.version or 0).values()
    digest = sha256("\n".join(sorted(f"{row.uri}\x1f{row.content_hash}" for row in rows)))
    return DocumentSet(
        digest=digest,
        sources=tuple(sorted({row.source for row in rows})),
        profile={"documents": len(rows), "characters": sum(row.characters for row in rows)},
    )


def shown(handle: Handle) -> Callable[[Outcome], Outcome]:
    """The step that shows the outcome as artifacts, with what lies in quarantine and why."""

    def step(outcome: Outcome) -> Outcome:
        artifacts.outcome(outcome.public())
        if outcome.documents.get("quarantined"):
            held = quarantine.items(handle.ledger, handle.name)
            failed = [item for item in held if item["error"] != NearDuplicate.__name__]
            artifacts.quarantine(handle.name, failed)
        return outcome

    return step
