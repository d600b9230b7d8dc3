"""The Prefect server that flows use: the one that the user names (which.py, users.py), else one
background server per home: started on demand, found again, ended when unused.

The server that Prefect starts inside a process loses task runs when the process ends, and takes
seconds each time. This one outlives the command. Its process is flows/server/daemon.py; its files
lie in `HOME/prefect`: `server.json` (pid, port, version), `server.log`, the database. Nothing here
prints, or imports Prefect.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from llmops.flows.server.retention import keep_days
from llmops.flows.server.state import (
    BUSY,
    FLUSH_SECONDS,
    LOG_BYTES,
    Identity,
    ask,
    ask_pending,
    locate,
    locked,
    log_errors,
    log_position,
    prepare,
    record,
    server_pid,
)
from llmops.flows.server.users import UserServer, reached
from llmops.flows.server.which import OWN, NamedServer, discreet, named
from llmops.tasks.errors import LlmopsError, Unavailable, UsageError

__all__ = [
    "NamedServer",
    "Server",
    "UserServer",
    "client_settings",
    "connect",
    "discreet",
    "ensure",
    "find",
    "log_errors",
    "log_position",
    "named",
    "reached",
    "settled",
    "stop",
]

IDLE_SECONDS = 1800.0
START_SECONDS = 90.0
SILENT_SECONDS = 90.0  # a living server may still be starting
STOP_SECONDS = 45.0  # longer than the server's draining
QUIET_SECONDS = 3.0  # longer than clients keep lines of their log
BUSY_SECONDS = 10.0  # what a run has sent before its end has come by then, whoever sends more
SETTLE_SECONDS = 60.0
COMMON = {"PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore"}
FOREIGN = ("PREFECT_PROFILE", "PREFECT_PROFILES_PATH", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING")


Step = Callable[[], object]


@dataclass(frozen=True)
class Server:
    """A server that answered: `url` of its API, `ui` of its pages; `started` when this call started
    it.
    """

    url: str
    ui: str
    pid: int
    started: bool = False


Starting = Callable[[Server], Iterable[Step]]


def nothing(_: Server) -> Iterable[Step]:
    """No steps."""
    return ()


def connect(
    home: Path, port: int | None = None, meanwhile: Iterable[Step] = ()
) -> Server | UserServer:
    """The server that the user names, if it answers, else `ensure`, and point this process's
    Prefect at it. Call it before anything imports Prefect.

    `meanwhile`: steps that may import Prefect, done one after the other for as long as a server of
    the home's own is starting, and none where one answers: what they do must come again where it is
    needed.

    Raises LlmopsError when Prefect is imported already and talks to another server, and what
    `named`, `reached`, `ensure` and a step raise.
    """

    def starting(server: Server) -> Iterable[Step]:
        _point(home, server)
        return meanwhile

    theirs = named()
    server = reached(theirs) if theirs else ensure(home, port, starting)
    _point(home, server)
    return server


def _point(home: Path, server: Server | UserServer) -> None:
    """Prefect reads its settings when it is imported, and never again."""
    loaded = sys.modules.get("prefect.settings")
    bound = loaded.PREFECT_API_URL.value() if loaded else server.url
    if (bound or "").rstrip("/") != server.url:
        raise LlmopsError(
            f"prefect is imported already and talks to {discreet(bound or 'no server')}, not to "
            f"{discreet(server.url)}",
            hint="run it again; in Python, call llmops.flows.server.connect(home) before the first "
            "import of prefect",
        )
    if isinstance(server, UserServer):  # Prefect finds it, and the key, as we did
        os.environ.update(COMMON | _direct())
    else:
        for name in FOREIGN:
            os.environ.pop(name, None)
        os.environ.update(client_settings(home, server))
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "ERROR")


def client_settings(home: Path, server: Server | UserServer) -> dict[str, str]:
    """The environment of a process whose Prefect talks to `server`: of a home's own it keeps its
    files in the home, of a user's it has their key.
    """
    if isinstance(server, UserServer):
        return {**COMMON, **_direct(), **server.environment, OWN: ""}
    return {
        **COMMON,
        **_direct(),
        OWN: server.url,
        "PREFECT_HOME": str(locate(home)),
        "PREFECT_API_URL": server.url,
        "PREFECT_UI_URL": f"{server.ui}/v2",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def _direct() -> dict[str, str]:
    """Servers on this machine are asked without a proxy."""
    known = [
        os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or "",
        "127.0.0.1",
        "localhost",
    ]
    direct = ",".join(dict.fromkeys(part for part in ",".join(known).split(",") if part))
    return {"NO_PROXY": direct, "no_proxy": direct}


def ensure(home: Path, port: int | None = None, starting: Starting = nothing) -> Server:
    """The home's server, started if there is none. A `port` is a wish: it holds for a new server,
    where it is free. `starting` is called with a server that has been started and has its port, and
    gives the steps to do until it answers.

    Safe to call from several processes at once. A server of another Prefect version is replaced, a
    hanging one ended. Raises Unavailable when no server comes up (with the last errors of its log),
    LlmopsError when the home cannot be used, UsageError when LLMOPS_SERVER_IDLE_SECONDS is no
    number.
    """
    folder = prepare(home)
    answer = ask(folder, use=True)
    if answer is None or answer["version"] != version("prefect"):
        with locked(folder):
            answer = _running(folder)
            return _server(answer) if answer else _start(folder, port, starting)
    return _server(answer)


def find(home: Path) -> Server | None:
    """The home's server if one answers, without starting, keeping alive or changing anything."""
    answer = ask(locate(home))
    return _server(answer) if answer else None


def stop(home: Path) -> bool:
    """End the home's server and wait for it; False when none runs. What flows have sent is stored
    first.
    """
    folder = locate(home)
    if server_pid(folder) is None:
        return False
    with locked(folder):
        return _end(folder)


def settled(home: Path) -> bool:
    """Wait until the home's server has stored what the runs that have ended sent it. False where it
    has not within a minute, or does not answer; True where none runs.
    """
    folder = locate(home)
    began = time.monotonic()
    while server_pid(folder) is not None and time.monotonic() - began < SETTLE_SECONDS:
        pending = ask_pending(folder)
        if pending and not pending["waiting"]:
            if pending["quiet"] > 10 * FLUSH_SECONDS:
                return True
            if pending["quiet"] > QUIET_SECONDS or time.monotonic() - began > BUSY_SECONDS:
                time.sleep(2 * FLUSH_SECONDS + 0.5)  # a recorder stores at most a part at a time
                return True
        time.sleep(0.2)
    return server_pid(folder) is None


def _server(answer: Identity, *, started: bool = False) -> Server:
    return _at(answer["port"], answer["pid"], started=started)


def _at(port: int, pid: int, *, started: bool) -> Server:
    origin = f"http://127.0.0.1:{port}"
    return Server(url=f"{origin}/api", ui=origin, pid=pid, started=started)


def _running(folder: Path) -> Identity | None:
    """The living server's answer, waited for while it starts; one that hangs or is of another
    version is ended.
    """
    answer = _answer_of(folder, lambda: server_pid(folder) is not None, SILENT_SECONDS)
    if answer and answer["version"] == version("prefect"):
        return answer
    _end(folder)
    return None


def _answer_of(folder: Path, alive: Callable[[], bool], seconds: float) -> Identity | None:
    deadline = time.monotonic() + seconds
    while alive() and time.monotonic() < deadline:
        answer = ask(folder, use=True)
        if answer:
            return answer
        time.sleep(0.05)
    return None


def _start(folder: Path, port: int | None, starting: Starting) -> Server:
    keep_days()
    since = _trim(folder / "server.log")
    process = _spawn(folder, port)
    bound = _bound(folder, process)
    for step in starting(bound) if bound else ():
        if process.poll() is not None or ask(folder, use=True):
            break
        step()
    answer = _answer_of(folder, lambda: process.poll() in (None, BUSY), START_SECONDS)
    if answer:
        return _server(answer, started=answer["pid"] == process.pid)
    late = process.poll() is None
    process.kill()
    raise Unavailable(
        "the Prefect server did not start: " + _why(folder, since, late),
        hint=f"see {folder / 'server.log'}",
    )


def _bound(folder: Path, process: "subprocess.Popen[bytes]") -> Server | None:
    """The server once it has its port, long before it answers; None where it ends before that, or
    leaves the home to another one.
    """
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        last = record(folder)
        if last and last.pid == process.pid:
            return _at(last.port, last.pid, started=True)
        time.sleep(0.02)
    return None


def _why(folder: Path, since: int, late: bool) -> str:
    last = (folder / "server.log").read_bytes()[since:].decode("utf-8", "replace").split("\n")
    errors = log_errors(folder.parent, since)[-3:] or [line for line in last if line.strip()][-1:]
    return " / ".join(errors) or (
        f"no answer within {START_SECONDS:.0f} s" if late else "it ended without a word"
    )


def _spawn(folder: Path, port: int | None) -> "subprocess.Popen[bytes]":
    known = record(folder)
    wish = port or (
        known.port if known else 20_000 + int(sha256(os.fsencode(folder)).hexdigest(), 16) % 10_000
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")
    }
    command = [
        sys.executable,
        "-P",
        "-m",
        "llmops.flows.server.daemon",
        str(folder),
        str(wish),
        str(_idle_seconds()),
    ]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # reaps the server should it end before this process does
    threading.Thread(target=process.wait, name="prefect-server", daemon=True).start()
    return process


def _idle_seconds() -> float:
    given = os.environ.get("LLMOPS_SERVER_IDLE_SECONDS") or str(IDLE_SECONDS)
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise UsageError(
            f"got {given!r}, allowed is a number of seconds, or 0 for never",
            where="LLMOPS_SERVER_IDLE_SECONDS",
            hint=f"unset it for {IDLE_SECONDS:.0f}",
        )
    return seconds


def _trim(log: Path) -> int:
    """Keep one old log beside a long one. Returns the log's length."""
    length = log.stat().st_size if log.exists() else 0
    if length <= LOG_BYTES:
        return length
    log.replace(log.with_suffix(".log.1"))
    return 0


def _end(folder: Path) -> bool:
    """SIGTERM, and SIGKILL when that does not help. The process was compared with its command line
    before.
    """
    import psutil

    pid = server_pid(folder)
    if pid is None:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
    return True
