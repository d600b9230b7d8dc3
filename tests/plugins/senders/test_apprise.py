"""Notices by apprise, to a server that takes its JSON."""

import logging

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import ConfigError, Unavailable
from tests.plugins.senders.notes import built, notice
from tests.receiver import receiving

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # of apprise


def test_apprise_sends_title_and_text() -> None:
    with receiving() as receiver:
        address = receiver.url.replace("http://", "json://")
        built("apprise", url=f"{address}/T0KEN").send(notice())
        built("apprise", url=f"{address}/T0KEN").send(notice(kind="resolved"))
    first, second = (each.content for each in receiver.received)
    assert first["title"] == "[shop] critical: flow-failed/index/handbook"
    assert first["message"].startswith("the source does not answer")
    assert (first["type"], second["type"]) == ("failure", "success")


def test_an_address_is_in_no_error_and_no_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving() as receiver:
        receiver.answers = [(500, {})] * 2
        address = receiver.url.replace("http://", "json://me:pa55word@")
        for url in (f"{address}/T0KEN", "json://me:pa55word@127.0.0.1:1/T0KEN"):
            sender = built("apprise", url=url)
            with pytest.raises(Unavailable, match="json:// did not take it") as caught:
                sender.send(notice())
            said = (caught.value, sender, caplog.text, capfd.readouterr())
            told = f"{said!r}{sender.model_dump_json()}"
            assert "T0KEN" not in told
            assert "pa55word" not in told


@pytest.mark.parametrize("url", ["nonsense://T0KEN", "slack://T0KEN"])
def test_an_address_that_apprise_does_not_know_is_never_tried_again(url: str) -> None:
    with pytest.raises(ConfigError, match="knows no such") as caught:
        built("apprise", url=url).send(notice())
    assert "T0KEN" not in str(caught.value)


def test_what_is_no_address_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="slack://"):
        built("apprise", url="T0KEN")
