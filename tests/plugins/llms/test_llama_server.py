"""The server of llama-cpp-python as an endpoint: another program that speaks OpenAI's API."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from llmops.flows.demo.model import packaged
from llmops.tasks.calls.client import LlmClient
from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import Llm, Message, Reply, Request
from tests.local_model import NEEDS_MODEL

STARTS = 60.0
ITS_OWN = "starlette_context"
pytestmark = [
    pytest.mark.slow,
    NEEDS_MODEL,
    pytest.mark.skipif(
        find_spec(ITS_OWN) is None,
        reason="no server of llama.cpp here: pip install 'llama-cpp-python[server]'",
    ),
]
QUESTION = (Message(role="user", content="What is the capital of France?"),)
AGE = {
    "type": "object",
    "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 120}},
    "required": ["age"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its base_url."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as file:
        process = subprocess.Popen(command(port), stdout=file, stderr=file)
    try:
        yield answering(port, log)
    finally:
        process.terminate()
        process.wait(20)


def command(port: int) -> list[str]:
    options = {"model": packaged(), "model_alias": "small", "n_ctx": 512, "port": port}
    options |= {"n_threads": 1, "n_threads_batch": 1, "host": "127.0.0.1"}
    given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return [sys.executable, "-m", "llama_cpp.server", *given]


def answering(port: int, log: Path) -> str:
    url, until = f"http://127.0.0.1:{port}/v1", time.monotonic() + STARTS
    while time.monotonic() < until:
        try:
            httpx.get(f"{url}/models", timeout=5).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return url
    raise AssertionError(log.read_text())


def model(url: str, **options: Any) -> Llm:
    given = {"model": "small", "base_url": url, "max_tokens": 12, **options}
    return Spec(name="openai", options=given).build(Llm)


def ask(llm: Llm, messages: Sequence[Message] = QUESTION, **more: Any) -> Reply:
    async def once() -> Reply:
        async with LlmClient(llm) as client:
            return await client.ask(Request(messages=tuple(messages), **more))

    return asyncio.run(once())


def test_it_answers_whole_and_in_pieces(server: str) -> None:
    whole = ask(model(server))
    assert whole.tokens_in > whole.tokens_out > 3

    async def pieces() -> list[str | Reply]:
        asked = Request(messages=QUESTION)
        async with LlmClient(model(server)) as client, aclosing(client.stream(asked)) as stream:
            return [piece async for piece in stream]

    *text, last = asyncio.run(pieces())
    assert isinstance(last, Reply)
    assert last.text == "".join(map(str, text)) == whole.text
    assert len([each for each in text if each]) > 3


def test_its_json_follows_a_schema_where_it_is_asked_in_its_form(server: str) -> None:
    in_its_form = model(server, json_mode="object_schema", max_tokens=30)
    assert isinstance(json.loads(ask(in_its_form, output=AGE).text)["age"], int)
    assert ask(model(server, json_mode="object"), output=AGE).text.lstrip().startswith("{")
    with pytest.raises(DocumentError, match=r"response_format.*json_mode: object_schema"):
        ask(model(server), output=AGE)  # it answers 500: no accident that is tried again


def test_a_prompt_that_is_too_long_is_the_trouble_of_one_document(server: str) -> None:
    with pytest.raises(DocumentError, match="maximum context length is 512"):
        ask(model(server), [Message(role="user", content="number " * 600)])
