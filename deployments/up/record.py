"""`HOME/up.json`: what the `up` of a home runs, for those who ask and for those who end it; and the
lock that there is one `up` a home.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmops.deployments.up.processes import Known, alive, end_marked, known
from llmops.tasks.errors import Blocked, LlmopsError, Unavailable, disk_trouble
from llmops.tasks.ledger import make_folder

END_SECONDS = 15.0
Pid = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(ge=1, le=65_535)]


class PartRecord(BaseModel):
    """A part as `status` shows it. `yours`: it belongs to the user, and is only asked; `waits`:
    what it waits for, though it is well.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    name: str
    url: str | None = None
    healthy: bool = False
    pid: Pid | None = None
    created: float | None = None
    restarts: int = 0
    yours: bool = False
    waits: str = ""


class UpRecord(BaseModel):
    """The `up` that runs, or the last one that ran: `mark` is what its processes carry."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    pid: Pid
    created: float
    mark: str
    project: str = ""
    folder: str = ""
    started_at: str = ""
    ports: dict[str, Port] = {}
    parts: tuple[PartRecord, ...] = ()

    def running(self) -> bool:
        return alive(Known(self.pid, self.created))


def read(home: Path) -> UpRecord | None:
    """The last record; its `up` may be long gone. None where there is none that can be read."""
    try:
        return UpRecord.model_validate_json((home / "up.json").read_bytes())
    except (OSError, ValidationError):
        return None


def running(home: Path) -> UpRecord | None:
    """The record of the `up` that runs for this home; None where none does."""
    record = read(home)
    return record if record and record.running() else None


def write(home: Path, record: UpRecord) -> None:
    """A reader sees the old record or the whole new one. Raises OSError."""
    partial = home / f"up.json.{os.getpid()}"
    partial.write_text(json.dumps(record.model_dump(), indent=1) + "\n", encoding="utf-8")
    partial.replace(home / "up.json")


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[UpRecord | None]:
    """Hold the home for one `up`, and end what a killed one has left. Yields the last record.

    Raises Blocked naming the `up` that runs, LlmopsError where the home cannot be written.
    """
    from filelock import FileLock, Timeout

    make_folder(home)
    lock = FileLock(home / "up.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise _taken(home) from error
    except (OSError, NotImplementedError) as error:
        raise _unwritable(home, error) from error
    try:
        last = read(home)
        if last is not None and not last.running():
            end_marked(last.mark)
        yield last
    finally:
        lock.release()


def _taken(home: Path) -> Blocked:
    record = running(home)
    who = f"process {record.pid}, since {record.started_at}" if record else "it is just starting"
    return Blocked(
        f"`llmops up` runs for this home already: {who}",
        where=str(home),
        hint="`llmops status` shows it, `llmops down` ends it; another home: set LLMOPS_HOME",
    )


def _not_yours(home: Path, process: psutil.Process) -> Blocked:
    try:
        owner = f"the user {process.username()}"
    except psutil.Error:
        owner = "another user"
    return Blocked(
        f"`llmops up` (process {process.pid}) was started by {owner}; you may not end it",
        where=str(home),
        hint=f"`llmops down` as {owner} ends it",
    )


def _unwritable(home: Path, error: Exception) -> LlmopsError:
    if isinstance(error, OSError) and (trouble := disk_trouble(error)):
        return trouble
    reason = getattr(error, "strerror", None) or str(error)
    return Unavailable(
        f"the home cannot be written: {reason}",
        where=str(home),
        hint="set LLMOPS_HOME to a folder on a local disk that you may write to",
    )


def myself() -> Known:
    found = known(os.getpid())
    if found is None:  # pragma: no cover - a process knows itself
        raise LlmopsError("this process is not to be found")
    return found


def end_up(home: Path) -> int | None:
    """Ask the `up` of a home to end, and wait for it; its pid, None where none runs. Raises
    Blocked where it is another user's, Unavailable where it does not end.
    """
    record = running(home)
    if record is None:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(record.pid)
        try:
            process.terminate()
        except psutil.AccessDenied as error:
            raise _not_yours(home, process) from error
    deadline = time.monotonic() + END_SECONDS
    while record.running():
        if time.monotonic() > deadline:
            raise Unavailable(
                f"`llmops up` (process {record.pid}) has not ended within {END_SECONDS:.0f} s",
                where=str(home),
                hint=f"kill -9 {record.pid}; the next `llmops up` clears up after it",
            )
        time.sleep(0.05)
    return record.pid
