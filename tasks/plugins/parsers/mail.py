"""Mails: subject, who wrote when to whom, the body, and the attachments that can be read."""

import re
from collections.abc import Iterator, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from functools import cache
from itertools import islice
from typing import ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers import _xberg as xberg
from llmops.tasks.plugins.parsers._media_types import MBOX
from llmops.tasks.plugins.parsers._metadata import hidden_texts
from llmops.tasks.texts.mails import (
    CALENDAR,
    ENCRYPTED_MAIL,
    ORIGINAL,
    PLAIN,
    REPORTS,
    RICH,
    SEALS,
    bodies,
    content_of,
    dates_of,
    field,
    is_armoured,
    leaves,
    report_of,
    sealed,
    text_of,
)

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
MOST_BODIES = 100
MOST_NAMED = 1000
TOO_MANY = f"only the first {MOST_ATTACHMENTS} attachments are read; save it as a file of its own"
TOO_LONG = f"only the first {MOST_BODIES} parts of a mail's text are read"


class MailParser(Parser):
    """Markdown. The subject is the title; sender, recipients and date stand first. Attachments
    follow the body, each under a heading; those that cannot be read are named in the metadata with
    the reason. Of a mailbox (mbox, Outlook) every mail is a section under its subject."""

    media_types: ClassVar[tuple[str, ...]] = (MAIL, MBOX, OUTLOOK, STORE)
    revision: ClassVar[int] = 5

    def parse(self, data: bytes, media_type: str) -> Parsed:
        readers = {OUTLOOK: _outlook, STORE: _store, MBOX: _box}
        return readers.get(media_type, _internet)(data)


def _internet(data: bytes, depth: int = 0) -> Parsed:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    if why := sealed(message):
        raise DocumentError(why)
    unread: dict[str, str] = {}
    header = [f"{name}: {value}" for name in SHOWN if (value := field(message, name))]
    parts, texts, hidden = _read(message, unread)
    attached = _attached(message, parts, unread, depth)
    return Parsed(
        text="\n\n".join(
            block for block in ("\n".join(header), *texts, *attached) if block.strip()
        ),
        markup="markdown",
        title=field(message, "Subject") or None,
        media_type=MAIL,
        metadata={
            key: value
            for key, value in (("unread_attachments", unread), ("hidden_text", hidden))
            if value
        },
    )


def _read(
    message: EmailMessage, unread: dict[str, str]
) -> tuple[list[Message], list[str], list[str]]:
    """The parts that are the text of a mail, the text of each, and what these hide. Raises
    DocumentError where the only one cannot be read.
    """
    body = cache(_body)

    def words(part: Message) -> str:
        try:
            return body(part)[0]
        except DocumentError:
            return ""

    parts = bodies(message, words)
    texts: list[str] = []
    hidden: list[str] = []
    for number, part in enumerate(parts[:MOST_BODIES], 1):
        try:
            text, unseen = body(part)
        except DocumentError as error:
            if len(parts) == 1:
                raise
            unread[f"part {number} ({part.get_content_type()})"] = error.reason
            continue
        texts.append(text)
        hidden += unseen
    if len(parts) > MOST_BODIES:
        unread[f"parts from {MOST_BODIES + 1} on"] = TOO_LONG
    return parts, texts, list(hidden_texts(hidden).get("hidden_text", ()))


def _attached(
    message: EmailMessage, parts: Sequence[Message], unread: dict[str, str], depth: int
) -> Iterator[str]:
    """What is attached, each under its name; what cannot be read goes to `unread`."""
    attachments = islice(_attachments(message, parts), MOST_NAMED)
    for number, part in enumerate(attachments, 1):
        name = " ".join((part.get_filename() or f"attachment {number}").split())
        try:
            if number > MOST_ATTACHMENTS:
                raise DocumentError(TOO_MANY)
            yield f"## {name}\n\n{_attachment(part, name, depth)}"
        except DocumentError as error:
            unread[name] = error.reason


def _box(data: bytes) -> Parsed:
    """The mails of an mbox (RFC 4155): each begins after a blank line with `From `."""
    letters = [ESCAPED.sub(rb"\1", mail) for mail in LETTER.split(data)[1:]]
    if len(letters) == 1:
        return _internet(letters[0])
    mails = [_letter(letter) for letter in letters]
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


def _letter(data: bytes) -> Parsed:
    """A mail of a mailbox. One that cannot be read is named, and keeps none of the others back."""
    try:
        return _internet(data)
    except DocumentError as error:
        message = message_from_bytes(data, policy=policy.default)
        title = field(message, "Subject") or "No subject"
        header = [f"{name}: {value}" for name in SHOWN if (value := field(message, name))]
        unread = {"unread_attachments": {title: error.reason}}
        return Parsed(text="\n".join(header), title=title, media_type=MAIL, metadata=unread)


def _store(data: bytes) -> Parsed:
    """The mails of an Outlook data file."""
    return Parsed(text=xberg.markdown(data, STORE).text, markup="markdown", media_type=STORE)


def _body(part: Message) -> tuple[str, list[str]]:
    """The text of a part, and what it hides from its readers. Raises DocumentError."""
    from llmops.tasks.plugins.parsers import parse
    from llmops.tasks.plugins.parsers.html import HtmlParser

    kind = part.get_content_type()
    if kind in REPORTS or kind == ORIGINAL:
        return report_of(part), []
    if kind == CALENDAR:
        return dates_of(part), []
    if kind == PLAIN:
        if is_armoured(content_of(part)):
            raise DocumentError(ENCRYPTED_MAIL)
        return text_of(part), []
    try:
        if kind == RICH:
            page = HtmlParser().parse(content_of(part), RICH)
        else:
            page = parse(text_of(part).encode(errors="replace"), "", kind)
    except DocumentError:
        if content_of(part).strip() and kind != RICH:
            raise
        return "", []  # a mail may be a subject and nothing else
    return page.text, list(page.metadata.get("hidden_text", ()))


def _attachments(message: EmailMessage, parts: Sequence[Message]) -> Iterator[Message]:
    """The parts that are no text of the mail: named files, mails within the mail, and files
    without a name. Pictures without one stand within the text.
    """
    among = set(map(id, parts))
    for part in leaves(message):
        kind, family = part.get_content_type(), part.get_content_maintype()
        if id(part) in among:
            continue
        named = part.get_filename() or part.get_content_disposition() == "attachment"
        alone = part is message and family in ("image", "audio", "video", "application")
        nameless = family in ("application", "audio", "video") and kind not in SEALS
        if named or alone or nameless or (part is not message and kind == MAIL):
            yield part


def _attachment(part: Message, name: str, depth: int) -> str:
    from llmops.tasks.plugins.parsers import Ocr, ParseOptions, parse

    if depth >= DEEPEST:
        raise DocumentError("mails are nested too deeply")
    if part.get_content_type() == MAIL:
        mail = _internet(content_of(part), depth + 1)
        return f"{mail.title or ''}\n\n{mail.text}".strip()
    if why := sealed(part):
        raise DocumentError(why)
    # signatures are full of pictures, each of which would take seconds
    options = ParseOptions(ocr=Ocr(enabled=False))
    return parse(content_of(part), name, options=options).text.replace("\f", "\n")


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
