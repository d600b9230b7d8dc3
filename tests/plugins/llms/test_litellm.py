"""LiteLLM against a real server: quiet, without retries of its own, its errors as ours."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.calls.client import LlmClient
from llmops.tasks.endpoints.trouble import Withheld
from llmops.tasks.errors import (
    ConfigError,
    DocumentError,
    LlmopsError,
    TransientDocumentError,
    Unavailable,
)
from llmops.tasks.plugins import Spec, find
from llmops.tasks.plugins.llms import Llm, Message, Reply, Request
from llmops.tasks.plugins.llms.litellm import LiteLLMLlm
from tests.llm_faults import (
    EMPTY_QUOTA,
    MALFORMED,
    SILENT,
    Answer,
    Faults,
    broken,
    limited,
    tool_call,
)
from tests.openai_server import Service, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
]
KEY = "sk-sesame-open-1234567890"
TOOLS: tuple[dict[str, Any], ...] = (
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}},
)


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as found:
        yield found


def model(service: Service, **options: Any) -> LiteLLMLlm:
    return LiteLLMLlm(
        **{"model": "openai/small", "base_url": service.base_url, "api_key": KEY, **options}
    )


def ask(llm: Llm, *texts: str, **extra: Any) -> list[Reply | BaseException]:
    async def all_of_them() -> list[Reply | BaseException]:
        async with LlmClient(llm) as client:
            requests = [
                Request(messages=(Message(role="user", content=text),), **extra) for text in texts
            ]
            return await asyncio.gather(*map(client.ask, requests), return_exceptions=True)

    return asyncio.run(all_of_them())


def test_a_reply_with_its_tokens_in_one_event_loop_after_the_other(service: Service) -> None:
    for _ in range(2):
        (reply,) = ask(
            model(service, max_tokens=7, parameters={"seed": 3}),
            "hello there",
            parameters={"top_p": 0.5},
        )
        assert isinstance(reply, Reply)
        assert (reply.text, reply.tokens_in, reply.tokens_out, reply.finish) == (
            "hello there",
            2,
            2,
            "stop",
        )
    body = service.requests[0][1]
    assert {
        name: body[name] for name in ("model", "temperature", "max_tokens", "seed", "top_p")
    } == {"model": "small", "temperature": 0.0, "max_tokens": 7, "seed": 3, "top_p": 0.5}
    assert service.requests[0][2] == f"Bearer {KEY}"


def test_faults_lose_no_case_and_litellm_tries_nothing_again_itself(service: Service) -> None:
    service.faults = Faults(limited=0.2, broken=0.05, seed=5)
    cases = [f"case {number}" for number in range(40)]
    replies = ask(model(service), *cases)
    assert [reply.text for reply in replies if isinstance(reply, Reply)] == cases
    assert (
        len(service.requests)
        == sum(reply.attempts for reply in replies if isinstance(reply, Reply))
        > 40
    )


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (
            Answer(401, f'{{"error": {{"message": "bad key {KEY}"}}}}'.encode()),
            Unavailable,
            "401: .*check api_key",
        ),
        (Answer(404), Unavailable, "404: .*check model"),
        (EMPTY_QUOTA, Unavailable, "pay first"),
        (
            Answer(400, b'{"error": {"message": "context length exceeded"}}'),
            DocumentError,
            "context length exceeded",
        ),
        (limited(), TransientDocumentError, "429"),
        (broken(), TransientDocumentError, "500"),
        (MALFORMED, TransientDocumentError, "small"),
        (SILENT, TransientDocumentError, "within 1 s|[Tt]imed? ?out"),
        (
            Answer(
                200,
                b'{"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}',
            ),
            Withheld,
            "content_filter",
        ),
    ],
)
def test_errors_are_ours(
    service: Service, answer: Answer, error: type[Exception], says: str
) -> None:
    service.script = [answer] * 3
    (found,) = ask(model(service, retries=0, timeout=1 if answer is SILENT else 60), "hello")
    assert type(found) is error
    import re

    assert re.search(says, str(found))
    assert KEY not in str(found)
    assert len(service.requests) == 1


def test_nobody_answers_and_an_unknown_provider() -> None:
    for options, says in (
        ({"model": "openai/small", "base_url": "http://127.0.0.1:9/v1"}, "cannot be reached"),
        ({"model": "nonsense/small"}, "Provider NOT provided"),
    ):
        (found,) = ask(LiteLLMLlm(**{"api_key": KEY, "retries": 0, **options}), "hello")
        assert isinstance(found, Unavailable)
        assert says in str(found)


def test_schemas_functions_and_pieces(service: Service) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
    }
    (reply,) = ask(model(service), "hello", output=schema)
    assert isinstance(reply, Reply)
    assert reply.text == '{"answer": "hello"}'
    service.reply = lambda messages: tool_call("weather", city="Oslo")
    (called,) = ask(model(service), "hello", tools=TOOLS)
    assert isinstance(called, Reply)
    assert [(call.name, call.arguments) for call in called.tool_calls] == [
        ("weather", '{"city": "Oslo"}')
    ]

    async def pieces() -> list[str | Reply]:
        async with LlmClient(model(service)) as client:
            return [
                piece
                async for piece in client.stream(
                    Request(messages=(Message(role="user", content="hello"),))
                )
            ]

    service.reply = lambda messages: "a whole text"
    assert asyncio.run(pieces())[:-1] == ["a whole text"]


LOADING = """
import socket, sys
def refused(*args): raise AssertionError(f"a connection was tried: {args[1:]}")
socket.socket.connect = socket.socket.connect_ex = refused
socket.getaddrinfo = refused
from llmops.tasks.plugins.llms.litellm import _library
assert _library().suppress_debug_info
"""


def test_loading_it_fetches_nothing_prints_nothing_and_reads_no_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("STRAY_SETTING=1\n")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("LITELLM")
    }
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    code = LOADING + "import os; assert 'STRAY_SETTING' not in os.environ"
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_the_library_the_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmops.tasks.plugins.find_spec", lambda module: None)
    find.cache_clear()
    try:
        with pytest.raises(
            ConfigError,
            match=r"litellm needs a library .*pip install 'llmops-pipelines\[litellm\]'",
        ):
            Spec(name="litellm", options={"model": "openai/small"}).build(Llm)
    finally:
        find.cache_clear()
    assert issubclass(ConfigError, LlmopsError)
