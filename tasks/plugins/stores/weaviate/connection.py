"""Connections to Weaviate, one per process and configuration, and its errors as ours."""

import atexit
import json
import logging
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from llmops.tasks.errors import Damaged, LlmopsError, Unavailable
from llmops.tasks.plugins.stores._frames import REPAIR

if TYPE_CHECKING:
    from weaviate import WeaviateClient

OLDEST = (1, 33)  # the first with NOT in filters
AWAY = (
    "unavailable",
    "deadline",
    "timed out",
    "timeout",
    "failed after",
    "connection",
    "shutting down",
    "shutdown",
    "not ready",
    "leader",
    "broken pipe",
    "eof",
    "non-existing index",
    "loading",
)
DENIED = (
    "unauthenticated",
    "unauthorized",
    "forbidden",
    "invalid api key",
    "anonymous access",
    "permission",
)
GONE = ("could not find class", "class not found", "not found in schema", "not found", "no such")
KEY = (
    "check `api_key` of the store in the config, usually ${WEAVIATE_API_KEY}, and that its "
    "role may read and write collections"
)
NETWORK = (
    "check the url, the gRPC port and whether Weaviate runs; nothing live has changed, run the "
    "command again"
)
WAITING = json.dumps({"methodConfig": [{"name": [{}], "waitForReady": True}]})
CHANNEL = [
    ("grpc.service_config", WAITING),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 60_000),
]
LOST = (
    "ConnectionError",
    "StartUpError",
    "GRPCUnavailableError",
    "RetryError",
    "TimeoutError",
    "TransportError",
    "ConnectError",
    "ReadError",
    "RemoteProtocolError",
)
PAUSE = 0.3

T = TypeVar("T")
_clients: dict[tuple[int, str], "WeaviateClient"] = {}
_connecting = Lock()


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Raises Unavailable for a server that does not answer or does not let us in, Damaged for what
    is gone or refused.
    """
    from httpx import TransportError
    from weaviate.exceptions import WeaviateBaseError

    try:
        yield
    except (WeaviateBaseError, TransportError) as error:
        raise _ours(what, error) from error


def _ours(what: str, error: Exception) -> LlmopsError:
    message, status = str(error).lower(), getattr(error, "status_code", None)
    if (
        status in (401, 403)
        or "Authentication" in type(error).__name__
        or any(sign in message for sign in DENIED)
    ):
        return Unavailable(f"{what}: the server refuses the credentials: {_short(error)}", hint=KEY)
    if status == 404 or any(sign in message for sign in GONE):
        return Damaged(f"{what} no longer exists: {_short(error)}", hint=REPAIR)
    if status == 422 or "dimension" in message or "vector length" in message:
        return Damaged(f"{what} refuses what it was given: {_short(error)}", hint=REPAIR)
    return Unavailable(f"{what} did not answer: {_short(error)}", hint=NETWORK)


def _short(error: Exception) -> str:
    text = re.sub(r"\s+", " ", str(error)).strip()
    return text[:300] or type(error).__name__


def away(error: LlmopsError) -> bool:
    """Whether the server was not there, so that the same question may be answered when it is
    back.
    """
    cause = error.__cause__
    return (
        isinstance(error, Unavailable)
        and error.hint == NETWORK
        and (
            any(name in type(cause).__name__ for name in LOST)
            or any(sign in str(cause).lower() for sign in AWAY)
        )
    )


def patiently(what: str, ask: Callable[[], T], seconds: float) -> T:
    """What a question that changes nothing comes to, asked again while the server is away. Raises
    Unavailable after `seconds`.
    """
    return _repeated(lambda: guarded(what), ask, seconds)


def _repeated(
    within: Callable[[], AbstractContextManager[None]], ask: Callable[[], T], seconds: float
) -> T:
    end = time.monotonic() + seconds
    while True:
        try:
            with within():
                return ask()
        except Unavailable as error:
            if not away(error) or time.monotonic() + PAUSE > end:
                raise
        time.sleep(PAUSE)


@dataclass(frozen=True)
class CollectionPlace:
    """A collection: its client, its name in Weaviate and for people, and the patience for a
    question in seconds.
    """

    client: "WeaviateClient"
    name: str
    what: str
    seconds: float

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """As `guarded`; but a server that is starting denies collections that it has: then
        Unavailable, not Damaged.
        """
        try:
            with guarded(self.what):
                yield
        except Damaged as error:
            if (
                error.__cause__ is not None
                and any(sign in str(error.__cause__).lower() for sign in GONE)
                and self._there()
            ):
                raise Unavailable(
                    f"{self.what}: the server is starting", hint=NETWORK
                ) from ConnectionError("not ready")
            raise

    def patiently(self, ask: Callable[[], T]) -> T:
        return _repeated(self.guarded, ask, self.seconds)

    def _there(self) -> bool:
        """Whether the collection is there after all, or the server cannot say so yet."""
        try:
            with guarded(self.what):
                epoch(self.client)
                return bool(self.client.collections.exists(self.name))
        except Unavailable:
            return True


def connected(
    key: str, make: Callable[[], "WeaviateClient"], what: str, seconds: float
) -> "WeaviateClient":
    """The client of this process for a configuration. Raises Unavailable: not there, not let in, or
    too old.
    """
    with _connecting:
        place = (os.getpid(), key)
        if place not in _clients:
            _clients[place] = patiently(what, lambda: _opened(make, what), seconds)
        return _clients[place]


def _opened(make: Callable[[], "WeaviateClient"], what: str) -> "WeaviateClient":
    logging.getLogger("weaviate-client").setLevel(
        logging.CRITICAL
    )  # it prints whole objects that were refused
    client = make()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of a key where none is wanted; a key that is wanted and missing is an error below
            client.connect()
        version = str(client.get_meta()["version"])
    except KeyError as error:  # the client looks for a version in whatever was answered
        client.close()
        raise Unavailable(
            f"{what}: the server refuses the credentials, or is no Weaviate", hint=KEY
        ) from error
    except BaseException:
        client.close()
        raise
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST:
        client.close()
        raise Unavailable(
            f"{what} is Weaviate {version}; wanted: {'.'.join(map(str, OLDEST))} or newer",
            hint="deployments/compose.yaml pins a version that does",
        )
    return client


@atexit.register
def disconnect() -> None:
    """Close every connection of this process."""
    for place in [place for place in _clients if place[0] == os.getpid()]:
        _clients.pop(place).close()


def split(url: str) -> tuple[str, int, bool]:
    """(host, port, by TLS)."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    return parts.hostname or "", parts.port or (443 if secure else 80), secure


def epoch(client: "WeaviateClient") -> str:
    """Changes when the server is started anew: what was being written then may be in some of its
    indexes and not in others.

    Raft begins a new term with each start of a single node, and with each new leader of a cluster.
    "": the server does not say.
    """
    from weaviate.exceptions import UnexpectedStatusCodeError, WeaviateTimeoutError

    try:
        cluster = client.cluster.statistics()
    except UnexpectedStatusCodeError as error:
        if error.status_code in (401, 403, 404):
            return ""
        raise
    if not all(one.leader_id for one in cluster.statistics):
        raise WeaviateTimeoutError("the server is starting: a node knows no leader yet")
    return " ".join(sorted(f"{one.name}:{one.raft.term}" for one in cluster.statistics))
