"""Asking servers politely: one request at a time per host, pauses, retries, and an end to asking
one that is dead.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import ClassVar
from urllib.parse import urlsplit

import httpcore
from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.endpoints.trouble import retry_after
from llmops.tasks.plugins.sources._http.reply import (
    HttpReply,
    Trouble,
    body_of,
    headers_of,
)
from llmops.tasks.plugins.sources._http.wire import Deadline, pool

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
DEAD_AFTER = 5


class Manners(BaseModel):
    """How to ask. Seconds: `delay` between the requests to a host, `timeout` for a step, `deadline`
    for a whole answer, `backoff` before the first retry (doubled each time, with jitter),
    `max_wait` for the longest pause that a server may ask for."""

    model_config = ConfigDict(frozen=True)
    delay: float = Field(default=1.0, ge=0, le=600)
    timeout: float = Field(default=20.0, gt=0)
    deadline: float = Field(default=120.0, gt=0)
    retries: int = Field(default=3, ge=0, le=20)
    backoff: float = Field(default=0.5, ge=0)
    max_wait: float = Field(default=60.0, ge=0)
    max_bytes: int = Field(default=20_000_000, gt=0)


class HostTurn:
    """Whose turn it is to ask a server: one for all the clients of this process. `delay`: what the
    server itself wants, in seconds.
    """

    _all: ClassVar[dict[str, "HostTurn"]] = {}
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self.lock, self.delay, self._free_at = threading.Lock(), 0.0, 0.0

    @classmethod
    def at(cls, place: str) -> "HostTurn":
        """The one of a host and port."""
        with cls._guard:
            return cls._all.setdefault(place, cls())

    def wait(self) -> None:
        """Sleep until the next request may be sent."""
        time.sleep(max(0.0, self._free_at - time.monotonic()))

    def rest(self, seconds: float) -> None:
        """Keep the next request away for so long."""
        self._free_at = max(self._free_at, time.monotonic() + seconds)


class Host:
    """One server as one client knows it: how often it has failed in a row."""

    def __init__(self, place: str) -> None:
        self.turn, self.failures = HostTurn.at(place), 0

    @property
    def dead(self) -> bool:
        return self.failures >= DEAD_AFTER


class HttpClient:
    """Answers by URL, from any number of threads. Redirects are answers too: following them is the
    caller's decision.
    """

    def __init__(
        self, manners: Manners, *, headers: Mapping[str, str], allow_private: bool
    ) -> None:
        self._manners, self._headers, self._clock = manners, headers, Deadline()
        self._pool = pool(self._clock, allow_private)
        self._hosts: dict[str, Host] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "HttpClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.close()

    def host(self, url: str) -> Host:
        """What is known of the server of a URL."""
        with self._lock:
            return self._hosts.setdefault(urlsplit(url).netloc, Host(urlsplit(url).netloc))

    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        wanted: Callable[[HttpReply], bool] = lambda _: True,
    ) -> HttpReply:
        """The last answer after all retries; the body only of one that is `wanted`, which is asked
        with the headers alone.

        Raises Trouble when there is no answer, or the host has not answered several times before.
        """
        host = self.host(url)
        with host.turn.lock:
            if host.dead:
                raise Trouble(
                    f"{urlsplit(url).netloc} failed {DEAD_AFTER} times in a row and was "
                    f"not asked again",
                    asked=False,
                )
            try:
                reply = self._patiently(host.turn, url, headers or {}, wanted)
            except Trouble as trouble:
                host.failures += trouble.host
                raise
            host.failures = host.failures + 1 if reply.status >= 500 else 0
            return reply

    def _patiently(
        self,
        turn: HostTurn,
        url: str,
        headers: Mapping[str, str],
        wanted: Callable[[HttpReply], bool],
    ) -> HttpReply:
        for attempt in range(self._manners.retries + 1):
            turn.wait()
            last = attempt == self._manners.retries
            asked = None
            try:
                reply = self._once(url, headers, wanted)
                said = reply.headers.get("retry-after", "")
                asked = retry_after(said, strict=True) if reply.status in RETRIED else 0.0
                if reply.status not in RETRIED or last or (asked or 0) > self._manners.max_wait:
                    return reply
            except Trouble as trouble:
                if last or not trouble.retryable:
                    raise
            finally:
                turn.rest(max(self._manners.delay, turn.delay))
            turn.rest(self._pause(attempt, asked))
        raise AssertionError("the last attempt returns or raises")

    def _pause(self, attempt: int, asked: float | None) -> float:
        """What the server asks for, else a growing pause with jitter, so that clients do not come
        back all at once.
        """
        own: float = min(
            self._manners.max_wait, self._manners.backoff * 2**attempt
        ) * random.uniform(0.5, 1.0)
        return own if asked is None else max(asked, min(own, self._manners.backoff))

    def _once(
        self, url: str, headers: Mapping[str, str], wanted: Callable[[HttpReply], bool]
    ) -> HttpReply:
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self._manners.timeout)
        self._clock.start(self._manners.deadline)
        sent = {"Accept-Encoding": "gzip, deflate", **self._headers, **headers}
        try:
            with self._pool.stream(
                "GET",
                url,
                headers=[(k.encode("latin-1"), v.encode("latin-1")) for k, v in sent.items()],
                extensions={"timeout": limits},
            ) as answer:
                return self._reply(url, answer, wanted)
        except httpcore.UnsupportedProtocol as error:
            raise Trouble(str(error), retryable=False) from error
        except httpcore.TimeoutException as error:
            raise Trouble(
                f"no answer in time: {error or 'the server was silent'}", host=True
            ) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise Trouble(
                f"the connection failed: {error or type(error).__name__}", host=True
            ) from error

    def _reply(
        self, url: str, answer: httpcore.Response, wanted: Callable[[HttpReply], bool]
    ) -> HttpReply:
        head = HttpReply(url=url, status=answer.status, headers=headers_of(answer.headers))
        if not wanted(head):
            return head
        return HttpReply(
            url,
            head.status,
            head.headers,
            body_of(answer.iter_stream(), head.headers, self._manners.max_bytes),
        )
