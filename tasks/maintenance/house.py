"""Keeping a home in order, by night: what is no longer needed is freed, and all else is backed up.
A part that fails stops no other.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import delete, func, select

from llmops.tasks.errors import Blocked, LlmopsError
from llmops.tasks.knowledge.handle import Handle, live_names
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.tables import runs, versions
from llmops.tasks.maintenance.backup.make import backup
from llmops.tasks.maintenance.garbage import gc
from llmops.tasks.validation.docs import forget_docs

PartStatus = Literal["done", "busy", "failed"]


class MaintainSpec(BaseModel):
    """`outcomes_days`: None: for ever; `backup`: where it goes, None: nowhere; `keep`: how many
    backups stay there.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    free: bool
    paid: bool
    outcomes_days: float | None
    backup: str | None
    keep: int


class MaintainPart(BaseModel):
    """`what`: `free NAME`, `forget` or `backup`; `told`: what came of it; `bytes`: freed, or
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


def forget(home: Path, days: float) -> MaintainPart:
    """What runs came to that ended so long ago, and their pages of Data Docs. The last run of each
    flow and name stays, and whatever made a version that is kept.
    """

    def work() -> tuple[str, int]:
        before = now() - timedelta(days=days)
        outcomes = _forget_outcomes(home, before)
        pages, size = forget_docs(home, before, _kept(home))
        return f"{outcomes} outcomes of runs, {pages} pages of Data Docs", size

    return _part("forget", work)


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


def _forget_outcomes(home: Path, before: datetime) -> int:
    needed = select(versions.c.prefect_run_id).where(
        versions.c.status == "published", versions.c.prefect_run_id.is_not(None)
    )
    flow = runs.c.outcome["flow"].as_string()
    with open_ledger(home).write() as connection:
        newest = {
            (row.kb, row.flow): row.last
            for row in connection.execute(
                select(
                    runs.c.kb, flow.label("flow"), func.max(runs.c.finished_at).label("last")
                ).group_by(runs.c.kb, flow)
            )
        }
        old = connection.execute(
            select(runs.c.id, runs.c.kb, flow.label("flow"), runs.c.finished_at).where(
                runs.c.finished_at < before, runs.c.id.not_in(needed)
            )
        )
        gone = [row.id for row in old if row.finished_at != newest[row.kb, row.flow]]
        for start in range(0, len(gone), 500):
            connection.execute(delete(runs).where(runs.c.id.in_(gone[start : start + 500])))
    return len(gone)


def _kept(home: Path) -> set[str]:
    """The first part of the names of Data Docs whose version is kept."""
    query = select(versions.c.kb, versions.c.version).where(versions.c.status == "published")
    with open_ledger(home).read() as connection:
        return {f"{row.kb}-v{row.version}-" for row in connection.execute(query)}


def _size(home: Path) -> int:
    size = 0
    for path in home.rglob("*"):
        try:
            size += path.lstat().st_size if not path.is_dir() else 0
        except FileNotFoundError:
            continue
    return size
