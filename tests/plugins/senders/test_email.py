"""Notices as mail, to a real server."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import ConfigError, Unavailable
from tests.plugins.senders.notes import built, notice
from tests.smtp_server import certificate, mail_server

PEOPLE = {"from": "alerts@shop.example", "to": ["ada@shop.example", "bob@shop.example"]}
OPEN = {"host": "127.0.0.1", "security": "none", **PEOPLE}


def test_a_mail_says_it_in_words_and_as_a_page() -> None:
    with mail_server() as server:
        built("email", port=server.port, **OPEN).send(notice())
    [mail] = server.mails
    assert server.recipients == [["TO:<ada@shop.example>", "TO:<bob@shop.example>"]]
    assert mail["Subject"] == "[shop] critical: flow-failed/index/handbook"
    assert mail["To"] == "ada@shop.example, bob@shop.example"
    assert mail["Message-ID"] == "<a1b2@llmops.shop.example>"
    assert mail["In-Reply-To"] is None
    assert mail["Auto-Submitted"] == "auto-generated"
    plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert page is not None
    text = plain.get_content()
    first, second, third = text.splitlines()[:3]
    assert (first, second) == ("the source does not answer <b>", "Check `path`")
    assert third == "Since 2026-11-30 07:00 UTC."
    assert "http://127.0.0.1:4200/runs/1?a=1&b=2" in text
    assert "the source does not answer &lt;b&gt;" in page.get_content()
    assert 'href="http://127.0.0.1:4200/runs/1?a=1&amp;b=2"' in page.get_content()


def test_a_recovery_answers_the_first_mail() -> None:
    with mail_server() as server:
        sender = built("email", port=server.port, **OPEN)
        sender.send(notice())
        sender.send(notice(id="c3d4", kind="resolved"))
    first, second = server.mails
    assert second["Message-ID"] != first["Message-ID"]
    assert second["In-Reply-To"] == second["References"] == first["Message-ID"]
    assert second["Subject"] == "[shop] resolved: flow-failed/index/handbook"


def test_no_header_can_be_smuggled_in() -> None:
    odd = "x\r\nBcc: eve@evil.example\r\n\r\nhello \udcff"
    with mail_server() as server:
        built("email", port=server.port, **OPEN).send(notice(key=odd, project=odd, message=odd))
    [mail] = server.mails
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]
    assert len(server.recipients[0]) == 2


def test_a_password_goes_over_tls_to_a_server_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path)
    with mail_server(file, "pa55word") as server:
        options = {"host": "localhost", "port": server.port, "user": "shop", **PEOPLE}
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            built("email", password="pa55word", **options).send(notice())
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        built("email", password="pa55word", **options).send(notice())
        assert len(server.mails) == 1
        with pytest.raises(ConfigError, match="answered 535") as caught:
            built("email", password="wr0ng", **options).send(notice())
        assert "wr0ng" not in str(caught.value)
        with pytest.raises(ConfigError, match="530"):
            built("email", **{**options, "user": None}).send(notice())


@pytest.mark.parametrize(
    ("command", "answer", "error"),
    [
        ("MAIL", "451 4.3.0 later", Unavailable),
        ("MAIL", "550 5.1.0 never", ConfigError),
        ("DATA", "452 4.2.2 full", Unavailable),
        ("DATA", "554 5.6.0 spam", ConfigError),
    ],
)
def test_what_a_server_refuses_is_tried_again_where_that_may_help(
    command: str, answer: str, error: type[Exception]
) -> None:
    with mail_server() as server:
        server.answers = {command: [answer] * 2}
        with pytest.raises(error, match=answer[:3]):
            built("email", port=server.port, **OPEN).send(notice())


def test_of_several_people_those_who_can_get_it() -> None:
    with mail_server() as server:
        sender = built("email", port=server.port, **OPEN)
        server.answers = {"RCPT": ["550 5.1.1 nobody"]}
        sender.send(notice())
        assert len(server.mails) == 1
        server.answers = {"RCPT": ["550 5.1.1 nobody", "450 4.2.1 greylisted"]}
        with pytest.raises(Unavailable, match="refused all"):
            sender.send(notice())
        server.answers = {"RCPT": ["550 5.1.1 nobody", "550 5.1.1 nobody"]}
        with pytest.raises(ConfigError, match="refused all"):
            sender.send(notice())


def test_a_server_that_is_away_is_tried_again() -> None:
    with pytest.raises(Unavailable, match="ConnectionRefusedError"):
        built("email", port=1, **OPEN).send(notice())


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": []},
        {"to": ["ada"]},
        {"to": ["ada@shop.example\nBcc: eve@evil.example"]},
        {"from": "Shop <alerts@shop.example>"},
        {"user": "shop"},
        {"host": "mail.example.com", "user": "shop", "password": "x"},
    ],
)
def test_options_that_cannot_work_are_refused_at_once(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        built("email", **{**OPEN, **wrong})
