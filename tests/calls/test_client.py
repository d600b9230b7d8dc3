"""The promises of the client, against a server that misbehaves on purpose."""

import asyncio
import json
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, ClassVar

import pytest

from llmops.tasks.calls.client import LlmClient
from llmops.tasks.endpoints.trouble import hidden
from llmops.tasks.errors import DocumentError, TransientDocumentError, Unavailable
from llmops.tasks.plugins.llms import Connection, Llm, Message, Reply, Request
from llmops.tasks.plugins.llms.extractive import ExtractiveLlm
from llmops.tasks.plugins.llms.openai import OpenAILlm
from tests.llm_faults import (
    CUT,
    MALFORMED,
    OTHER_TYPE,
    PAGE,
    SILENT,
    Answer,
    Faults,
    broken,
    limited,
)
from tests.openai_server import Service, serving

KEY = "sk-sesame-open-1234567890"


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as found:
        yield found


def model(service: Service, **options: Any) -> OpenAILlm:
    return OpenAILlm(**{"model": "small", "base_url": service.base_url, "api_key": KEY, **options})


def asked(
    llm: Llm, texts: Sequence[str], at_once: int = 32, **extra: Any
) -> list[Reply | BaseException]:
    """The replies or errors, in order."""

    async def all_of_them() -> list[Reply | BaseException]:
        free = asyncio.Semaphore(at_once)

        async def one(client: LlmClient, text: str) -> Reply:
            async with free:
                return await client.ask(
                    Request(messages=(Message(role="user", content=text),), **extra)
                )

        async with LlmClient(llm) as client:
            return await asyncio.gather(
                *(one(client, text) for text in texts), return_exceptions=True
            )

    return asyncio.run(all_of_them())


def text(reply: Reply | BaseException) -> str:
    assert isinstance(reply, Reply), reply
    return reply.text


@pytest.mark.parametrize("stream", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_fifth_of_429_and_a_twentieth_of_500_lose_no_case(service: Service, stream: bool) -> None:
    service.faults = Faults(limited=0.2, broken=0.05, seed=3)
    cases = [f"case {number}" for number in range(500)]
    replies = asked(model(service, stream=stream), cases)
    assert [text(reply) for reply in replies] == cases
    assert set(service.answered.values()) == {1}
    assert len(service.answered) == 500
    attempts = sum(reply.attempts for reply in replies if isinstance(reply, Reply))
    assert attempts == len(service.requests) == sum(service.received.values()) > 600


@pytest.mark.slow
def test_as_many_requests_are_under_way_as_are_asked(service: Service) -> None:
    assert text(asked(model(service), ["the first goes alone"])[0])
    service.gathered, before = 64, service.connections
    replies = asked(model(service), [str(number) for number in range(256)], 64)
    assert [text(reply) for reply in replies] == [str(number) for number in range(256)]
    assert service.most == 64
    assert service.connections - before <= 64  # they are kept
    assert all(isinstance(reply, Reply) and reply.latency_ms > 0 for reply in replies)


def test_a_wrong_key_makes_one_request_and_is_not_said_aloud(service: Service) -> None:
    service.key = "another"
    errors = asked(model(service), [str(number) for number in range(500)], 64)
    assert {type(error) for error in errors} == {Unavailable}
    assert len(service.requests) == 1
    assert {str(error) for error in errors} == {
        f"{service.base_url}/chat/completions answered 401: Incorrect API key provided: … "
        f"(check api_key: it is missing, wrong or expired)"
    }
    service.key = KEY
    assert text(asked(model(service), ["again"])[0]) == "again"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(401, json.dumps({"error": {"message": f"bad key {KEY}"}}).encode()),
        Answer(400, f"you sent {KEY}".encode()),
        Answer(500, json.dumps({"error": KEY}).encode()),
        Answer(200, f"<html>{KEY}".encode()),
        Answer(200, f"no {KEY}".encode()),
        Answer(200, json.dumps({"error": {"message": KEY}}).encode()),
        Answer(200, json.dumps({"odd": KEY}).encode()),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_keys_are_in_no_error(service: Service, answer: Answer, stream: bool) -> None:
    service.script = [answer] * 3
    (error,) = asked(model(service, retries=0, stream=stream), ["hello"])
    assert isinstance(error, DocumentError | Unavailable)
    assert KEY not in "".join(traceback.format_exception(error))


def test_passwords_of_an_address_are_in_no_error() -> None:
    """Also not in words of others, who may repeat one."""
    assert (
        hidden("moved to http://user:sesame@127.0.0.1:9/v1", None)
        == "moved to http://…@127.0.0.1:9/v1"
    )


@pytest.mark.slow
def test_one_that_is_never_answered_is_the_trouble_of_that_one(service: Service) -> None:
    class Deaf(Faults):
        def draw(self, question: str) -> Answer | None:
            return SILENT if '"b"' in question else None

    service.faults = Deaf()
    first, second, third = asked(model(service, timeout=0.5, retries=1), ["a", "b", "c"], 1)
    assert (text(first), text(third)) == ("a", "c")
    assert isinstance(second, TransientDocumentError)
    assert str(second) == "small gave no answer within 0.5 s; tried 2 times"


@pytest.mark.parametrize(
    "answer", [CUT, MALFORMED, OTHER_TYPE, broken(), broken(503), broken(529), broken(408)]
)
def test_an_accident_is_made_good(service: Service, answer: Answer) -> None:
    service.script = [answer]
    (reply,) = asked(model(service), ["hello"])
    assert isinstance(reply, Reply)
    assert (reply.text, reply.attempts, len(service.requests)) == ("hello", 2, 2)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_not_sent_again_and_stops_no_other(
    service: Service, status: int
) -> None:
    service.script = [Answer(status)]
    first, second = asked(model(service), ["a", "b"], 1)
    assert isinstance(first, DocumentError)
    assert not first.retryable
    assert text(second) == "b"
    assert len(service.requests) == 2


@pytest.mark.parametrize("answer", [Answer(403), Answer(404), PAGE])
def test_where_none_will_succeed_none_is_sent_any_more(service: Service, answer: Answer) -> None:
    service.script = [answer] * 9
    errors = asked(model(service), ["a", "b", "c"], 1)
    assert [type(error) for error in errors] == [Unavailable] * 3
    assert len(service.requests) == 1


def test_with_no_retries_nothing_is_sent_again(service: Service) -> None:
    service.script = [None, limited(0), broken(), MALFORMED]
    replies = asked(model(service, retries=0), ["a", "b", "c", "d"], 1)
    assert [type(reply) for reply in replies] == [Reply, *[TransientDocumentError] * 3]
    assert len(service.requests) == 4


def test_an_answer_after_a_given_moment_is_waited_for(service: Service) -> None:
    service.script = [
        limited("Wed, 21 Oct 2015 07:28:00 GMT"),
        limited("0.05"),
        limited(None, x_ratelimit_remaining_tokens="0", x_ratelimit_reset_tokens="50ms"),
    ]
    (reply,) = asked(model(service), ["hello"])
    assert isinstance(reply, Reply)
    assert (reply.text, reply.attempts) == ("hello", 4)


def test_a_longer_wait_than_its_patience_ends_the_run(service: Service) -> None:
    service.script = [limited(7200)]
    (error,) = asked(model(service), ["hello"])
    assert isinstance(error, Unavailable)
    assert "asks to wait 7200 s; tried 1 times, the patience of 600 s is used up" in str(error)


def test_a_schema_is_sent_and_followed(service: Service) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}, "sure": {"type": "boolean"}},
        "required": ["answer", "sure"],
    }
    (reply,) = asked(model(service), ["hello"], output=schema)
    assert json.loads(text(reply)) == {"answer": "hello", "sure": True}
    assert service.requests[0][1]["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "reply",
            "strict": True,
            "schema": {**schema, "additionalProperties": False},
        },
    }
    for mode, sent in (("object", {"type": "json_object"}), ("off", None)):
        asked(model(service, json_mode=mode), ["hello"], output=schema)
        assert service.requests[-1][1].get("response_format") == sent


class InProcess(ExtractiveLlm):
    """One that runs here, and says how many are at it."""

    @property
    def one_at_a_time(self) -> bool:
        return True

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        return nullcontext(Counting())


class Counting(Connection):
    busy: ClassVar[list[int]] = [0]

    async def ask(self, request: Request) -> Reply:
        self.busy.append(self.busy[-1] + 1)
        await asyncio.sleep(0.05)
        self.busy.append(self.busy[-1] - 1)
        return Reply(text="yes")


def test_models_of_this_process_wait_for_each_other_before_their_time_counts() -> None:
    llm = InProcess(timeout=0.2)
    replies = asked(llm, [f"case {number}" for number in range(8)])
    assert [text(reply) for reply in replies] == ["yes"] * 8
    assert max(Counting.busy) == 1
    assert max(reply.latency_ms for reply in replies if isinstance(reply, Reply)) < 200
