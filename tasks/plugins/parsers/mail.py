"""Mails: subject, who wrote when to whom, the body, and the attachments that can be read."""

import contextlib
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from typing import ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers import _kreuzberg as kreuzberg
from llmops.tasks.plugins.parsers.text import unified

SHOWN = ("From", "To", "Cc", "Date")
OUTLOOK_FIELD = re.compile(r"^\*\*(Subject|From|To|Cc|CC|BCC|Date)\*\*: (.*)\n+", re.MULTILINE)
DEEPEST = 3
MOST_ATTACHMENTS = 50


class MailParser(Parser):
    """Markdown. The subject is the title; sender, recipients and date stand first. Attachments
    follow the body, each under a heading; those that cannot be read are named in the metadata with
    the reason."""

    media_types: ClassVar[tuple[str, ...]] = ("message/rfc822", "application/vnd.ms-outlook")
    revision: ClassVar[int] = 2

    def parse(self, data: bytes, media_type: str) -> Parsed:
        return _outlook(data) if media_type == "application/vnd.ms-outlook" else _internet(data)


def _internet(data: bytes, depth: int = 0) -> Parsed:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    header = [f"{name}: {value}" for name in SHOWN if (value := _field(message, name))]
    body = message.get_body(("plain", "html"))
    content, hidden = _body(body) if body is not None else ("", [])
    blocks = ["\n".join(header), content]
    unread: dict[str, str] = {}
    for number, part in zip(range(MOST_ATTACHMENTS), _attachments(message, body), strict=False):
        name = " ".join((part.get_filename() or f"attachment {number + 1}").split())
        try:
            blocks.append(f"## {name}\n\n{_attachment(part, name, depth)}")
        except DocumentError as error:
            unread[name] = error.reason
    text = "\n\n".join(block for block in blocks if block.strip())
    return Parsed(
        text=text,
        markup="markdown",
        title=_field(message, "Subject") or None,
        media_type="message/rfc822",
        metadata={
            key: value
            for key, value in (("unread_attachments", unread), ("hidden_text", hidden))
            if value
        },
    )


def _field(message: EmailMessage, name: str) -> str:
    """A header field on one line; "" where it is missing or beyond repair."""
    try:
        return " ".join(str(message.get(name) or "").split()).encode("utf-8", "replace").decode()
    except (
        ValueError,
        IndexError,
        AttributeError,
        TypeError,
    ):  # the standard library on malformed fields
        return ""


def _body(part: Message) -> tuple[str, list[str]]:
    """The text of a body, and what an HTML body hides from its readers."""
    from llmops.tasks.plugins.parsers.html import HtmlParser
    from llmops.tasks.plugins.parsers.text import TextParser

    data = _payload(part)
    if part.get_content_type() == "text/html":
        with contextlib.suppress(DocumentError):  # a mail may be a subject and nothing else
            found = HtmlParser().parse(data, "text/html")
            return found.text, list(found.metadata.get("hidden_text", ()))
        return "", []
    try:
        return unified(data.decode(part.get_content_charset() or "ascii")), []
    except (LookupError, UnicodeDecodeError):
        return TextParser().parse(data, "text/plain").text, []


def _payload(part: Message) -> bytes:
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _attachments(message: EmailMessage, body: Message | None) -> Iterator[Message]:
    """The parts that are no body: named files, and mails within the mail."""
    pending: list[Message] = [message]
    while pending:
        part = pending.pop(0)
        if part.get_content_type() == "message/rfc822" and part is not message:
            yield part
        elif part.is_multipart():
            inner = part.get_payload()
            pending[:0] = (
                [each for each in inner if isinstance(each, Message)]
                if isinstance(inner, list)
                else []
            )
        elif part is not body and (
            part.get_filename() or part.get_content_disposition() == "attachment"
        ):
            yield part


def _attachment(part: Message, name: str, depth: int) -> str:
    from llmops.tasks.plugins.parsers import parse

    if depth >= DEEPEST:
        raise DocumentError("mails are nested too deeply")
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        first = inner[0] if isinstance(inner, list) and inner else None
        mail = _internet(first.as_bytes() if isinstance(first, Message) else b"", depth + 1)
        return f"{mail.title or ''}\n\n{mail.text}".strip()
    return parse(_payload(part), name).text.replace("\f", "\n")


def _outlook(data: bytes) -> Parsed:
    found = kreuzberg.markdown(data, "application/vnd.ms-outlook").text
    fields = {name.lower(): value.strip() for name, value in OUTLOOK_FIELD.findall(found)}
    header = "\n".join(
        f"{name}: {fields[name.lower()]}" for name in SHOWN if fields.get(name.lower())
    )
    return Parsed(
        text=f"{header}\n\n{OUTLOOK_FIELD.sub('', found).strip()}".strip(),
        markup="markdown",
        title=fields.get("subject") or None,
        media_type="application/vnd.ms-outlook",
    )
