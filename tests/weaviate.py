"""A Weaviate server of the tests' own, where its binary is: in WEAVIATE_BINARY, or where the
client's embedded mode keeps it.

It listens on free ports of this machine, and can be killed and started again on the same data.
"""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

EMBEDDED = Path.home() / ".cache" / "weaviate-embedded"
WANTED = (
    "set WEAVIATE_URL (and WEAVIATE_GRPC_PORT), or WEAVIATE_BINARY to a server of 1.33 or newer"
)
PORTS = (
    "GRPC_PORT",
    "CLUSTER_GOSSIP_BIND_PORT",
    "CLUSTER_DATA_BIND_PORT",
    "RAFT_PORT",
    "RAFT_INTERNAL_RPC_PORT",
)
SETTINGS = {
    "DEFAULT_VECTORIZER_MODULE": "none",
    "AUTOSCHEMA_ENABLED": "false",
    "API_BASED_MODULES_DISABLED": "true",
    "DISABLE_TELEMETRY": "true",
    "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
    "CLUSTER_HOSTNAME": "test",
    "RAFT_BOOTSTRAP_EXPECT": "1",
    "LIMIT_RESOURCES": "false",
    "LOG_LEVEL": "error",
    "GO_PROFILING_DISABLE": "true",
    "PROMETHEUS_MONITORING_ENABLED": "false",
}


def binary() -> Path | None:
    """The server to start; None where there is none."""
    if "WEAVIATE_BINARY" in os.environ:
        return Path(os.environ["WEAVIATE_BINARY"])
    folder = Path(os.environ.get("XDG_CACHE_HOME", EMBEDDED))
    found = [
        (tuple(map(int, match.groups())), path)
        for path in folder.glob("weaviate-v*-*")
        if (match := re.match(r"weaviate-v(\d+)\.(\d+)", path.name))
    ]
    return max((one for one in found if one[0] >= (1, 33)), default=(None, None))[1]


@contextmanager
def serving(folder: Path) -> Iterator[dict[str, Any]]:
    """The options of a store: of the server that the environment names, else of one started here.
    Skips where there is none.
    """
    if "WEAVIATE_URL" in os.environ:
        key = {"api_key": "${WEAVIATE_API_KEY}"} if "WEAVIATE_API_KEY" in os.environ else {}
        yield {
            "url": os.environ["WEAVIATE_URL"],
            "grpc_port": int(os.environ.get("WEAVIATE_GRPC_PORT", "50051")),
        } | key
        return
    with started(folder) as server:
        yield {"url": server.url, "grpc_port": server.grpc_port}


@contextmanager
def started(folder: Path, key: str = "") -> "Iterator[Server]":
    """A server that a test may kill. Skips where there is nothing to start."""
    if binary() is None:
        pytest.skip(f"no Weaviate: {WANTED}")
    server = Server(folder, key)
    try:
        server.start()
        yield server
    finally:
        server.stop()


class Server:
    """`key`: the API key that it wants; without one anybody may do anything."""

    def __init__(self, folder: Path, key: str = "") -> None:
        self._folder, self._process = folder, None
        self._port, *others = _free(1 + len(PORTS))
        self._settings = SETTINGS | {
            name: str(port) for name, port in zip(PORTS, others, strict=True)
        }
        access = (
            {
                "AUTHENTICATION_APIKEY_ENABLED": "true",
                "AUTHENTICATION_APIKEY_ALLOWED_KEYS": key,
                "AUTHENTICATION_APIKEY_USERS": "tests",
            }
            if key
            else {}
        )
        self._settings |= {
            "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": str(not key).lower(),
            **access,
        }
        self.url, self.grpc_port = f"http://127.0.0.1:{self._port}", others[0]

    _process: "subprocess.Popen[bytes] | None"

    def start(self, *, wait: bool = True) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(binary()),
                    "--host",
                    "127.0.0.1",
                    "--port",
                    str(self._port),
                    "--scheme",
                    "http",
                ],
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    **self._settings,
                    "PERSISTENCE_DATA_PATH": str(self._folder / "data"),
                },
                start_new_session=True,
            )
        if wait:
            self.wait()

    def wait(self, seconds: float = 60) -> None:
        """Until it answers. Raises RuntimeError with its log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._process is not None and self._process.poll() is None:
            try:
                if httpx.get(f"{self.url}/v1/.well-known/ready", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise RuntimeError(
            f"Weaviate did not start: {(self._folder / 'server.log').read_text()[-2000:]}"
        )

    def kill(self) -> None:
        """At once, with no chance to write anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None


def _free(count: int) -> list[int]:
    """Ports that nobody listens on."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()
