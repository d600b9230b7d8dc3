"""Mails: subject, who wrote when to whom, the body, and the attachments that can be read."""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from typing import ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers import _xberg as xberg
from llmops.tasks.plugins.parsers._media_types import MBOX
from llmops.tasks.plugins.parsers._metadata import hidden_texts
from llmops.tasks.texts.mails import content_of, field, leaves, text_of

MAIL, OUTLOOK = "message/rfc822", "application/vnd.ms-outlook"
STORE = "application/vnd.ms-outlook-pst"
SHOWN = ("From", "To", "Cc", "Date")
OUTLOOK_FIELD = re.compile(
    r"^\*\*(Subject|From|To|Cc|CC|BCC|Date|Message-ID)\*\*: (.*)\n+", re.MULTILINE
)
LETTER = re.compile(
    rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From [^\n]*\n(?=(?:>From |[\x21-\x39\x3b-\x7e]+[ \t]*:))"
)
ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
IN_OUTLOOK = "attachments in an Outlook file cannot be read; save the mail as .eml"
DEEPEST = 3
MOST_ATTACHMENTS = 50


class MailParser(Parser):
    """Markdown. The subject is the title; sender, recipients and date stand first. Attachments
    follow the body, each under a heading; those that cannot be read are named in the metadata with
    the reason. Of a mailbox (mbox, Outlook) every mail is a section under its subject."""

    media_types: ClassVar[tuple[str, ...]] = (MAIL, MBOX, OUTLOOK, STORE)
    revision: ClassVar[int] = 4

    def parse(self, data: bytes, media_type: str) -> Parsed:
        readers = {OUTLOOK: _outlook, STORE: _store, MBOX: _box}
        return readers.get(media_type, _internet)(data)


def _internet(data: bytes, depth: int = 0) -> Parsed:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    header = [f"{name}: {value}" for name in SHOWN if (value := field(message, name))]
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
        title=field(message, "Subject") or None,
        media_type=MAIL,
        metadata={
            key: value
            for key, value in (("unread_attachments", unread), ("hidden_text", hidden))
            if value
        },
    )


def _box(data: bytes) -> Parsed:
    """The mails of an mbox (RFC 4155): each begins after a blank line with `From `."""
    mails = [_internet(ESCAPED.sub(rb"\1", mail)) for mail in LETTER.split(data)[1:]]
    if len(mails) == 1:
        return mails[0]
    unread = {
        name: why
        for mail in mails
        for name, why in mail.metadata.get("unread_attachments", {}).items()
    }
    unseen = hidden_texts(text for mail in mails for text in mail.metadata.get("hidden_text", ()))
    return Parsed(
        text="\n\n".join(f"# {mail.title or 'No subject'}\n\n{mail.text}" for mail in mails),
        markup="markdown",
        media_type=MBOX,
        metadata={"mails": len(mails)}
        | unseen
        | ({"unread_attachments": unread} if unread else {}),
    )


def _store(data: bytes) -> Parsed:
    """The mails of an Outlook data file."""
    return Parsed(text=xberg.markdown(data, STORE).text, markup="markdown", media_type=STORE)


def _body(part: Message) -> tuple[str, list[str]]:
    """The text of a body, and what an HTML body hides from its readers."""
    from llmops.tasks.plugins.parsers.html import HtmlParser

    if part.get_content_type() != "text/html":
        return text_of(part), []
    try:
        page = HtmlParser().parse(content_of(part), "text/html")
    except DocumentError:  # a mail may be a subject and nothing else
        return "", []
    return page.text, list(page.metadata.get("hidden_text", ()))


def _attachments(message: EmailMessage, body: Message | None) -> Iterator[Message]:
    """The parts that are no body: named files, and mails within the mail."""
    for part in leaves(message):
        named = part.get_filename() or part.get_content_disposition() == "attachment"
        if (part is not message and part.get_content_type() == MAIL) or (
            named and part is not body
        ):
            yield part


def _attachment(part: Message, name: str, depth: int) -> str:
    from llmops.tasks.plugins.parsers import Ocr, parse

    if depth >= DEEPEST:
        raise DocumentError("mails are nested too deeply")
    if part.get_content_type() == MAIL:
        mail = _internet(content_of(part), depth + 1)
        return f"{mail.title or ''}\n\n{mail.text}".strip()
    # signatures are full of pictures, each of which would take seconds
    return parse(content_of(part), name, ocr=Ocr(enabled=False)).text.replace("\f", "\n")


def _outlook(data: bytes) -> Parsed:
    text, _, _, attached = xberg.markdown(data, OUTLOOK)
    fields = {name.lower(): value.strip() for name, value in OUTLOOK_FIELD.findall(text)}
    header = "\n".join(
        f"{name}: {fields[name.lower()]}" for name in SHOWN if fields.get(name.lower())
    )
    return Parsed(
        text=f"{header}\n\n{OUTLOOK_FIELD.sub('', text).strip()}".strip(),
        markup="markdown",
        title=fields.get("subject") or None,
        media_type=OUTLOOK,
        metadata={"unread_attachments": dict.fromkeys(attached, IN_OUTLOOK)} if attached else {},
    )
