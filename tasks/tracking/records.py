"""What is recorded of a build, and its mapping to MLflow's names and limits: plain functions, no
mlflow.
"""

import html
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

KEY_LENGTH = 250  # of MLflow's keys, in characters
VALUE_LENGTH = 6000  # of a parameter's value
TAG_LENGTH = 8000  # of a tag's value
TABLE = "worst-questions.json"
NUMBERED = ("version", "previous_version", "candidate")
SUCCESSFUL = ("published", "unchanged", "planned")


class DocumentSet(BaseModel):
    """The documents that went in, without their texts: `digest` is a hash over (uri, content hash)
    of the ledger.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    digest: str
    sources: tuple[str, ...] = ()
    profile: Mapping[str, float] = Field(default_factory=dict)


class BuildRecord(BaseModel):
    """One build of a knowledge base. `outcome` is what `llmops index --json` prints; `config` has
    `${NAME}` for secrets.

    `decision` is the gate's record, `worst` the questions that the gate answered worst.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    knowledge_base: str
    outcome: Mapping[str, Any]
    config: Mapping[str, Any]
    config_sha256: str
    documents: DocumentSet | None = None
    decision: Mapping[str, Any] = Field(default_factory=dict)
    worst: tuple[Mapping[str, Any], ...] = ()
    metrics: Mapping[str, float] = Field(default_factory=dict)
    prefect_run_id: str | None = None
    prefect_url: str | None = None
    git_commit: str | None = None

    @property
    def status(self) -> str:
        return str(self.outcome.get("status", "failed"))

    @property
    def name(self) -> str:
        """`handbook v3`, after the candidate, and what became of it where it was not published."""
        version = self.outcome.get("candidate") or self.outcome.get("version")
        parts = [self.knowledge_base, f"v{version}" if version is not None else ""]
        return " ".join(filter(None, [*parts, "" if self.status == "published" else self.status]))

    @property
    def succeeded(self) -> bool:
        return self.status in SUCCESSFUL


def key(name: str) -> str:
    """A name that MLflow takes: `recall@5` becomes `recall_at_5`, other characters that it refuses
    become `_`.
    """
    safe = re.sub(r"[^/\w.\- ]", "_", name.replace("@", "_at_"))
    parts = [part for part in safe.split("/") if part.strip(". ")]
    return "/".join(parts)[:KEY_LENGTH].strip("/") or "_"


def parameters(config: Mapping[str, Any]) -> dict[str, str]:
    """The config's leaves: `chunk.size`, `sources.0.path`. Lists of plain values stay together, as
    JSON.
    """
    return {key(path): _cut(text, VALUE_LENGTH) for path, text in _leaves(config)}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    nested = isinstance(value, list | tuple) and any(
        isinstance(item, Mapping | list | tuple) for item in value
    )
    if isinstance(value, Mapping) or nested:
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, item in items:
            yield from _leaves(item, f"{path}.{name}" if path else str(name))
    elif path:
        yield (
            path,
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str),
        )


def metrics(outcome: Mapping[str, Any]) -> dict[str, float]:
    """The outcome's finite numbers: `documents/new`, `gate/recall_at_5/candidate`,
    `gate/recall_at_5/interval_low`.
    """
    return {key(path): number for path, number in _numbers(outcome) if math.isfinite(number)}


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if path or name not in NUMBERED:
                yield from _numbers(
                    item, path if name == "metrics" else f"{path}/{name}".lstrip("/")
                )
    elif path.endswith("/interval") and isinstance(value, list | tuple) and len(value) == 2:
        for end, item in zip(("low", "high"), value, strict=True):
            yield from _numbers(item, f"{path}_{end}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, float(value)


def tags(build: BuildRecord) -> dict[str, str]:
    """What a run can be found by. Tags that have no value are left out."""
    version = build.outcome.get("candidate") or build.outcome.get("version")
    found = {
        "knowledge_base": build.knowledge_base,
        "version": version,
        "status": build.status,
        "verdict": (build.outcome.get("gate") or {}).get("verdict"),
        "reason": build.outcome.get("reason"),
        "prefect_run_id": build.prefect_run_id,
        "prefect_url": build.prefect_url,
        "config_sha256": build.config_sha256,
        "mlflow.source.name": "llmops index",
        "mlflow.source.type": "JOB",
        "mlflow.source.git.commit": build.git_commit,
        "mlflow.note.content": note(build),
    }
    if build.worst:
        found["mlflow.loggedArtifacts"] = json.dumps(
            [{"path": TABLE, "type": "table"}]
        )  # shown as a table in the UI
    return {
        name: _cut(str(value), TAG_LENGTH) for name, value in found.items() if value is not None
    }


def note(build: BuildRecord) -> str:
    """The run's description, in Markdown."""
    lines = [
        f"**{build.status}**",
        html.escape(str(build.outcome.get("reason") or ""), quote=False),
    ]
    lines += [f"[Prefect run]({build.prefect_url})"] if build.prefect_url else []
    lines += [
        f"- {html.escape(str(warning), quote=False)}"
        for warning in build.outcome.get("warnings") or ()
    ]
    return "\n\n".join(filter(None, lines))


def table(rows: tuple[Mapping[str, Any], ...]) -> dict[str, list[Any]]:
    """Rows in the form of mlflow.log_table, which itself warns with pandas 3; nested values as
    JSON, for the cells.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {"columns": names, "data": [[_cell(row.get(name)) for name in names] for row in rows]}


def _cell(value: Any) -> Any:
    plain = value is None or isinstance(value, str | int | float)
    return value if plain else json.dumps(value, ensure_ascii=False, default=str)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
