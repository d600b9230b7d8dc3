"""Connections to one place, of which each has a pool of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx


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
