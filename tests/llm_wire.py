"""A small HTTP/1.1 server that keeps connections, for services that misbehave on purpose: 64
requests at once cost little.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from email import message_from_bytes
from http import HTTPStatus
from typing import Any, Protocol

from tests.llm_faults import Answer

PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Served(Protocol):
    """What answers. `under_way`: requests that came and are not answered; `most`: the highest
    number of it; nothing is answered before it has reached `gathered`."""

    base_url: str
    latency: float
    under_way: int
    most: int
    connections: int
    gathered: int
    headers: list[dict[str, str]]

    def answer(self, path: str, body: Any, authorization: str) -> tuple[Answer, bool]: ...

    def sent(self, body: Any) -> None: ...


class Stop:
    """Ends a server from another thread."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.event = asyncio.Event()

    def __call__(self) -> None:
        if self.loop:
            self.loop.call_soon_threadsafe(self.event.set)


async def listen(service: Served, port: int, ready: Callable[[], object], stop: Stop) -> None:
    """Serves on an address of this machine until it is stopped."""
    connections = set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(service, reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    stop.loop = asyncio.get_running_loop()
    server = await asyncio.start_server(connected, "127.0.0.1", port, backlog=1000)
    service.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    ready()
    await stop.event.wait()
    server.close()
    waiting = list(connections)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def _serve(
    service: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One connection, as many requests as come."""
    service.connections += 1
    try:
        more = True
        while more:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = read(headers, await _content(reader, headers))
            service.headers.append(headers)
            method, path, *_ = first.split(" ")
            path = path if method == "POST" else f"{method} {path}"
            more = await _answered(
                service, reader, writer, path, body, headers.get("authorization", "")
            )
    except (asyncio.IncompleteReadError, ConnectionError):
        return  # the client went away
    finally:
        writer.close()


async def _content(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    content = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        content += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return content


def read(headers: Mapping[str, str], content: bytes) -> Any:
    """The object of a JSON body; of a form its fields, and `file`: (name, content)."""
    kind = headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        return json.loads(content or b"{}")
    form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + content)
    fields: dict[str, Any] = {}
    for part in form.walk():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if name and isinstance(payload, bytes):
            file = part.get_filename()
            fields[str(name)] = (file, payload) if file else payload.decode()
    return fields


async def _answered(
    service: Served,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    path: str,
    body: Any,
    key: str,
) -> bool:
    """Whether the connection goes on."""
    service.under_way += 1
    service.most = max(service.most, service.under_way)
    try:
        found, usual = service.answer(path, body, key)
        if found.hang:
            return bool(await reader.read(1))  # until the client gives up
        while service.most < service.gathered:
            await asyncio.sleep(0.005)
        if delay := service.latency + found.delay:
            await asyncio.sleep(delay)
        headers = {
            "Content-Type": found.content_type,
            "Content-Length": str(len(found.body)),
            **found.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if usual and not writer.is_closing():
            service.sent(body)  # before it can be seen on the other side
        writer.write(
            f"HTTP/1.1 {found.status} {PHRASES.get(found.status, 'Odd')}\r\n{lines}\r\n".encode()
            + found.body[: found.cut]
        )
        await writer.drain()
        return found.cut is None
    finally:
        service.under_way -= 1
