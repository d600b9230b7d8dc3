"""The server under an application: its socket, its signals, and how it ends."""

import asyncio
import ipaddress
import logging
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import ClassVar

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from llmops.configs.serve import ServeConfig
from llmops.deployments.app.doors import LARGEST_HEAD
from llmops.deployments.up.ports import holder
from llmops.tasks.access import keys
from llmops.tasks.errors import UsageError

HEADER_SECONDS = 15.0
"""Until the head of a request is there: of a first one since the connection, else since its
beginning."""
IDLE_SECONDS = 20
END_SECONDS = 1.5
"""What answers under way have to end by themselves; then streams are told to end."""
HARD_SECONDS = 6
BACKSTOP = 200
"""Connections beyond those that are answered: idle ones, and those that watch."""
ROOM = 32
"""Connections that are kept free for whoever comes next."""


class AppProtocol(H11Protocol):
    """HTTP/1.1 for clients that say what they want: a connection on which a request does not come,
    or comes too slowly, is closed; where there are too many, the one that has been silent longest.
    """

    silent: ClassVar[dict["AppProtocol", None]]
    """The connections of one server that no request is under way on, the oldest first."""
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()
        self.silent[self] = None
        most = max(1, (self.limit_concurrency or BACKSTOP) - ROOM)
        if len(self.connections) > most and (oldest := next(iter(self.silent))) is not self:
            oldest.leave()

    def leave(self) -> None:
        """Close a connection on which nothing is under way."""
        self.silent.pop(self, None)
        self.transport.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()  # another request may have come, and be under way now
        if self._waits() and not self.transport.is_closing():
            self.silent[self] = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        self.silent.pop(self, None)
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Where a head is waited for, the time runs; else it does not."""
        if not self._waits():
            self._unwatch()
            self.silent.pop(self, None)
        elif self._head is None:
            self._head = self.loop.call_later(HEADER_SECONDS, self._silent)

    def _unwatch(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _waits(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _silent(self) -> None:
        self._head = None
        if self._waits() and not self.transport.is_closing():
            self.leave()


SWITCH_SECONDS = 0.0005
"""How long a thread may hold the interpreter while others want it. With Python's own 5 ms the event
loop waits so long beside searching threads, several times a request.
"""


class AppServer(uvicorn.Server):
    """Ends within seconds of a signal, and its streams with words; `listening` is called once it
    answers.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._app, self._listening = app, listening
        self._ending: asyncio.TimerHandle | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._captured_signals.clear()  # else they are raised again at the end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(END_SECONDS, self._app.state.services.streams.stop)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keys_needed(config: ServeConfig, home: Path, host: str) -> bool:
    """Whether everybody needs a key: always at an address that other machines reach. Raises
    UsageError where keys are needed and there is none.
    """
    required = config.keys.required or not is_loopback(host)
    if required and not any(key.revoked_at is None for key in keys.listed(home)):
        why = f"{host} is reached by others" if not is_loopback(host) else "`keys.required` is set"
        raise UsageError(
            f"{why}, and there is no key yet",
            where="--host" if not is_loopback(host) else "keys.required",
            hint="make one: llmops keys create NAME --scopes ask,search,feedback",
        )
    return required


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises UsageError for a port that is taken, and for an address
    that this machine does not have.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with its protocol named, or asyncio leaves Nagle's algorithm on: 40 ms for each answer
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        who = holder(port) if port else ""
        raise UsageError(
            f"{host}:{port} cannot be listened on: {error.strerror}{who}",
            where="--port",
            hint="give another port with --port, or end that program",
        ) from error
    found.set_inheritable(True)
    return found


def server_of(app: FastAPI, config: ServeConfig, listening: Callable[[], None]) -> AppServer:
    """The server of an application, with the limits of its connections."""
    settings = uvicorn.Config(
        app,
        http=type("ServerProtocol", (AppProtocol,), {"silent": {}}),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=HARD_SECONDS,
        limit_concurrency=config.limits.concurrency * 4 + BACKSTOP,
        h11_max_incomplete_event_size=LARGEST_HEAD,
    )
    return AppServer(settings, app, listening)


async def serve(app: FastAPI, server: AppServer, listener: socket.socket) -> None:
    """Answer until SIGINT or SIGTERM. Raises what `opened` raises, before anything is answered."""
    quiet()
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        async with app.router.lifespan_context(app):
            await server.serve([listener])
    finally:
        sys.setswitchinterval(before)


def quiet() -> None:
    """What libraries log at each request; and what uvicorn says of clients that it does not
    understand.
    """
    for name in ("mcp", "uvicorn.access", "httpx", "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
