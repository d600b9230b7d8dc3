"""Applications for tests: in this process behind a client without sockets, or on a port, in a
thread of its own.
"""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from llmops.configs.serve import ServeConfig
from llmops.deployments.app import serving
from llmops.deployments.app.application import create_app
from llmops.tasks.access import keys
from llmops.tasks.access.keys import ApiKey
from tests.chat.apps import TALL, Towers

MANY = {"requests_per_minute": 1_000_000}
LOCAL = "http://127.0.0.1"


class App:
    """An application that runs. `client`: speaks to it, without a key where none is given."""

    def __init__(self, towers: Towers, config: ServeConfig, client: TestClient) -> None:
        self.towers, self.config, self.client = towers, config, client

    @property
    def services(self) -> Any:
        return self.client.app.state.services  # type: ignore[attr-defined]  # a FastAPI

    def post(self, path: str, body: Any, key: str = "", **headers: str) -> Response:
        return self.client.post(path, json=body, headers=heads(key, **headers))

    def get(self, path: str, key: str = "", **headers: str) -> Response:
        return self.client.get(path, headers=heads(key, **headers))

    def ask(
        self, question: str = TALL, key: str = "", *, stream: bool = False, **more: Any
    ) -> Response:
        messages = more.pop("messages", [{"role": "user", "content": question}])
        body = {"model": "guide", "messages": messages, "stream": stream, **more}
        return self.post("/v1/chat/completions", body, key)

    def search(self, query: str = TALL, key: str = "", **more: Any) -> Response:
        return self.post("/v1/search", {"query": query, **more}, key)

    def key(self, name: str = "web", **more: Any) -> str:
        """A new key of the application's home."""
        return self.made(name, **more)[1]

    def made(self, name: str = "web", **more: Any) -> tuple[ApiKey, str]:
        wanted = {"scopes": ["ask", "search", "feedback"], **more}
        return keys.create(self.towers.home, name, **wanted)


def heads(key: str, **headers: str) -> dict[str, str]:
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    return {**found, "authorization": f"Bearer {key}"} if key else found


@contextmanager
def application(towers: Towers, **changes: Any) -> Iterator[App]:
    """In this process: everything but sockets is as it is for a user."""
    config = towers.config(**{"limits": MANY, **changes})
    app = create_app(config, towers.home)
    with TestClient(app, base_url=LOCAL, raise_server_exceptions=False) as client:
        yield App(towers, config, client)


class Listening:
    """An application on a port. `url`: without a slash at its end."""

    def __init__(self, config: ServeConfig, towers: Towers, *, required: bool = False) -> None:
        self.config, self.towers = config, towers
        self.listener = serving.bound("127.0.0.1", 0)
        self.port = int(self.listener.getsockname()[1])
        self.url = f"{LOCAL}:{self.port}"
        self._ready = threading.Event()
        self.app = create_app(config, towers.home, required=required)
        self.server = serving.server_of(self.app, config, self._ready.set)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.run(serving.serve(self.app, self.server, self.listener))

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(60), "the application did not start"

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()

    def accepted(self, connection: socket.socket, seconds: float = 30) -> None:
        """Wait until the server knows of a connection; those before it, it knows of then, too."""
        port, end = connection.getsockname()[1], time.monotonic() + seconds
        while port not in {
            each.client[1]
            for each in self.server.server_state.connections.copy()
            if isinstance(each, serving.AppProtocol) and each.client
        }:
            assert time.monotonic() < end, "the server did not accept a connection"
            time.sleep(0.01)

    def key(self, name: str, **more: Any) -> str:
        """A new key of the application's home."""
        wanted = {"scopes": ["ask", "search", "feedback"], **more}
        return keys.create(self.towers.home, name, **wanted)[1]

    def raw(self, data: bytes, *, shut: bool = False, seconds: float = 20) -> bytes:
        """What comes back for these bytes, until the application closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as connection:
            connection.sendall(data)
            if shut:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            with suppress(ConnectionResetError):  # closed while some of the data was unread
                while part := connection.recv(65_536):
                    received += part
            return received


@contextmanager
def listening(towers: Towers, *, required: bool = False, **changes: Any) -> Iterator[Listening]:
    found = Listening(towers.config(**{"limits": MANY, **changes}), towers, required=required)
    found.start()
    try:
        yield found
    finally:
        found.stop()


def events(response: Response) -> list[Any]:
    """The objects of a stream, which has to end as OpenAI's do."""
    lines = [line for line in response.text.split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def text_of(chunks: list[Any]) -> str:
    """What the chunks of a stream say."""
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk.get("choices")]
    return "".join(delta.get("content") or "" for delta in deltas)
