"""The OpenAI-compatible language model against a real HTTP server."""

import socket
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from tasks.errors import DocumentError, Unavailable
from tasks.llms import Llm, Message
from tasks.llms._endpoint import retry_after
from tasks.llms.openai import OpenAi
from tasks.plugins import Spec
from tests.openai_server import Answer, Service, serving

HELLO = [Message(role="system", content="Be brief."), Message(role="user", content="hello there")]
NOW = {"Retry-After": "0"}


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as found:
        yield found


def model(service: Service, **options: object) -> Llm:
    return Spec.model_validate({"name": "openai", "model": "small", "base_url": service.base_url, **options}).build(Llm)


def test_a_reply_and_what_it_cost(service: Service) -> None:
    llm = model(service, api_key="sesame", price_in=1.0, price_out=10.0)
    service.key = "sesame"
    reply = llm.complete(HELLO, structured=True)
    assert (reply.text, reply.tokens_in, reply.tokens_out) == ("hello there", 4, 2)
    assert llm.cost(reply) == pytest.approx((4 * 1 + 2 * 10) / 1e6)
    (path, body, authorization), = service.requests
    assert (path, authorization) == ("/v1/chat/completions", "Bearer sesame")
    assert body == {"model": "small", "messages": [message.model_dump() for message in HELLO], "temperature": 0.0,
                    "response_format": {"type": "json_object"}}


def test_parameters_are_left_out_where_a_server_does_not_know_them(service: Service) -> None:
    model(service, temperature=None, json_mode=False, max_tokens=9).complete(HELLO, structured=True)
    assert set(service.requests[0][1]) == {"model", "messages", "max_tokens"}


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(service: Service, status: int) -> None:
    service.script = [Answer(status, headers=NOW), Answer(status, headers=NOW)]
    assert model(service).complete(HELLO).text == "hello there"
    assert len(service.requests) == 3


def test_it_gives_up_after_the_last_retry(service: Service) -> None:
    service.script = [Answer(503, b'{"error": {"message": "overloaded"}}', NOW)] * 9
    with pytest.raises(Unavailable, match="answered 503: overloaded; tried 3 times"):
        model(service, retries=2).complete(HELLO)
    assert len(service.requests) == 3


@pytest.mark.parametrize(("answer", "message"), [
    (Answer(401, b'{"error": {"message": "Incorrect API key"}}'), "401: Incorrect API key .*check api_key"),
    (Answer(403), "403: .*may not use this model"),
    (Answer(404, b'{"error": {"message": "no model small"}}'), "404: no model small .*check model and base_url"),
    (Answer(429, b'{"error": {"message": "pay", "code": "insufficient_quota"}}', NOW), "429"),
    (Answer(200, b"<html>Welcome</html>", {}, "text/html"), "text/html, a JSON object is wanted.*ends with /v1"),
    (Answer(200, b'{"object": "list"}'), "without choices"), (Answer(200, b'{"choices": []}'), "without choices"),
    (Answer(200, b"\xff\xfe\x00", {}, "application/json"), "a JSON object is wanted"), (Answer(200, b"[]"), "a JSON object is wanted")])
def test_what_will_not_pass_is_said_at_once(service: Service, answer: Answer, message: str) -> None:
    service.script = [answer]
    with pytest.raises(Unavailable, match=message):
        model(service, retries=0 if answer.status == 429 else 5).complete(HELLO)
    assert len(service.requests) == 1


def test_a_used_up_quota_is_not_waited_for(service: Service) -> None:
    service.script = [Answer(429, b'{"error": {"message": "pay first", "code": "insufficient_quota"}}', {"Retry-After": "50"})]
    with pytest.raises(Unavailable, match="pay first"):
        model(service).complete(HELLO)
    assert len(service.requests) == 1


def test_refused_messages_are_the_trouble_of_one_document(service: Service) -> None:
    service.script = [Answer(400, b'{"error": {"message": "context length exceeded"}}')]
    with pytest.raises(DocumentError, match="context length exceeded"):
        model(service).complete(HELLO)


def test_nobody_answers() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        llm = OpenAi(model="small", base_url=f"http://127.0.0.1:{unused.getsockname()[1]}/v1", retries=0)
        with pytest.raises(Unavailable, match=r"cannot be reached: ConnectError.*tried 1 times"):
            llm.complete(HELLO)


def test_the_key_is_not_shown_and_changes_no_fingerprint() -> None:
    one, other = OpenAi(model="small", api_key="sesame"), OpenAi(model="small", api_key="open", base_url="http://other/v1", timeout=3)
    assert "sesame" not in repr(one) + one.model_dump_json()
    assert one.fingerprint() == other.fingerprint() != OpenAi(model="large").fingerprint()
    assert one.fingerprint() != OpenAi(model="small", temperature=0.5).fingerprint()


def test_an_address_is_wanted() -> None:
    with pytest.raises(ValidationError, match="an address is wanted"):
        OpenAi(model="small", base_url="localhost:8000")


@pytest.mark.parametrize(("value", "seconds"), [("3", 3), ("0.5", 0.5), ("-1", 0), ("", None), ("soon", None),
                                                ("Wed, 21 Oct 2015 07:28:00 GMT", 0)])
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after(value) == seconds
