"""Asking servers politely: one request at a time per host, pauses, retries, and an end to asking
one that is dead.
"""

import random
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar
from urllib.parse import urlsplit

import httpcore
from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.endpoints.trouble import retry_after
from llmops.tasks.plugins.sources._http.wire import Deadline, pool

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
DEAD_AFTER = 5


@dataclass(frozen=True)
class HttpReply:
    """An answer. `headers` have lower-case names; `body` is unpacked, and empty where it was not
    wanted.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def location(self) -> str:
        """Where a redirect leads, as the server writes it; "" for any other answer."""
        said = (
            self.headers.get("location", "")
            if 300 <= self.status < 400 and self.status != 304
            else ""
        )
        try:
            return said.encode("latin-1").decode()
        except UnicodeError:
            return said

    @property
    def media_type(self) -> str:
        """`type/subtype`, or "" where the server does not say."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()


class Trouble(Exception):
    """No usable answer. `retryable`: it may work later. `host`: the server is at fault, not this
    address of it. `asked`: whether it was asked at all."""

    def __init__(
        self, reason: str, *, retryable: bool = True, host: bool = False, asked: bool = True
    ) -> None:
        super().__init__(reason)
        self.reason, self.retryable, self.host, self.asked = reason, retryable, host, asked


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header names in lower case with their values; repeated ones are joined by a comma."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def body_of(chunks: Iterator[bytes], headers: Mapping[str, str], most: int) -> bytes:
    """The unpacked body. Raises Trouble when it is larger than `most` bytes or packed in a way that
    was not asked for.
    """
    if headers.get("content-length", "").isdigit() and int(headers["content-length"]) > most:
        raise _too_large(most)
    body = bytearray()
    for piece in _unpacked(chunks, headers.get("content-encoding", "").strip().lower(), most):
        body += piece
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


def _too_large(most: int) -> Trouble:
    return Trouble(
        f"the answer has more than {most:,} bytes; raise `max_bytes` to take it", retryable=False
    )


def _unpacked(chunks: Iterator[bytes], coding: str, most: int) -> Iterator[bytes]:
    if coding in ("", "identity"):
        yield from chunks
    elif coding in ("gzip", "x-gzip", "deflate"):
        yield from _inflated(chunks, coding, most)
    else:
        raise Trouble(
            f"the answer is packed as {coding[:40]!r}, which was not asked for", retryable=False
        )


def _inflated(chunks: Iterator[bytes], coding: str, most: int) -> Iterator[bytes]:
    """Never more than `most` + 1 bytes at once, however small the packed form. Raises Trouble for a
    broken stream.
    """
    unpacker = None
    try:
        for chunk in chunks:
            if unpacker is None:
                raw = coding == "deflate" and (chunk[0] & 0x0F) != 8
                unpacker = zlib.decompressobj(-15 if raw else 47)
            yield unpacker.decompress(chunk, most + 1)
    except zlib.error as error:
        raise Trouble(f"the packed answer is damaged: {error}") from error
    if unpacker is not None and not unpacker.eof:
        raise Trouble("the packed answer ends too early")


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
