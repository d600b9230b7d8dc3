"""What a night came to: the object that `llmops nightly --json` prints, computed from what its
parts left behind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.errors import LlmopsError

WORST_FIRST = (2, 1, 4, 3, 5, 0)
"""Exit codes of parts: the first of these that one has is the night's. What is wrong with us comes
before what is wrong with documents, and that before a verdict.
"""
VERDICTS = {"promote": 0, "reject": 3, "inconclusive": 5}
BUILDS = {"published": 0, "unchanged": 0, "blocked": 3, "failed": 4}
SCORINGS = ("scored", "nothing_new", "incomplete")
"""None of them is a failure; a budget that ended one is among its warnings."""
LOOKS = ("ok", "drifted", "too_little", "incomplete")
"""Nor of these: a monitor that has found something has done its work."""
FEEDBACK = ("changed", "unchanged", "incomplete")
"""Nor of these; what was left alone is among the warnings."""
DATASETS = {"published": 0, "unchanged": 0, "blocked": 3}


class NightPart(BaseModel):
    """One config of the night. `status`: that of the build or the scoring, the verdict of the
    evaluation, `pruned`, or `unfinished` where some traces were not reached; `error` where it broke
    off, `skipped` where it could not be begun. `failed`: somebody has to look.
    """

    model_config = ConfigDict(frozen=True)
    flow: str
    name: str
    config: str
    status: str
    exit_code: int
    failed: bool
    headline: str
    hint: str = ""
    notes: list[str] = Field(default_factory=list)
    seconds: float = 0.0
    cost_usd: float = 0.0
    prefect_run_id: str | None = None
    mlflow_run_id: str | None = None
    links: dict[str, str] = Field(default_factory=dict)


class Night(BaseModel):
    """`status`: completed, parts_failed (some did) or failed (all did); `exit_code`: that of the
    worst part, by WORST_FIRST.
    """

    model_config = ConfigDict(frozen=True)
    flow: Literal["nightly"] = "nightly"
    name: str
    status: Literal["completed", "parts_failed", "failed"]
    exit_code: int
    headline: str
    parts: list[NightPart]
    cost_usd: float = 0.0
    seconds: float = 0.0
    prefect_run_id: str | None = None
    mlflow_run_id: str | None = None
    links: dict[str, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)

    @property
    def failed(self) -> str | None:
        return {"completed": None, "parts_failed": "PartsFailed", "failed": "Failed"}[self.status]

    @property
    def completed(self) -> str:
        return "Completed"

    def warned(self, *warnings: str) -> "Night":
        return self.model_copy(update={"warnings": [*self.warnings, *warnings]})

    def linked(self, links: dict[str, str]) -> "Night":
        return self.model_copy(update={"links": links})

    def public(self) -> dict[str, object]:
        """The JSON object."""
        return self.model_dump(mode="json")


def night_of(name: str, parts: Sequence[NightPart], run_id: str | None, seconds: float) -> Night:
    """The night of these parts."""
    failed = [part for part in parts if part.failed]
    codes = {part.exit_code for part in parts}
    return Night(
        name=name,
        status=_status(len(parts), len(failed)),
        exit_code=next((code for code in WORST_FIRST if code in codes), 1),
        headline=_headline(name, parts, failed),
        parts=list(parts),
        cost_usd=sum(part.cost_usd for part in parts),
        seconds=seconds,
        prefect_run_id=run_id,
    )


def _status(parts: int, failed: int) -> Literal["completed", "parts_failed", "failed"]:
    return "completed" if not failed else "parts_failed" if failed < parts else "failed"


def _headline(name: str, parts: Sequence[NightPart], failed: Sequence[NightPart]) -> str:
    """What an alert says: the first failure with its reason, and how many more."""
    if not failed:
        done = ", ".join(f"{part.name} {part.status}" for part in parts)
        return f"{name}: {len(parts)} of {len(parts)} parts done: {done}"
    first = failed[0]
    more = f"; also {', '.join(part.name for part in failed[1:])}" if failed[1:] else ""
    return (
        f"{name}: {len(failed)} of {len(parts)} parts failed: "
        f"{first.flow} {first.name}: {first.headline}{more}"
    )


def part_of(flow: str, name: str, file: Path, outcome: Mapping[str, object]) -> NightPart:
    """A part that ended with an outcome of its own, whatever it was."""
    status = str(outcome.get("verdict" if flow == "evaluate" else "status"))
    code, failed, headline = _came_to(flow, status, outcome)
    return NightPart(
        flow=flow,
        name=name,
        config=file.name,
        status=status,
        exit_code=code,
        failed=failed,
        headline=headline,
        hint=str(outcome.get("hint") or ""),
        notes=_texts(outcome.get("warnings")) + _texts(outcome.get("remarks")),
        seconds=_number(outcome.get("seconds")),
        cost_usd=_cost(outcome),
        prefect_run_id=_text(outcome.get("prefect_run_id")),
        mlflow_run_id=_text(outcome.get("mlflow_run_id")),
        links=_links(outcome.get("links")),
    )


def _came_to(flow: str, status: str, outcome: Mapping[str, object]) -> tuple[int, bool, str]:
    """(exit code, whether somebody has to look, headline)."""
    reason = str(outcome.get("reason") or "")
    if flow == "index":
        code = BUILDS.get(status, 1)
        return code, code != 0, reason or f"{status}, version {outcome.get('version')} is live"
    if flow == "score":
        failed = status not in SCORINGS
        scored = f"{outcome.get('traces')} of {outcome.get('chosen')} traces scored"
        return int(failed), failed, reason or scored
    if flow in ("feedback", "monitor"):
        failed = status not in (FEEDBACK if flow == "feedback" else LOOKS)
        return int(failed), failed, reason or str(outcome.get("headline") or status)
    if flow == "finetune":
        code = DATASETS.get(status, 1)
        return code, code != 0, reason or str(outcome.get("headline") or status)
    if flow == "maintain":
        failed = status != "completed"
        return int(failed), failed, str(outcome.get("headline") or status)
    if flow == "prune":
        failed = status != "pruned"
        return int(failed), failed, reason
    broke = outcome.get("status") == "failed"
    code = 4 if broke else VERDICTS.get(status, 1)
    return code, broke or status not in VERDICTS, reason or status


def broken(flow: str, name: str, file: Path, error: Exception) -> NightPart:
    """A part that broke off with an error."""
    if isinstance(error, LlmopsError):
        first, *others = error.mistakes()
        headline, notes = str(replace(first, hint="")), list(map(str, others))
    else:
        lines, kind, notes = str(error).strip().splitlines(), type(error).__name__, []
        headline = f"{kind}: {lines[0] if lines else kind}"
    return NightPart(
        flow=flow,
        name=name,
        config=file.name,
        status="error",
        exit_code=error.exit_code if isinstance(error, LlmopsError) else 1,
        failed=True,
        headline=headline,
        hint=error.hint if isinstance(error, LlmopsError) else "",
        notes=notes,
    )


def skipped(flow: str, name: str, file: Path, reason: str) -> NightPart:
    """A part that could not be begun, because of what failed before it."""
    return NightPart(
        flow=flow,
        name=name,
        config=file.name,
        status="skipped",
        exit_code=1,
        failed=True,
        headline=reason,
    )


def _cost(outcome: Mapping[str, object]) -> float:
    """Of a build, or of all arms of an evaluation and its judges."""
    if "cost_usd" in outcome:
        return _number(outcome["cost_usd"])
    arms = outcome.get("arms")
    spent = arms.values() if isinstance(arms, Mapping) else ()
    return sum(_number(arm.get("cost_usd")) for arm in spent if isinstance(arm, Mapping))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _text(value: object) -> str | None:
    return str(value) if value else None


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _links(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}
