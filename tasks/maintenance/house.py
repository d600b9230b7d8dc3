"""Keeping a home in order, by night: what is no longer needed is freed, and all else is backed up.
A part that fails stops no other.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.errors import Blocked, LlmopsError
from llmops.tasks.knowledge.handle import Handle, live_names
from llmops.tasks.ledger import open_ledger
from llmops.tasks.maintenance.backup.make import backup
from llmops.tasks.maintenance.garbage import gc
from llmops.tasks.maintenance.retention import folders, ledgered, spooled, tracked
from llmops.tasks.maintenance.retention.folders import Freed
from llmops.tasks.maintenance.retention.policy import RetentionPolicy

PartStatus = Literal["done", "busy", "failed"]
WORK: Mapping[str, Callable[[Path, RetentionPolicy], Freed]] = {
    "decisions": ledgered.forget_decisions,
    "rankings": ledgered.forget_rankings,
    "models": tracked.forget_models,
    "trainings": folders.free_trainings,
    "datasets": folders.free_datasets,
    "evaluations": folders.free_evaluations,
    "outcomes": ledgered.forget_outcomes,
    "runs": tracked.purge,
    "alerts": lambda home, policy: ledgered.forget_alerts(home, policy.alerts_days),
    "answers": lambda home, policy: ledgered.forget_answers(home, policy.answers_days),
    "calls": lambda home, policy: ledgered.forget_calls(home, policy.calls_days),
    "logs": lambda home, policy: folders.free_logs(home, policy.logs_days),
    "spools": lambda home, _: spooled.free_spools(home),
    "databases": lambda home, _: tracked.compact(home),
}
"""What is forgotten, in this order: what refers goes before what it refers to."""


class MaintainSpec(BaseModel):
    """`policy`: how long what is kept; `backup`: where it goes, None: nowhere; `keep`: how many
    backups stay there.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    free: bool
    paid: bool
    policy: RetentionPolicy
    backup: str | None
    keep: int

    def work(self) -> list[str]:
        """What is forgotten, by its names in `WORK`: nothing that stays for ever."""
        days = self.policy.model_dump(include={f"{name}_days" for name in WORK})
        days["models_days"] = days["rankings_days"] = self.policy.trainings_days
        return [name for name in WORK if days.get(f"{name}_days", 0.0) is not None]


class MaintainPart(BaseModel):
    """`what`: `free NAME`, one of `WORK`, or `backup`; `told`: what came of it; `bytes`: freed, or
    written anew by a backup. `busy`: a build goes on, the next run does it.
    """

    model_config = ConfigDict(frozen=True)
    what: str
    status: PartStatus
    told: str
    bytes: int = 0
    seconds: float = 0.0


class MaintainOutcome(BaseModel):
    """The object of `llmops maintain`. `size`: bytes of the home afterwards."""

    model_config = ConfigDict(frozen=True)
    flow: Literal["maintain"] = "maintain"
    name: str
    status: Literal["completed", "parts_failed"]
    parts: tuple[MaintainPart, ...]
    size: int
    seconds: float
    prefect_run_id: str | None = None
    mlflow_run_id: str | None = None
    links: dict[str, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)

    @property
    def headline(self) -> str:
        failed = [part for part in self.parts if part.status == "failed"]
        if failed:
            first = failed[0]
            more = f"; also {', '.join(part.what for part in failed[1:])}" if failed[1:] else ""
            return (
                f"{self.name}: {len(failed)} of {len(self.parts)} parts failed: {first.what}: "
                f"{first.told}{more}"
            )
        freed = sum(part.bytes for part in self.parts if part.what != "backup")
        kept = [part.told for part in self.parts if part.what == "backup"]
        return f"{self.name}: {freed / 1e6:,.1f} MB freed{''.join(f'; {told}' for told in kept)}"

    @property
    def failed(self) -> str | None:
        return "PartsFailed" if self.status == "parts_failed" else None

    @property
    def completed(self) -> str:
        return "Completed"

    def warned(self, *warnings: str) -> "MaintainOutcome":
        return self.model_copy(update={"warnings": [*self.warnings, *warnings]})

    def linked(self, links: dict[str, str]) -> "MaintainOutcome":
        return self.model_copy(update={"links": links})

    def public(self) -> Mapping[str, object]:
        """The JSON object."""
        return {**self.model_dump(mode="json"), "headline": self.headline}


def maintain_outcome(
    home: Path, name: str, parts: Sequence[MaintainPart], run_id: str | None, seconds: float
) -> MaintainOutcome:
    """Of what the parts came to."""
    failed = any(part.status == "failed" for part in parts)
    return MaintainOutcome(
        name=name,
        status="parts_failed" if failed else "completed",
        parts=tuple(parts),
        size=_size(home),
        seconds=seconds,
        prefect_run_id=run_id,
    )


def bases(home: Path) -> list[str]:
    """The knowledge bases that have something to free."""
    return live_names(open_ledger(home))


def free(home: Path, name: str, *, paid: bool) -> MaintainPart:
    """As `llmops kb gc`."""

    def work() -> tuple[str, int]:
        freed = gc(Handle(home=home, name=name), paid=paid)
        told = f"{freed['files']} files and {freed['collections']} collections"
        return f"{told}; {freed['note']}" if freed["note"] else told, freed["bytes"]

    return _part(f"free {name}", work)


def forget(home: Path, what: str, policy: RetentionPolicy) -> MaintainPart:
    """One kind of thing, by its name in `WORK`."""
    return _part(what, lambda: WORK[what](home, policy))


def back_up(home: Path, place: str, keep: int) -> MaintainPart:
    """As `llmops backup`."""

    def work() -> tuple[str, int]:
        made = backup(home, place, keep)
        if made.problems:
            raise LlmopsError(f"backup {made.id} is of a damaged home: {made.problems[0]}")
        return f"backup {made.id} of {made.bytes / 1e6:,.1f} MB", made.new_bytes

    return _part("backup", work)


def _part(what: str, work: Callable[[], tuple[str, int]]) -> MaintainPart:
    began, status, size = time.perf_counter(), "done", 0
    try:
        told, size = work()
    except Blocked as error:
        status, told = "busy", str(error)
    except LlmopsError as error:
        status, told = "failed", str(error)
    except Exception as error:  # whatever it is, the parts after it are to be done
        logging.getLogger(__name__).exception("%s failed", what)
        status, told = "failed", f"{type(error).__name__}: {error}"
    seconds = round(time.perf_counter() - began, 2)
    content = {"what": what, "status": status, "told": told, "bytes": size, "seconds": seconds}
    return MaintainPart.model_validate(content)


def _size(home: Path) -> int:
    size = 0
    for path in home.rglob("*"):
        try:
            size += path.lstat().st_size if not path.is_dir() else 0
        except FileNotFoundError:
            continue
    return size
