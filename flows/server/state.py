"""The folder `HOME/prefect` of a background server: where it lies, its record, its log, and who
answers at its port.
"""

import contextlib
import http.client
import json
import os
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypedDict, cast

from llmops.tasks.errors import LlmopsError, Unavailable

BUSY = 75  # EX_TEMPFAIL: another server of this home is alive
IDENTITY = "/llmops/server"
PENDING = "/llmops/pending"
FLUSH_SECONDS = 1  # how long recorders keep what they took from a queue
LOCK_SECONDS = 180.0
LOG_BYTES = 5_000_000
PUT_OFF = re.compile("OperationalError.*database is locked")
"""Of SQLite: a transaction of Prefect's that began by reading wants to write, and another one has
written meanwhile. Its recorders keep what they have for the next round, and say so when they lose
any of it; clients are told to ask again.
"""
LOST = re.compile(r"[Dd]ropping|\b[1-9]\d* dropped")


class Identity(TypedDict):
    """What `server.json` says, and what the server answers at IDENTITY. `home`: the folder of its
    files.
    """

    pid: int
    port: int
    version: str
    home: str


class Pending(TypedDict):
    """What the server answers at PENDING. `waiting`: messages that are not stored yet; `quiet`:
    seconds since somebody has sent one.
    """

    waiting: int
    quiet: float


def log_position(home: Path) -> int:
    """The length of the server's log in bytes, to be given to `log_errors` later."""
    log = locate(home) / "server.log"
    return log.stat().st_size if log.exists() else 0


def log_errors(home: Path, since: int = 0, *, tried_again: bool = True) -> list[str]:
    """What the server logged as ERROR or CRITICAL after `log_position` was `since`, oldest first,
    one line each. `tried_again`: also what was put off because another transaction was writing.

    Of a traceback only the line that names the exception is kept, behind the line it belongs to.
    """
    log = locate(home) / "server.log"
    if not log.exists():
        return []
    content = log.read_bytes()
    recent = content[since if since <= len(content) else 0 :].decode("utf-8", "replace")
    entries = re.split(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", recent, flags=re.MULTILINE)
    lines = []
    for head, _, body in (entry.partition("\n") for entry in entries):
        if re.search(r"\| (ERROR|CRITICAL)", head):
            named = re.findall(r"^[A-Za-z_][\w.]*: .+", body, flags=re.MULTILINE)
            line = " ".join([head.rstrip(), *named[-1:]])
            if tried_again or not PUT_OFF.search(line) or LOST.search(head):
                lines.append(line)
    return lines


def locate(home: Path) -> Path:
    """The folder of a home's server, absolute; it need not exist."""
    return home.expanduser().resolve() / "prefect"


def prepare(home: Path) -> Path:
    """The folder, created. Raises LlmopsError where that cannot be, or where no database could be
    opened in it.
    """
    folder = locate(home)
    # SQLite opens no database whose path has more bytes
    if len(os.fsencode(folder / "prefect.db-journal")) > 500:
        raise LlmopsError(
            f"the home's path is too long for a database: {len(os.fsencode(folder.parent))} bytes",
            where=str(home),
            hint="set LLMOPS_HOME to a folder whose path has at most 470 bytes",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unusable(folder, PermissionError("the folder is read-only"))
    return folder


def _unusable(folder: Path, error: Exception) -> LlmopsError:
    reason = getattr(error, "strerror", None) or str(error)
    return LlmopsError(
        f"the home's folder cannot be written: {reason}",
        where=str(folder),
        hint="set LLMOPS_HOME to a folder on a local disk that you may write to",
    )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one process at a time starts or ends the server. Raises Unavailable after
    LOCK_SECONDS.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "ensure.lock")
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout as error:
        raise Unavailable(
            "another process has been starting this home's Prefect server for minutes",
            where=str(folder),
            hint=f"end the process that holds {folder / 'ensure.lock'}",
        ) from error
    except (OSError, NotImplementedError) as error:
        raise _unusable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


class Record(NamedTuple):
    """The pid and port that the last server wrote down; it may be long gone."""

    pid: int
    port: int


def record(folder: Path) -> Record | None:
    try:
        written = json.loads((folder / "server.json").read_text(encoding="utf-8"))
        return Record(int(written["pid"]), int(written["port"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def server_pid(folder: Path) -> int | None:
    """The pid of the record if that process is a server of this home. Another's process is never
    touched.
    """
    import psutil

    last = record(folder)
    if last is None:
        return None
    try:
        command = psutil.Process(last.pid).cmdline()
    except (psutil.Error, ValueError, OverflowError):
        return None
    ours = "llmops.flows.server.daemon" in command and str(folder) in command
    return last.pid if ours else None


def ask(folder: Path, *, use: bool = False, timeout: float = 3.0) -> Identity | None:
    """Who answers at the recorded port, if it is this home's server. `use` starts its idle time
    anew.
    """
    answer = _get(folder, f"{IDENTITY}{'?use' if use else ''}", timeout)
    ours = isinstance(answer, dict) and answer.get("home") == str(folder)
    return cast(Identity, answer) if ours else None


def ask_pending(folder: Path, timeout: float = 3.0) -> Pending | None:
    """What the server at the recorded port has still to store."""
    answer = _get(folder, PENDING, timeout)
    ours = isinstance(answer, dict) and answer.keys() == Pending.__annotations__.keys()
    return cast(Pending, answer) if ours else None


def _get(folder: Path, path: str, timeout: float) -> object:
    last = record(folder)
    if last is None:
        return None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{last.port}{path}", timeout=timeout) as response:
            return json.load(response)
    except (OSError, ValueError, http.client.HTTPException):
        return None
