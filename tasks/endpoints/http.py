"""One attempt over HTTP: JSON out, JSON or server-sent events in, and every failure as one of
ours.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import copy_context
from functools import cache
from hashlib import sha256
from json import JSONDecodeError, dumps, loads
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx

from llmops.tasks.endpoints.trouble import (
    NO_API,
    Bill,
    Busy,
    Garbled,
    JsonObject,
    Lost,
    Page,
    hidden,
    trouble,
    words,
)
from llmops.tasks.errors import Unavailable

T = TypeVar("T")
NOBODY = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
    httpx.LocalProtocolError,
)


UNSENT = (httpx.WriteError, httpx.WriteTimeout)
"""The request had not been sent whole."""
CONNECT_SECONDS = 10.0
"""An address that takes longer than this is one at which nobody answers."""


class Lines:
    """A pool of httpx looks at all its connections several times per request: with 32 of them that
    takes 7 ms of CPU. So every request under way has a client of its own, and the one that was used
    last is used next."""

    def __init__(self, make: Callable[[], httpx.AsyncClient]) -> None:
        self._make = make
        self._idle: list[httpx.AsyncClient] = []
        self._stack = AsyncExitStack()

    @asynccontextmanager
    async def line(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client that nobody else uses meanwhile."""
        client = (
            self._idle.pop() if self._idle else await self._stack.enter_async_context(self._make())
        )
        try:
            yield client
        finally:
            self._idle.append(client)

    async def close(self) -> None:
        await self._stack.aclose()


class FileUpload(NamedTuple):
    """A file that is sent as a form: its path, its name there, and the form's other fields."""

    path: Path
    name: str
    fields: Mapping[str, str]


class Http:
    """An open connection to one address. Nothing that it raises holds the key. `lists`: a bare list
    is an answer too, as the `results` of an object.
    """

    def __init__(self, lines: Lines, url: str, key: str | None, *, lists: bool = False) -> None:
        self._lines, self._key, self._place = lines, key, hidden(url, key)
        self._lists = lists
        with self._failures():
            self._url = httpx.URL(url)  # to read an address takes a tenth of the work of a request

    async def post(self, body: Mapping[str, object], repeat: int = 0) -> JsonObject:
        """The JSON object of the answer."""
        content, headers = _written(body, repeat)
        return await self._answered(lambda to: to.post(self._url, content=content, headers=headers))

    async def get(self, query: Mapping[str, str | int]) -> JsonObject:
        """The same without a body."""
        return await self._answered(lambda to: to.get(self._url, params=dict(query)))

    async def send(self, body: Mapping[str, object], key: str) -> JsonObject:
        """A body under a key of the caller's, for services that do one thing once; "": none."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self._answered(lambda to: to.post(self._url, json=dict(body), headers=headers))

    async def upload(self, upload: FileUpload) -> JsonObject:
        """A file, which is read as it is sent."""
        with upload.path.open("rb") as content:
            form = {"file": (upload.name, content, "application/octet-stream")}
            return await self._answered(
                lambda to: to.post(self._url, data=dict(upload.fields), files=form)
            )

    async def _answered(
        self, ask: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]
    ) -> JsonObject:
        with self._failures():
            async with self._lines.line() as client:
                answer = await ask(client)
        self._check(answer)
        return self.read(answer.content, answer.headers.get("content-type", "no content type"))

    async def events(self, body: Mapping[str, object], repeat: int) -> AsyncIterator[JsonObject]:
        """The JSON objects of a stream, up to and without [DONE]; the last one is {} where that was
        there.

        A service that does not stream gives its one answer.
        """
        content, headers = _written(body, repeat)
        with self._failures():
            async with (
                self._lines.line() as client,
                client.stream("POST", self._url, content=content, headers=headers) as answer,
            ):
                kind = answer.headers.get("content-type", "no content type")
                if not answer.is_success or "text/event-stream" not in kind:
                    await answer.aread()
                    self._check(answer)
                    yield self.read(answer.content, kind)
                    return
                async for line in answer.aiter_lines():
                    if line.startswith("data:"):
                        data = line[5:].strip()
                        yield {} if data == "[DONE]" else self.read(data.encode(), kind)

    def read(self, content: bytes, kind: str) -> JsonObject:
        """The object of a JSON text. Raises Page for a page, Garbled for anything else that cannot
        be read.
        """
        try:
            answer = loads(content)
        except (JSONDecodeError, UnicodeDecodeError, RecursionError):
            answer = None
        if isinstance(answer, dict):
            return answer
        if self._lists and isinstance(answer, list):
            return {"results": answer}
        start = self.hidden(content[:1000].decode("utf-8", "replace"))[:80]
        said = f"{self._place} answered with {kind}, a JSON object is wanted: {start!r}"
        if "html" in kind or start.lstrip().lower().startswith(("<!doctype", "<html")):
            raise Page(said, NO_API)
        raise Garbled(said, NO_API, Bill())

    def _check(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            body = self.hidden(
                answer.text
            )  # before it is shortened, which may leave a part of a key
            raise trouble(
                self._place,
                answer.status_code,
                words(body, answer.reason_phrase),
                answer.headers,
                body,
            )

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """The errors of httpx as ours; without them as cause, since they may quote a header."""
        try:
            yield
        except httpx.InvalidURL as error:
            raise Unavailable(
                self.hidden(f"{self._place} is no address: {error}"), hint="check base_url"
            ) from None
        except NOBODY as error:
            raise Lost(
                self.hidden(f"{self._place} cannot be reached: {type(error).__name__}: {error}")
            ) from None
        except httpx.DecodingError as error:
            raise Garbled(
                self.hidden(f"{self._place} gave an answer that cannot be decoded: {error}"),
                NO_API,
                Bill(),
            ) from None
        except httpx.RequestError as error:
            raise Busy(
                self.hidden(f"{self._place} broke off: {type(error).__name__}: {error}"),
                bill=None if isinstance(error, UNSENT) else Bill(),
            ) from None

    def hidden(self, text: str) -> str:
        """The text without the key."""
        return hidden(text, self._key)


@asynccontextmanager
async def opened(
    url: str, key: str | None, *, lists: bool = False, silence: float | None = None
) -> AsyncIterator[Http]:
    """Connections are kept for the next request, as many as are used at once. Time-outs are the
    client's, but for CONNECT_SECONDS and `silence`: seconds in which nothing is sent or received.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=30)
    trusted, patience = _trusted(), httpx.Timeout(silence, connect=CONNECT_SECONDS)
    lines = Lines(
        lambda: httpx.AsyncClient(timeout=patience, headers=headers, limits=limits, verify=trusted)
    )
    try:
        yield Http(lines, url, key, lists=lists)
    finally:
        await lines.close()


def waited(work: Coroutine[Any, Any, T]) -> T:
    """What it gives, for callers without an event loop and those whom one waits for."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(copy_context().run, asyncio.run, work).result()


@cache
def _trusted() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # reading the certificates takes longer than a request


def _written(body: Mapping[str, object], repeat: int) -> tuple[bytes, dict[str, str]]:
    content = dumps(dict(body), ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "replace"
    )
    key = sha256(content + repeat.to_bytes(8, "big")).hexdigest()[:32]
    return content, {"Content-Type": "application/json", "Idempotency-Key": key}
