"""Mails in parts: in order, mails within the mail whole, malformed ones without an error."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from llmops.tasks.texts.mails import content_of, field, leaves, text_of


def test_the_parts_come_in_order_and_a_mail_within_the_mail_is_one() -> None:
    inner = EmailMessage()
    inner["Subject"] = "Inner"
    inner.set_content("inner text")
    inner.add_attachment(b"1,2", maintype="text", subtype="csv", filename="inner.csv")
    mail = EmailMessage()
    mail.set_content("plain")
    mail.add_alternative("<p>rich</p>", subtype="html")
    mail.add_attachment(inner)
    mail.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="a.pdf")
    parts = list(leaves(mail))
    kinds = [part.get_content_type() for part in parts]
    assert kinds == ["text/plain", "text/html", "message/rfc822", "application/pdf"]
    assert content_of(parts[2]) == inner.as_bytes()
    assert content_of(parts[3]) == b"%PDF-"


def test_a_mail_without_parts_is_its_own_part() -> None:
    mail = EmailMessage()
    mail.set_content("all of it")
    assert list(leaves(mail)) == [mail]


@pytest.mark.parametrize("charset", ["us-ascii", "no-such-charset", "utf-8"])
def test_a_text_is_read_though_its_charset_is_wrong(charset: str) -> None:
    head = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    mail = message_from_bytes(head.encode() + "Grüße\r\naus Köln".encode(), policy=policy.default)
    assert text_of(mail) == "Grüße\naus Köln"


def test_fields_stand_on_one_line_and_broken_ones_are_empty() -> None:
    mail = message_from_bytes(b"Subject: a\n  b\nTo: x@[\n\n", policy=policy.default)
    assert field(mail, "Subject") == "a b"
    assert field(mail, "Cc") == ""
    assert isinstance(field(mail, "To"), str)


def test_a_text_in_latin_1_has_the_signs_of_windows_as_in_a_mail_client() -> None:
    head = b"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n"
    mail = message_from_bytes(head + "5 € – „gut“".encode("cp1252"), policy=policy.default)
    assert text_of(mail) == "5 € – „gut“"
