"""The background process behind flows/server/__init__.py: `python -P -m llmops.flows.server.daemon
HOME PORT IDLE_SECONDS`.

Runs Prefect's API server and UI for one home on the loopback interface, says so in
`HOME/server.json`, and ends itself when nobody has used it for a while, or when the record no
longer names it (the home is gone, another server took over). `prefect server start` has none of
this: it would run on in the background for ever, one for every home.
"""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from llmops.flows.server import economy, retention, tables
from llmops.flows.server.state import BUSY, FLUSH_SECONDS, IDENTITY, PENDING, Identity, Pending

if TYPE_CHECKING:
    import uvicorn

WATCH_SECONDS = 1.0
DRAIN_SECONDS = 30.0
EVENTS_IN = "/api/events/in"
WRITES = ("/api/events", "/api/logs", "/api/artifacts")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Watched:
    """An ASGI app that knows when it was last used and written to, and tells at IDENTITY who it is.

    Requests in progress and open websockets are use: a client with a long task holds its websocket
    and sends little.
    """

    def __init__(self, app: App, identity: Identity) -> None:
        self.app, self.identity = app, identity
        self.open, self.used, self.closing = 0, time.monotonic(), False
        self.written = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == IDENTITY:
            return await self._identify(scope, send)
        if scope["type"] == "http" and scope["path"] == PENDING:
            pending: Pending = {"waiting": waiting(), "quiet": time.monotonic() - self.written}
            return await _answer(send, 200, pending)
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["path"] == EVENTS_IN:
            return await self._use(scope, self._noted(receive), send)
        if scope["path"].rstrip("/") in WRITES or scope["path"].endswith("/set_state"):
            self.written = time.monotonic()
        return await self._use(scope, receive, send)

    async def _use(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.open += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.open, self.used = self.open - 1, time.monotonic()

    def _noted(self, receive: Receive) -> Receive:
        """A websocket whose every message is a write."""

        async def noted() -> MutableMapping[str, Any]:
            message = await receive()
            self.written = time.monotonic()
            return message

        return noted

    def idle(self) -> float:
        """Seconds since the last use; 0 while anything is open."""
        return 0.0 if self.open else time.monotonic() - self.used

    async def _identify(self, scope: Scope, send: Send) -> None:
        # `?use` belongs to someone about to start a flow: answering and staying alive must be one
        # step.
        if scope["query_string"] == b"use" and not self.closing:
            self.used = time.monotonic()
        await _answer(send, 503 if self.closing else 200, self.identity)


async def _answer(send: Send, status: int, content: Identity | Pending) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def bind(port: int) -> socket.socket:
    """A socket of the loopback interface at `port`, or at a free one where that is taken. It does
    not listen yet.
    """
    for candidate in (port, 0):
        # with its protocol named, or asyncio leaves Nagle's algorithm on: 40 ms for each answer
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", candidate))
        except OSError:
            listener.close()
        else:
            return listener
    raise OSError("no free port on 127.0.0.1")


def publish(folder: Path, identity: Identity) -> None:
    """Write `server.json`; a reader sees the old record or the whole new one."""
    partial = folder / f"server.json.{os.getpid()}"
    partial.write_text(json.dumps(identity), encoding="utf-8")
    partial.replace(folder / "server.json")


def settings(folder: Path, port: int) -> dict[str, str]:
    """Prefect's settings for a server at `port` whose files lie in `folder`, the current folder."""
    origin = find_spec("prefect")
    package = Path(str(origin.origin)).parent / "server" if origin else folder
    chosen = {
        "PREFECT_HOME": str(folder),
        "PREFECT__SERVER_FINAL": "1",
        # relative, because a `?` in the home's path would end the path of a database URL
        "PREFECT_API_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:///prefect.db",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_UI_URL": f"http://127.0.0.1:{port}/v2",
        "PREFECT_UI_API_URL": "/api",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",  # noqa: E501
        # one transaction per event, the default, lags minutes behind some thousand task runs
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": str(FLUSH_SECONDS),
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": str(FLUSH_SECONDS),
        "PREFECT_LOGGING_COLORS": "false",
        "PREFECT_LOGGING_FORMATTERS_STANDARD_DATEFMT": "%Y-%m-%d %H:%M:%S",
        "DO_NOT_TRACK": "1",
        **retention.settings(),
        **economy.SETTINGS,
        **tables.SETTINGS,
    }
    # Prefect unpacks its UI into its own package, and goes without a UI where it may not
    return (
        chosen
        if os.access(package, os.W_OK)
        else {**chosen, "PREFECT_UI_STATIC_DIRECTORY": str(folder / "ui")}
    )


async def serve(
    listener: socket.socket, folder: Path, identity: Identity, idle_seconds: float
) -> None:
    """Run until a signal, idleness or a lost record. `idle_seconds` 0 means never idle."""
    economy.during_imports()
    import uvicorn
    from prefect.server.api.server import create_app

    economy.slow_polling()
    economy.fewer_integrations()
    watched = Watched(create_app(final=True), identity)
    await tables.made(folder / "prefect.db")

    class Draining(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
            self.should_exit = watched.closing  # at once only when asked twice
            watched.closing = True

    server = Draining(
        uvicorn.Config(watched, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    )
    watcher = asyncio.create_task(watch(server, watched, folder, idle_seconds))
    await server.serve(sockets=[listener])
    watcher.cancel()


async def watch(
    server: "uvicorn.Server", watched: Watched, folder: Path, idle_seconds: float
) -> None:
    """End the server after a signal, when it is idle for too long, or when the record names
    another.
    """
    starting, tidied, began = True, False, time.monotonic()
    while not watched.closing:
        await asyncio.sleep(min(WATCH_SECONDS, idle_seconds / 4 or WATCH_SECONDS))
        if not server.started:
            watched.used = time.monotonic()
        elif starting:
            starting = False
            economy.after_start()
        elif not tidied:
            tidied = economy.tidy(watched.idle(), time.monotonic() - began)
        idle = 0 < idle_seconds < watched.idle()
        watched.closing = watched.closing or idle or not _recorded(folder, watched.identity)
    if _recorded(folder, watched.identity):
        await drain()
    server.should_exit = True


async def drain() -> None:
    """Wait until what clients have sent is stored: Prefect itself drops what its queues hold when
    it ends.
    """
    deadline = time.monotonic() + DRAIN_SECONDS
    while waiting() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    await asyncio.sleep(FLUSH_SECONDS + 0.5)


def waiting() -> int:
    """How many messages lie in the queues of Prefect's recorders."""
    from prefect.server.utilities.messaging.memory import Topic

    return sum(
        subscription._queue.qsize() + subscription._retry.qsize()
        for topic in Topic._topics.values()
        for subscription in topic._subscriptions
    )


def _recorded(folder: Path, identity: Identity) -> bool:
    try:
        return bool(json.loads((folder / "server.json").read_text(encoding="utf-8")) == identity)
    except (OSError, ValueError):
        return False


def main(arguments: list[str]) -> int:
    """Returns the process's exit code: 0 ended in order, BUSY when a server of this home is
    alive.
    """
    from importlib.metadata import version

    from filelock import FileLock, Timeout

    folder, port, idle_seconds = Path(arguments[0]), int(arguments[1]), float(arguments[2])
    os.chdir(folder)
    alive = FileLock(folder / "alive.lock")
    try:
        alive.acquire(timeout=0)
    except Timeout:
        return BUSY
    listener = bind(port)
    chosen = listener.getsockname()[1]
    identity: Identity = {
        "pid": os.getpid(),
        "port": chosen,
        "version": version("prefect"),
        "home": str(folder),
    }
    os.environ.update(settings(folder, chosen))
    publish(folder, identity)
    asyncio.run(serve(listener, folder, identity, idle_seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
