"""How large, how slow, how long, how many."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from llmops.deployments.app.limits import LimitsDoor, RequestLimits
from llmops.deployments.app.problems import HttpProblem
from tests.chat.apps import TALL, Towers
from tests.deployments.app.apps import MANY, App, application, listening
from tests.openai_server import Answer, Service

LIMITS = RequestLimits(body=100, body_seconds=0.05, seconds=0.05, concurrency=2)


def ask(limits: RequestLimits, parts: list[bytes | float], length: str | None = None) -> bytes:
    """What the application behind the limits reads, of a body that comes in these parts, a number
    being seconds of silence.
    """
    read: list[bytes] = []

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        read.append((await receive())["body"])

    async def run() -> None:
        left = iter(parts)

        async def receive() -> Message:
            for part in left:
                if isinstance(part, bytes):
                    more = part != parts[-1]
                    return {"type": "http.request", "body": part, "more_body": more}
                await asyncio.sleep(part)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            raise AssertionError("nothing is sent")

        headers = [(b"content-length", length.encode())] if length else []
        scope = {"type": "http", "path": "/v1/search", "headers": headers, "method": "POST"}
        await LimitsDoor(behind, limits)(scope, receive, send)

    asyncio.run(run())
    return b"".join(read)


def test_a_body_is_read_whole() -> None:
    assert ask(LIMITS, [b"a" * 60, b"b" * 40]) == b"a" * 60 + b"b" * 40


@pytest.mark.parametrize(
    ("parts", "length"),
    [
        ([b"a" * 60, b"b" * 41], None),  # chunks: no length is told
        ([b"a"], "101"),
        ([b"a"], "9" * 40),
        ([b"a" * 60, b"b" * 41], "7"),
    ],
)
def test_a_body_that_is_too_large_is_not_read_to_its_end(
    parts: list[bytes | float], length: str | None
) -> None:
    with pytest.raises(HttpProblem) as raised:
        ask(LIMITS, parts, length)
    assert raised.value.status_code == 413
    assert raised.value.headers == {"connection": "close"}


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    with pytest.raises(HttpProblem) as raised:
        ask(LIMITS, [b"a", 5.0, b"b"])
    assert raised.value.status_code == 408


def test_a_client_that_goes_while_it_sends_is_forgotten() -> None:
    assert ask(LIMITS, [0.0]) == b""


def test_an_answer_that_takes_too_long_is_not_waited_for(towers: Towers, service: Service) -> None:
    service.latency = 30
    llm = {"name": "openai", "model": "m", "base_url": service.base_url, "api_key": "k"}
    with application(towers, llm=llm, limits={**MANY, "seconds": 0.5}) as app:
        began = time.monotonic()
        response = app.ask()
        assert (response.status_code, response.json()["error"]["code"]) == (504, "timeout")
        assert time.monotonic() - began < 10


def test_so_many_at_once_and_those_who_watch_come_in_all_the_same(
    towers: Towers, service: Service
) -> None:
    service.latency = 1.5
    llm = {"name": "openai", "model": "m", "base_url": service.base_url, "api_key": "k"}
    with application(towers, llm=llm, limits={**MANY, "concurrency": 1}) as app:
        first = threading.Thread(target=app.ask)
        first.start()
        deadline = time.monotonic() + 10
        while not service.requests and time.monotonic() < deadline:
            time.sleep(0.02)
        busy = app.search()
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
        assert busy.json()["error"]["code"] == "busy"
        assert app.get("/health").status_code == app.get("/ready").status_code == 200
        first.join()
        assert app.search().status_code == 200


@pytest.mark.slow
def test_a_client_that_goes_away_ends_the_paid_call(towers: Towers, service: Service) -> None:
    service.script = [Answer(200, b"", hang=True), Answer(200, b"", hang=True)]
    llm = {"name": "openai", "model": "m", "base_url": service.base_url, "api_key": "k"}
    body = {"model": "guide", "messages": [{"role": "user", "content": TALL}]}
    with listening(towers, llm=llm) as found:
        for stream in (False, True):
            url, sent = f"{found.url}/v1/chat/completions", {**body, "stream": stream}
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(url, json=sent, timeout=1.0)
        deadline = time.monotonic() + 10
        while service.under_way and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(service.requests) == 2
        assert service.under_way == 0


@pytest.mark.slow
def test_a_stream_has_an_end_when_the_application_ends(towers: Towers) -> None:
    body = {
        "model": "guide",
        "messages": [{"role": "user", "content": TALL}],
        "stream": True,
    }

    async def endless(*_: object) -> AsyncIterator[str]:
        while True:
            yield "word "
            await asyncio.sleep(0.1)

    with listening(towers) as found:
        found.app.state.services.engine.stream = endless
        with httpx.stream("POST", f"{found.url}/v1/chat/completions", json=body) as response:
            parts = response.iter_text()
            assert "assistant" in next(parts)
            began = time.monotonic()
            found.server.should_exit = True
            rest = "".join(parts)
        assert "shutting_down" in rest
        assert rest.endswith("data: [DONE]\n\n")
        assert time.monotonic() - began < 5


def test_a_stream_ends_at_its_deadline_with_words(towers: Towers) -> None:
    async def endless(*_: object) -> AsyncIterator[str]:
        while True:
            yield "word "
            await asyncio.sleep(0.05)

    with application(towers, limits={**MANY, "seconds": 0.5}) as app:
        app.services.engine.stream = endless
        text = app.ask(stream=True).text
    assert '"code":"timeout"' in text
    assert text.endswith("data: [DONE]\n\n")


def test_limits_are_those_of_the_config(towers: Towers) -> None:
    with application(towers, limits={**MANY, "body_kb": 1}) as app:
        assert app.search("x" * 900).status_code == 200
        too_large(app)


def too_large(app: App) -> None:
    response = app.search("x" * 1_100)
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.slow
def test_silent_connections_keep_nobody_out(towers: Towers) -> None:
    """More of them than there may be connections; a client that talks keeps its own."""
    with listening(towers, limits={**MANY, "concurrency": 1}) as served, ExitStack() as stack:
        client = stack.enter_context(httpx.Client(base_url=served.url, timeout=30))
        assert client.get("/health").status_code == 200
        address = ("127.0.0.1", served.port)
        silent = []
        for _ in range(3):
            silent += [
                stack.enter_context(socket.create_connection(address, 30)) for _ in range(90)
            ]
            served.accepted(silent[-1])  # else the client may be the one that is silent longest
            assert client.get("/health").status_code == 200
        assert httpx.get(f"{served.url}/health", timeout=30).status_code == 200
        assert silent[0].recv(1) == b""
        silent[-1].sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert silent[-1].recv(12) == b"HTTP/1.1 200"
