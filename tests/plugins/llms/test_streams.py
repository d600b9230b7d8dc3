"""Replies in pieces: whole or not at all."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest

from llmops.tasks.calls.client import LlmClient
from llmops.tasks.errors import DocumentError, TransientDocumentError
from llmops.tasks.plugins.llms import Message, Reply, Request
from llmops.tasks.plugins.llms.extractive import ExtractiveLlm
from llmops.tasks.plugins.llms.openai import OpenAILlm
from tests.llm_faults import SILENT, Answer, broken, events, streamed, tool_call
from tests.openai_server import Service, serving

REQUEST = Request(messages=(Message(role="user", content="one two three"),))


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as found:
        yield found


def model(service: Service, **options: Any) -> OpenAILlm:
    return OpenAILlm(**{"model": "small", "base_url": service.base_url, "stream": True, **options})


def ask(llm: OpenAILlm, request: Request = REQUEST) -> Reply:
    async def once() -> Reply:
        async with LlmClient(llm) as client:
            return await client.ask(request)

    return asyncio.run(once())


def stream(llm: OpenAILlm | ExtractiveLlm, most: int = 99) -> list[str | Reply]:
    async def all_of_them() -> list[str | Reply]:
        found: list[str | Reply] = []
        async with LlmClient(llm) as client, aclosing(client.stream(REQUEST)) as stream:
            async for piece in stream:
                found.append(piece)
                if len(found) == most:
                    break
        return found

    return asyncio.run(all_of_them())


def pieces(llm: OpenAILlm | ExtractiveLlm, most: int = 99) -> list[str]:
    return [piece for piece in stream(llm, most) if isinstance(piece, str)]


def cut(whole: Answer, share: float) -> Answer:
    return whole._replace(cut=int(len(whole.body) * share))


def test_a_streamed_reply_is_the_same_as_a_plain_one(service: Service) -> None:
    streaming, plain = ask(model(service)), ask(model(service, stream=False))
    assert streaming.model_copy(update={"latency_ms": 0}) == plain.model_copy(
        update={"latency_ms": 0}
    )
    assert (streaming.text, streaming.tokens_in, streaming.tokens_out) == ("one two three", 3, 3)
    assert service.requests[0][1]["stream_options"] == {"include_usage": True}


def test_text_comes_in_pieces(service: Service) -> None:
    assert pieces(model(service)) == ["one", " two", " three"]
    assert pieces(model(service), 2) == ["one", " two"]  # a reader may leave
    assert pieces(ExtractiveLlm()) == ["I", " don't", " know."]


def test_a_stream_ends_with_the_reply_and_what_it_used(service: Service) -> None:
    for llm in (model(service), ExtractiveLlm()):
        *text, reply = stream(llm)
        assert isinstance(reply, Reply)
        assert (reply.text, reply.attempts) == ("".join(map(str, text)), 1)
        assert reply.tokens_in == 3
        assert reply.tokens_out >= 3
        assert reply.latency_ms > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        cut(streamed("one", " two"), 0.5),
        streamed("one", " two", finish=None, done=False),
        SILENT,
        broken(),
        Answer(
            200,
            events(
                {"choices": [{"delta": {"content": "one"}}]}, {"error": {"message": "overloaded"}}
            ),
            {},
            "text/event-stream",
        ),
        Answer(
            200,
            events({"choices": [{"delta": {"content": "one"}}]}) + b'data: {"cho\n\n',
            {},
            "text/event-stream",
        ),
    ],
)
def test_a_cut_stream_is_asked_for_again(service: Service, answer: Answer) -> None:
    service.script = [None, answer]
    assert ask(model(service)).text == "one two three"
    reply = ask(model(service, timeout=0.5 if answer is SILENT else 60))
    assert (reply.text, reply.attempts, len(service.requests)) == ("one two three", 2, 3)


def test_a_stream_that_is_always_cut_is_an_error_never_a_short_answer(service: Service) -> None:
    service.script = [streamed("one", finish=None, done=False)] * 9
    with pytest.raises(
        TransientDocumentError,
        match="ended its stream before the reply was complete; tried 2 times",
    ):
        ask(model(service, retries=1))


def test_pieces_that_were_given_are_not_given_twice(service: Service) -> None:
    service.script = [broken(), streamed("one", " two", finish=None, done=False)]
    with pytest.raises(TransientDocumentError, match="a part of the text had been received"):
        pieces(model(service))
    assert len(service.requests) == 2  # before the first piece it was tried again, after it not


def test_a_stream_may_end_either_way(service: Service) -> None:
    for answer in (
        streamed("one", finish="stop", done=False),
        streamed("one", finish=None),
        streamed("o", "ne", finish="length"),
    ):
        service.script = [answer]
        reply = ask(model(service))
        assert (reply.text, reply.attempts) == ("one", 1)
    assert reply.finish == "length"


def test_a_service_that_does_not_stream_is_understood(service: Service) -> None:
    service.script = [
        Answer(
            200, b'{"choices": [{"message": {"content": "whole"}}], "usage": {"prompt_tokens": 4}}'
        )
    ] * 2
    reply = ask(model(service))
    assert (reply.text, reply.tokens_in) == ("whole", 4)
    assert pieces(model(service)) == ["whole"]


def test_functions_and_refusals_come_in_pieces_too(service: Service) -> None:
    service.reply = lambda messages: tool_call("weather", city="Oslo")
    reply = ask(model(service))
    assert [(call.name, call.arguments) for call in reply.tool_calls] == [
        ("weather", '{"city": "Oslo"}')
    ]
    assert (reply.text, reply.finish) == ("", "tool_calls")
    halves = [{"choices": [{"delta": {"refusal": half}}]} for half in ("I can", "not.")]
    service.script = [Answer(200, events(*halves, "[DONE]"), {}, "text/event-stream")]
    with pytest.raises(DocumentError, match=r"the model refuses: I cannot\."):
        ask(model(service))
