"""Our servers answer at once: Nagle's algorithm is off on what they accept, or each answer on a
connection that is used again waits 40 ms for the other side's acknowledgement.
"""

import asyncio
import socket
from collections.abc import Callable

import pytest

from llmops.deployments.app import serving


def prefects() -> socket.socket:
    from llmops.flows.server import daemon

    return daemon.bind(0)


def applications() -> socket.socket:
    return serving.bound("127.0.0.1", 0)


@pytest.mark.parametrize("bound", [applications, prefects])
def test_what_is_written_is_sent_at_once(bound: Callable[[], socket.socket]) -> None:
    seen: list[int] = []

    async def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        seen.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    async def asked() -> None:
        listener = bound()
        async with await asyncio.start_server(accepted, sock=listener):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            assert await reader.read() == b""
            writer.close()

    asyncio.run(asked())
    assert seen == [1]
