"""Answers that are sent while they are made, and clients that go away before they are there."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llmops.deployments.app.problems import HttpProblem

T = TypeVar("T")
LAST = b"data: [DONE]\n\n"
HEADERS = {"x-accel-buffering": "no", "cache-control": "no-store, no-transform"}


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


async def gone(receive: Receive) -> None:
    """Returns when the client has closed the connection; the body has to be read before."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def while_there(receive: Receive, work: Coroutine[object, object, T]) -> T:
    """What the work comes to; it is cancelled, and with it what is paid for, when the client goes
    away. Raises ClientGone then.
    """
    task, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone(receive))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        await end(task, leaving)


async def end(*tasks: "asyncio.Future[T] | asyncio.Future[None]") -> None:
    """Cancel what is still going on, and wait until it has ended."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def event(content: object) -> bytes:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str)
    return f"data: {text}\n\n".encode("utf-8", "replace")


class OpenStreams:
    """The streams of an application, so that it can end them when it ends."""

    def __init__(self) -> None:
        self._open: set[EventStream] = set()

    def add(self, stream: "EventStream") -> None:
        self._open.add(stream)

    def discard(self, stream: "EventStream") -> None:
        self._open.discard(stream)

    def __len__(self) -> int:
        return len(self._open)

    def stop(self) -> None:
        for stream in list(self._open):
            stream.stop(HttpProblem(503, "the application is being ended", code="shutting_down"))


class EventStream(Response):
    """Server-sent events, until they end, the client goes away, the time is over, or somebody
    stops it: then its last words say why.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncIterator[bytes],
        streams: OpenStreams,
        seconds: float,
        request_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(None, 200, {**HEADERS, **(headers or {})})
        self._events, self._streams, self._seconds = events, streams, seconds
        self._request_id = request_id
        self._pump: asyncio.Task[None] | None = None
        self._why: HttpProblem | None = None
        del self.headers["content-length"]

    def stop(self, why: HttpProblem) -> None:
        self._why = self._why or why
        if self._pump:
            self._pump.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        self._streams.add(self)
        late = HttpProblem(504, f"no end within {self._seconds:g} s", code="timeout")
        timer = asyncio.get_running_loop().call_later(self._seconds, self.stop, late)
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        self._pump = asyncio.create_task(self._send_events(send))
        leaving = asyncio.create_task(gone(receive))
        try:
            await asyncio.wait({self._pump, leaving}, return_when=asyncio.FIRST_COMPLETED)
            left = leaving.done()
            await end(self._pump, leaving)
            if not left:
                await self._close(send)
        finally:
            timer.cancel()
            self._streams.discard(self)
            await end(self._pump, leaving)

    async def _send_events(self, send: Send) -> None:
        try:
            async for data in self._events:
                await send({"type": "http.response.body", "body": data, "more_body": True})
        finally:
            if (close := getattr(self._events, "aclose", None)) is not None:
                await close()

    async def _close(self, send: Send) -> None:
        assert self._pump is not None
        words = b""
        if self._pump.cancelled() and self._why is not None:
            words = event(self._why.public(self._request_id)) + LAST
        await send({"type": "http.response.body", "body": words, "more_body": False})
