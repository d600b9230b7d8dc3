"""The decision record: one JSON file below the home, complete enough to compute the verdict again
from it alone.
"""

import json
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select

from llmops.tasks.calls.budget import Spent
from llmops.tasks.decisions.evidence import Evidence
from llmops.tasks.decisions.evidence_gather import gathered
from llmops.tasks.decisions.record_check import KIND, load, recomputed, sealed, verify
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.decisions.verdict import Verdict, decide
from llmops.tasks.decisions.verdict_arms import error_rate
from llmops.tasks.errors import LlmopsError
from llmops.tasks.evaluation.calibration import untrusted_metrics
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.run import Arm, Part, Trial
from llmops.tasks.ledger import existing_ledger, open_ledger
from llmops.tasks.ledger.tables import decisions

PACKAGES = ("llmops-pipelines", "numpy", "scipy", "pydantic", "httpx")
FOLDER = "decisions"


def make_record(
    trial: Trial,
    rule: Rule,
    parts: Sequence[Part],
    cases: CaseSet,
    *,
    config: Mapping[str, Any],
    config_sha256: str,
    promote: Mapping[str, str] | None = None,
    untrusted: Mapping[str, str] | None = None,
    prefect_run_id: str | None = None,
    began: datetime | None = None,
    warnings: Sequence[str] = (),
    stopped: str | None = None,
) -> dict[str, Any]:
    """The record of finished parts. `untrusted`: metrics that may not decide, and why; None: asks
    the calibrations of the home.
    """
    evidence = gathered(
        trial,
        rule,
        parts,
        cases,
        untrusted_metrics(trial) if untrusted is None else untrusted,
        stopped or "",
    )
    found, now = decide(evidence), datetime.now(UTC)
    spent = max(parts, key=lambda part: part.number).spent if parts else Spent()
    pairs = evidence.pairs.model_dump(mode="json")
    seen = sum(part.cases for part in parts)
    left = (
        f"{seen - len(evidence.pairs.cases)} of {seen} cases were not asked of every arm "
        f"before the run stopped, and do not count"
    )
    alarms = [
        f"{name}: {100 * error_rate(evidence, name):.1f} % of the calls failed or could "
        f"not be judged"
        for name in found.failing
    ]
    return sealed(
        {
            "kind": KIND,
            "flow": "evaluate",
            "id": trial.id,
            "name": trial.name,
            "created_at": now.isoformat(),
            "verdict": found.verdict,
            "reason": found.reason,
            "hint": found.hint,
            **_whole(found, trial),
            "baseline": trial.baseline,
            "rule": rule.model_dump(mode="json"),
            "promote": dict(promote) if promote else None,
            "metrics": {
                name: one.model_dump(mode="json") for name, one in evidence.metrics.items()
            },
            "pairs": pairs,
            "untrusted": dict(evidence.untrusted),
            "repeats": trial.repeats,
            "stopped": evidence.stopped or None,
            "dataset_sha256": cases.sha256,
            "cases": {"total": len(cases.cases), "used": len(evidence.pairs.cases)},
            "prompts": {arm.name: arm.prompt.uri for arm in trial.arms},
            "config": dict(config),
            "config_sha256": config_sha256,
            "budget": {"usd": trial.budget_usd, "calls": trial.budget_calls},
            "spent": spent.model_dump(mode="json"),
            "seconds": round((now - began).total_seconds(), 3) if began else None,
            "versions": versions(),
            "warnings": [
                *warnings,
                *alarms,
                *([left] if seen > len(evidence.pairs.cases) else []),
                *_apart(evidence),
            ],
            "remarks": [],
            "record": None,
            "mlflow_run_id": None,
            "prefect_run_id": prefect_run_id,
            "links": {},
        }
    )


def _apart(evidence: Evidence) -> Iterator[str]:
    """Of each timed metric, how many cases it compares, where it leaves some out."""
    for name in evidence.candidates:
        of = f" of {name}" if len(evidence.candidates) > 1 else ""
        for metric in (metric for metric, kind in evidence.metrics.items() if kind.timed):
            found = evidence.selected(name, metric)
            count = len(found.candidate)
            if found.apart:
                yield (
                    f"{metric}{of} compares {count:,} of {count + found.apart:,} cases: in "
                    f"the others the arms were asked at different "
                    "times (remembered replies)"
                )


def _whole(found: Verdict, trial: Trial) -> dict[str, Any]:
    """The numbers, with what each arm was beside what it did."""
    return {
        **found.numbers,
        "arms": {
            arm.name: {**found.numbers["arms"][arm.name], **_described(arm)} for arm in trial.arms
        },
    }


def _described(arm: Arm) -> dict[str, Any]:
    prompt = arm.prompt
    return {
        "prompt": {
            "uri": prompt.uri,
            "name": prompt.prompt.name,
            "sha256": prompt.prompt.sha256,
            "version": prompt.version,
            "alias": prompt.alias,
        },
        "llm": arm.llm.short(),
        "retrieve": arm.retrieve.model_dump(mode="json") if arm.retrieve else None,
    }


def versions() -> dict[str, str]:
    """Of the packages that the numbers depend on, and of Python."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def save(home: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write the record's file, whole or not at all, and its row in the ledger; saved again it takes
    the place of the first.

    Returns the record with `record`, the path of the file. Raises LlmopsError when the home cannot
    be written.
    """
    path = home / FOLDER / f"{record['id']}.json"
    whole = sealed({**record, "record": str(path)})
    _write(path, whole)
    row = {
        "id": whole["id"],
        "name": whole["name"],
        "sha256": whole["sha256"],
        "verdict": whole["verdict"],
        "record": whole,
        "mlflow_run_id": whole["mlflow_run_id"],
        "created_at": datetime.fromisoformat(whole["created_at"]),
    }
    with open_ledger(home).write() as connection:
        connection.execute(delete(decisions).where(decisions.c.id == row["id"]))
        connection.execute(insert(decisions).values(row))
    return whole


def _write(path: Path, record: Mapping[str, Any]) -> None:
    data = json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False)
    try:
        data.encode()
    except (
        UnicodeEncodeError
    ):  # half of a surrogate pair, from a case's id or an error: escapes keep it
        data = json.dumps(record, indent=1, allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, suffix=".new", delete=False
        ) as file:
            file.write(data + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    except OSError as error:
        raise LlmopsError(
            f"the decision cannot be written: {error.strerror or error}",
            where=str(path),
            hint="free some space, or set LLMOPS_HOME to a folder that you may write to",
        ) from error


def known(home: Path, sha256: str) -> bool:
    """Whether this home's ledger holds a decision with that hash."""
    with existing_ledger(home).read() as connection:
        return (
            connection.execute(
                select(decisions.c.id).where(decisions.c.sha256 == sha256).limit(1)
            ).first()
            is not None
        )


def listed(home: Path, name: str | None = None) -> list[dict[str, Any]]:
    """The decisions of this home, newest first."""
    columns = [
        decisions.c[column]
        for column in ("id", "name", "verdict", "created_at", "sha256", "mlflow_run_id")
    ]
    wanted = select(*columns).order_by(decisions.c.created_at.desc(), decisions.c.id)
    with existing_ledger(home).read() as connection:
        rows = (
            connection.execute(wanted if name is None else wanted.where(decisions.c.name == name))
            .mappings()
            .all()
        )
    return [
        {**row, "created_at": row["created_at"].replace(tzinfo=UTC).isoformat()} for row in rows
    ]


def find(home: Path, decision: str) -> dict[str, Any] | None:
    """The record with that id, or None."""
    with existing_ledger(home).read() as connection:
        return connection.execute(
            select(decisions.c.record).where(decisions.c.id == decision)
        ).scalar_one_or_none()


def changed_cases(home: Path, name: str, cases: CaseSet) -> list[str]:
    """Ids of cases that say something else than at the last decision of that name; cases that came
    or went do not count.
    """
    wanted = (
        select(decisions.c.record)
        .where(decisions.c.name == name)
        .order_by(decisions.c.created_at.desc())
        .limit(1)
    )
    with existing_ledger(home).read() as connection:
        last = connection.execute(wanted).scalar_one_or_none()
    if last is None:
        return []
    before = dict(zip(last["pairs"]["cases"], last["pairs"]["sha256"], strict=True))
    return [case for case, now in cases.hashes().items() if before.get(case, now) != now]


__all__ = [
    "KIND",
    "changed_cases",
    "find",
    "known",
    "listed",
    "load",
    "make_record",
    "recomputed",
    "save",
    "sealed",
    "verify",
]
