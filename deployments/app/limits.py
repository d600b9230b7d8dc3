"""How large and how slow a request may be, how long its answer may take, and how many are answered
at once.
"""

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llmops.deployments.app.problems import CLOSE, HttpProblem
from llmops.deployments.app.visit import header

UNLIMITED = ("/health", "/ready", "/metrics")
"""AskedOverHttp by those who watch, also when the application is full."""
UPLOADS = "/build/draft"
"""Takes files: only from those who may build, as the doors before this one see to."""
UPLOAD_SECONDS = 300.0
GRACE = 5.0
"""Seconds after the deadline in which a stream can say that it ends."""


@dataclass(frozen=True)
class RequestLimits:
    """`body`: bytes; `body_seconds`: until a body is there; `seconds`: until its answer is.
    `upload`: bytes of a body that holds files; one that large may take `UPLOAD_SECONDS`.
    """

    body: int
    body_seconds: float
    seconds: float
    concurrency: int
    upload: int = 0

    def of(self, path: str) -> tuple[int, float]:
        """How many bytes the body of a request may have, and how many seconds it may take."""
        if path != UPLOADS:
            return self.body, self.body_seconds
        return max(self.body, self.upload), max(self.body_seconds, UPLOAD_SECONDS)


class LimitsDoor:
    """Reads the whole body before anything else is done, and counts while it reads: a length that
    is missing or wrong changes nothing.
    """

    def __init__(self, app: ASGIApp, limits: RequestLimits) -> None:
        self._app, self._limits = app, limits
        self.under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self._app(scope, receive, send)
            return
        body = await self._body(scope, receive)
        if body is None:
            return
        if self.under_way >= self._limits.concurrency:
            told = f"{self._limits.concurrency} requests are being answered; try again in a moment"
            raise HttpProblem(503, told, code="busy", headers={"retry-after": "1"})
        self.under_way += 1
        try:
            await self._in_time(scope, Replayed(body, receive), send)
        finally:
            self.under_way -= 1

    async def _in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        deadline = asyncio.timeout(self._limits.seconds)

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and (when := deadline.when()) is not None:
                deadline.reschedule(when + GRACE)
            await send(message)

        try:
            async with deadline:
                await self._app(scope, receive, sent)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            told = f"no answer within {self._limits.seconds:g} s"
            raise HttpProblem(504, told, code="timeout") from error

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """None where the client went away before it was there."""
        limit, seconds = self._limits.of(scope["path"])
        length = header(scope, b"content-length") or "0"
        if len(length) > 18 or int(length) > limit:
            raise _too_large(limit)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(seconds):
                while (message := await receive())["type"] == "http.request":
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > limit:
                        raise _too_large(limit)
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError as error:
            told = f"the body was not there within {seconds:g} s"
            raise HttpProblem(408, told, code="slow_body", headers=CLOSE) from error
        return None


def _too_large(limit: int) -> HttpProblem:
    return HttpProblem(
        413, f"the body is larger than {limit:,} bytes", code="body_too_large", headers=CLOSE
    )


class Replayed:
    """Gives a body that was read to whoever reads it again; after it, only the end of the
    connection is heard of.
    """

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        return await self._receive()
