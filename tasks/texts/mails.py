"""What mails are made of (MIME): fields, parts, and the text of a part. Malformed mails give what
can be had.
"""

from collections.abc import Iterator
from email.message import Message

from llmops.tasks.texts.charset import decode, unified

MALFORMED = (ValueError, LookupError, AttributeError, TypeError, AssertionError)
"""What the standard library raises on malformed mails."""


def field(message: Message, name: str) -> str:
    """A header field on one line, "" where it is missing or beyond repair."""
    try:
        return " ".join(str(message.get(name) or "").split()).encode("utf-8", "replace").decode()
    except MALFORMED:
        return ""


def leaves(message: Message) -> Iterator[Message]:
    """The parts of a mail that hold no others, in order. A mail within the mail is one part."""
    pending = [message]
    while pending:
        part = pending.pop()
        attached = part is not message and part.get_content_type() == "message/rfc822"
        if attached or not part.is_multipart():
            yield part
        else:
            pending += reversed(_inner(part))


def content_of(part: Message) -> bytes:
    """The bytes of a part; of a mail within the mail, that mail."""
    if part.get_content_type() == "message/rfc822":
        mails = _inner(part)[:1]
        return mails[0].as_bytes() if mails else b""
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def text_of(part: Message) -> str:
    """The text of a part, in the charset that it names where that is true, else in the likeliest.
    Raises DocumentError for what is no text.
    """
    data = content_of(part)
    try:
        return unified(data.decode(part.get_content_charset() or "ascii"))
    except (LookupError, ValueError):
        return unified(decode(data)[0])


def _inner(part: Message) -> list[Message]:
    content = part.get_payload()
    return (
        [each for each in content if isinstance(each, Message)] if isinstance(content, list) else []
    )
