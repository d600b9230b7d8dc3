"""Notices as signed JSON, to a server that checks the signature."""

import base64
import logging
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import ConfigError, Unavailable
from llmops.tasks.plugins.senders import Later
from tests.plugins.senders.notes import built, notice
from tests.receiver import SECRET, Receiver, receiving

OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


def test_the_signature_is_what_the_specification_says(receiver: Receiver) -> None:
    built("webhook", url=f"{receiver.url}/hook", secret=SECRET, former_secret=OTHER).send(notice())
    [request] = receiver.received
    assert request.path == "/hook"
    assert request.headers["webhook-id"] == "a1b2"
    assert request.is_signed_by(SECRET)
    assert request.is_signed_by(OTHER)
    assert not request.is_signed_by("whsec_" + base64.b64encode(bytes(24)).decode())
    request.body += b" "
    assert not request.is_signed_by(SECRET)


def test_the_example_of_the_specification() -> None:
    """From spec/standard-webhooks.md and the reference libraries' tests."""
    from pydantic import SecretStr

    from llmops.tasks.plugins.senders.webhook import signature

    secret = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_json_has_a_version_and_all_there_is_to_know(receiver: Receiver) -> None:
    built("webhook", url=receiver.url, headers={"Authorization": "Bearer t0ken"}).send(notice())
    [request] = receiver.received
    assert request.headers["authorization"] == "Bearer t0ken"
    assert "webhook-signature" not in request.headers
    content = request.content
    assert content["type"] == "llmops.alert.fired"
    assert content["timestamp"] == "2026-11-30T07:15:00+00:00"
    assert content["version"] == 1
    assert set(content["data"]) == {
        *("id", "kind", "key", "rule", "subject", "severity", "message", "hint", "value"),
        *("began_at", "project", "links", "returns", "thread", "lines", "note"),
    }


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_what_the_receiver_refuses_is_never_sent_again(receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {})]
    with pytest.raises(ConfigError, match=f"answered {status}"):
        built("webhook", url=receiver.url).send(notice())


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_what_may_go_well_later_is_tried_again(receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {}), (status, {"Retry-After": "120"})]
    sender = built("webhook", url=receiver.url)
    with pytest.raises(Unavailable) as caught:
        sender.send(notice())
    assert not isinstance(caught.value, Later)
    with pytest.raises(Later) as later:
        sender.send(notice())
    assert later.value.after == 120


def test_redirects_are_refused(receiver: Receiver) -> None:
    receiver.answers = [(307, {"Location": f"{receiver.url}/s3cret-elsewhere"})]
    with pytest.raises(ConfigError, match="redirects are not followed") as caught:
        built("webhook", url=f"{receiver.url}/s3cret").send(notice())
    assert "s3cret" not in str(caught.value)
    assert len(receiver.received) == 1


def test_no_secret_is_in_an_error_or_a_log(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for address in (
        "http://me:pa55word@127.0.0.1:1/T0KEN?key=K3Y",
        f"{receiver.url}/T0KEN?key=K3Y",
    ):
        receiver.answers = [(500, {})]
        sender = built("webhook", url=address, secret=SECRET, headers={"X-Key": "H3ADER"})
        with pytest.raises(Unavailable) as caught:
            sender.send(notice())
        told = f"{caught.value!r} {caught.value} {caught.value.__cause__} {sender!r} {caplog.text}"
        for secret in ("pa55word", "T0KEN", "K3Y", "H3ADER", SECRET, SECRET[6:]):
            assert secret not in told
            assert secret not in sender.model_dump_json()


def test_a_receiver_that_does_not_answer_is_cut(receiver: Receiver) -> None:
    receiver.hold.clear()
    with pytest.raises(Unavailable, match="ReadTimeout"):
        built("webhook", url=receiver.url, timeout=0.2).send(notice())


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://example.com"},
        {"url": "example.com/hook"},
        {"url": "https://"},
        {"url": "https://example.com", "secret": "hunter2"},
        {"url": "https://example.com", "secret": "whsec_" + base64.b64encode(b"short").decode()},
        {"url": "https://example.com", "timeout": 0},
        {},
    ],
)
def test_options_that_cannot_work_are_refused_at_once(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        built("webhook", **options)
