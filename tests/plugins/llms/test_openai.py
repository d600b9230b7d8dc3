"""The OpenAI-compatible language model against a real HTTP server."""

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from llmops.tasks.calls.client import LlmClient
from llmops.tasks.calls.prices import cost_of, shipped_price
from llmops.tasks.errors import DocumentError, TransientDocumentError, Unavailable
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import Llm, Message, Reply, Request, ToolCall
from llmops.tasks.plugins.llms.openai import OpenAILlm
from tests.llm_asked import complete
from tests.llm_faults import EMPTY_QUOTA, PAGE, limited, tool_call
from tests.openai_server import Answer, Service, serving

HELLO = [Message(role="system", content="Be brief."), Message(role="user", content="hello there")]
NOW = {"Retry-After": "0"}


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as found:
        yield found


def ask(llm: Llm, request: Request) -> Reply:
    async def once() -> Reply:
        async with LlmClient(llm) as client:
            return await client.ask(request)

    return asyncio.run(once())


def model(service: Service, **options: object) -> Llm:
    return Spec.model_validate(
        {"name": "openai", "model": "small", "base_url": service.base_url, **options}
    ).build(Llm)


def test_a_reply_and_what_it_cost(service: Service) -> None:
    llm = model(service, api_key="sesame", price_in=1.0, price_out=10.0)
    service.key = "sesame"
    reply = complete(llm, HELLO, structured=True)
    assert (reply.text, reply.tokens_in, reply.tokens_out) == ("hello there", 4, 2)
    assert cost_of(shipped_price(llm), reply.tokens_in, reply.tokens_out) == pytest.approx(
        (4 * 1 + 2 * 10) / 1e6
    )
    ((path, body, authorization),) = service.requests
    assert (path, authorization) == ("/v1/chat/completions", "Bearer sesame")
    messages = [message.model_dump(include={"role", "content"}) for message in HELLO]
    assert body == {
        "model": "small",
        "messages": messages,
        "temperature": 0.0,
        "response_format": {"type": "json_object"},
    }


def test_parameters_are_left_out_where_a_server_does_not_know_them(service: Service) -> None:
    complete(
        model(service, temperature=None, json_mode=False, max_tokens=9), HELLO, structured=True
    )
    assert set(service.requests[0][1]) == {"model", "messages", "max_tokens"}
    complete(
        model(
            service, max_tokens_name="max_completion_tokens", max_tokens=9, parameters={"seed": 7}
        ),
        HELLO,
    )
    body = service.requests[1][1]
    assert (body["max_completion_tokens"], body["seed"], "max_tokens" in body) == (9, 7, False)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(service: Service, status: int) -> None:
    service.script = [Answer(status, headers=NOW), Answer(status, headers=NOW)]
    assert complete(model(service), HELLO).text == "hello there"
    assert len(service.requests) == 3


def test_it_gives_up_after_the_last_retry(service: Service) -> None:
    service.script = [Answer(503, b'{"error": {"message": "overloaded"}}', NOW)] * 9
    with pytest.raises(TransientDocumentError, match="answered 503: overloaded; tried 3 times"):
        complete(model(service, retries=2), HELLO)
    assert len(service.requests) == 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            Answer(401, b'{"error": {"message": "Incorrect API key"}}'),
            "401: Incorrect API key .*check api_key",
        ),
        (Answer(403), "403: .*may not use this model"),
        (
            Answer(404, b'{"error": {"message": "no model small"}}'),
            "404: no model small .*check model and base_url",
        ),
        (EMPTY_QUOTA, "429: pay first .*quota of api_key is used up"),
        (Answer(402), "402: .*no money left"),
        (Answer(301), "301: .*check base_url"),
        (
            Answer(400, b'{"error": {"message": "No temperature", "code": "unsupported_value"}}'),
            "No temperature .*temperature: null",
        ),
        (PAGE, "text/html, a JSON object is wanted.*ends with /v1"),
        (Answer(200, b"<html>hi"), "a JSON object is wanted.*ends with /v1"),
    ],
)
def test_what_will_not_pass_is_said_at_once(service: Service, answer: Answer, message: str) -> None:
    service.script = [answer] * 9
    with pytest.raises(Unavailable, match=message):
        complete(model(service), HELLO)
    assert len(service.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(200, b'{"object": "list"}'), "without choices"),
        (Answer(200, b'{"choices": []}'), "without choices"),
        (Answer(200, b"\xff\xfe\x00", {}, "application/json"), "a JSON object is wanted"),
        (Answer(200, b"[]"), "a JSON object is wanted"),
        (Answer(200, b'{"choices": [{"message": {"content": 7}}]}'), "without choices"),
    ],
)
def test_what_cannot_be_read_is_asked_for_once_more(
    service: Service, answer: Answer, message: str
) -> None:
    service.script = [answer, None]
    assert complete(model(service), HELLO).text == "hello there"
    service.script = [answer, answer, None]
    with pytest.raises(TransientDocumentError, match=message):
        complete(model(service), HELLO)
    service.script = [answer, answer, None]
    with pytest.raises(Unavailable, match=f"{message}.*ends with /v1"):
        complete(
            model(service, model="never-heard-of"), HELLO
        )  # nothing ever came from this one: rather a wrong address
    assert len(service.requests) == 2 + 2 + 2


def test_refused_messages_are_the_trouble_of_one_document(service: Service) -> None:
    service.script = [Answer(400, b'{"error": {"message": "context length exceeded"}}')]
    with pytest.raises(DocumentError, match="context length exceeded"):
        complete(model(service), HELLO)
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [400, 500])
def test_a_form_of_json_that_a_server_does_not_know_is_no_accident(
    service: Service, status: int
) -> None:
    """llama-cpp-python's server says so with 500."""
    said = "1 validation error: ('body', 'response_format', 'type') should be 'json_object'"
    service.script = [Answer(status, json.dumps({"error": {"message": said}}).encode())] * 2
    with pytest.raises(DocumentError, match=r"response_format.*\(json_mode: object_schema, "):
        complete(model(service), HELLO, structured=True)
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            {"message": {"content": "", "refusal": "I cannot help."}, "finish_reason": "stop"},
            "the model refuses: I cannot help",
        ),
        (
            {"message": {"content": "Well"}, "finish_reason": "content_filter"},
            "withheld the reply: content_filter",
        ),
    ],
)
def test_a_refusal_is_the_trouble_of_one_document(
    service: Service, choice: dict[str, Any], message: str
) -> None:
    service.script = [Answer(200, json.dumps({"choices": [choice]}).encode())]
    with pytest.raises(DocumentError, match=message):
        complete(model(service), HELLO)
    assert len(service.requests) == 1


def test_a_reply_that_was_cut_says_so_and_parts_are_joined(service: Service) -> None:
    choice = {
        "message": {"content": [{"type": "text", "text": "half"}, {"type": "text", "text": " a"}]},
        "finish_reason": "length",
    }
    service.script = [Answer(200, json.dumps({"choices": [choice]}).encode())]
    reply = complete(model(service), HELLO)
    assert (reply.text, reply.finish, reply.tokens_out) == ("half a", "length", 0)


def test_functions_are_offered_and_called(service: Service) -> None:
    service.reply = lambda messages: (
        tool_call("weather", city="Oslo")
        if messages[-1]["role"] == "user"
        else f"It is {messages[-1]['content']}."
    )
    tools = (
        {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}},
    )
    wanted = ask(model(service), Request(messages=tuple(HELLO), tools=tools))
    assert (wanted.text, wanted.finish, wanted.tool_calls) == (
        "",
        "tool_calls",
        (ToolCall(id="call_weather", name="weather", arguments='{"city": "Oslo"}'),),
    )
    answered = (
        *HELLO,
        Message(role="assistant", content="", tool_calls=wanted.tool_calls),
        Message(role="tool", content="cold", tool_call_id="call_weather"),
    )
    assert ask(model(service), Request(messages=answered, tools=tools)).text == "It is cold."
    assert service.requests[1][1]["messages"][2:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": "call_weather",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
                }
            ],
        },
        {"role": "tool", "content": "cold", "tool_call_id": "call_weather"},
    ]
    assert service.requests[0][1]["tools"] == list(tools)


def test_parameters_of_a_request_go_first(service: Service) -> None:
    request = Request(
        messages=tuple(HELLO), parameters={"temperature": None, "top_p": 0.5, "max_tokens": 3}
    )
    ask(
        model(service, temperature=0.7, max_tokens=9, parameters={"top_p": 0.9, "seed": 1}), request
    )
    body = service.requests[0][1]
    assert {key: body[key] for key in body if key not in ("model", "messages")} == {
        "top_p": 0.5,
        "seed": 1,
        "max_tokens": 3,
    }


def test_a_request_that_comes_again_can_be_recognised(service: Service) -> None:
    service.script = [limited(0), None]
    request = Request(messages=tuple(HELLO))
    for one in (
        request,
        request,
        request.model_copy(update={"repeat": 1}),
        Request(messages=tuple(HELLO[:1])),
    ):
        ask(model(service), one)
    keys = [headers["idempotency-key"] for headers in service.headers]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 3


def test_nobody_answers() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        llm = OpenAILlm(
            model="small", base_url=f"http://127.0.0.1:{unused.getsockname()[1]}/v1", retries=0
        )
        with pytest.raises(Unavailable, match=r"cannot be reached: ConnectError.*tried 1 times"):
            complete(llm, HELLO)
