"""What mails are made of (MIME): fields, parts, and the text of a part. Malformed mails give what
can be had.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from email import message_from_string, policy
from email.message import EmailMessage, Message
from typing import Final

from llmops.tasks.texts.calendars import dates, unfolded
from llmops.tasks.texts.charset import decode, meant, unified
from llmops.tasks.texts.scripts import UNSPACED

MALFORMED = (ValueError, LookupError, AttributeError, TypeError, AssertionError)
"""What the standard library raises on malformed mails."""
PLAIN, RICH, CALENDAR = "text/plain", "text/html", "text/calendar"
ORIGINAL = "text/rfc822-headers"
REPORTS: Final = frozenset(
    {
        "message/delivery-status",
        "message/global-delivery-status",
        "message/disposition-notification",
        "message/feedback-report",
    }
)
"""Fields for programs and people: what became of a mail."""
SHOWN = ("Subject", "From", "To", "Cc", "Date")
DEEPEST = 20
"""Levels of parts within parts of which the mail says how they belong together."""
COMPARED = 200_000
WORD = re.compile(rf"[{UNSPACED}]|[^\W_]+")
ADDRESS = re.compile(r"<?(?:https?|mailto|ftp):[^\s>]*>?", re.IGNORECASE)
SEALS: Final = frozenset(
    {
        "application/pgp-signature",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-keys",
        "application/pgp-encrypted",
    }
)
"""What is there for programs, and says nothing."""
SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
SIGNED = bytes.fromhex("06092a864886f70d010702")
"""The name of signed data (RFC 5652), which stands at its head; what is encrypted has another."""
ENCRYPTED_MAIL = (
    "the mail is encrypted, and only the key of its recipient opens it; save it from the mail "
    "program without encryption, or exclude it from the source"
)
SIGNED_MAIL = (
    "the mail is wrapped into its signature (S/MIME), which is not opened; save it from the mail "
    "program without the signature or as PDF, or exclude it from the source"
)


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
    return _decoded(content_of(part), part)


def dates_of(part: Message) -> str:
    """What people read of a calendar in a mail."""
    return dates(_decoded(unfolded(content_of(part)), part))


def bodies(message: Message, words: Callable[[Message], str]) -> list[Message]:
    """The parts that a reader of the mail sees as its text, in order: none that is attached, and of
    alternatives the one that says more. `words`: the text of a part, "" where it has none.
    """
    seen = _seen(message, words, 0)
    if seen or not isinstance(message, EmailMessage):
        return seen
    try:
        named = message.get_body(("plain", "html"))
    except (RecursionError, *MALFORMED):
        return []
    return [named] if named is not None else []


def report_of(part: Message) -> str:
    """The fields of a report, a block for each recipient; of the head of another mail those that
    people read.
    """
    if part.get_content_type() == ORIGINAL:
        head = message_from_string(text_of(part), policy=policy.default)
        return _fields(head, [name for name in SHOWN if name in head])
    return "\n\n".join(filter(None, (_fields(each, each.keys()) for each in _inner(part))))


def sealed(part: Message) -> str:
    """Why nobody can read a part without a key or a program for it; "" where that is not so."""
    kind = part.get_content_type()
    if kind == "multipart/encrypted":
        return ENCRYPTED_MAIL
    if kind not in SMIME:
        return ENCRYPTED_MAIL if is_armoured(content_of(part)) else ""
    return SIGNED_MAIL if SIGNED in content_of(part)[:100] else ENCRYPTED_MAIL


def is_armoured(data: bytes) -> bool:
    """Whether a text is an encrypted message of OpenPGP, and nothing else."""
    text = data.strip()
    return text.startswith(b"-----BEGIN PGP MESSAGE-----") and text.endswith(b"-----")


def better(plain: str, rich: str) -> tuple[bool, bool]:
    """Whether the plain and the rich text of a mail are to be read. The plain one is the better
    text where it has most words of the rich one; with fewer or other words it is a stub. Where it
    is the longer one nobody can say, and both are read.
    """
    if not rich.strip() or not plain.strip():
        return bool(plain.strip()) or not rich.strip(), bool(rich.strip())
    ours, theirs = _counted(plain), _counted(rich)
    common = (ours & theirs).total()
    if common * 2 >= theirs.total():
        return True, False
    return common * 2 < ours.total() and ours.total() > theirs.total(), True


def _decoded(data: bytes, part: Message) -> str:
    declared = part.get_content_charset() or "ascii"
    for name in (meant(declared), declared):
        try:
            return unified(data.decode(name))
        except (LookupError, ValueError):
            continue
    return unified(decode(data)[0])


def _counted(text: str) -> Counter[str]:
    return Counter(WORD.findall(ADDRESS.sub(" ", text[:COMPARED].casefold())))


def _seen(part: Message, words: Callable[[Message], str], depth: int) -> list[Message]:
    kind = part.get_content_type()
    if kind in REPORTS or not part.is_multipart():
        return [part] if _is_body(part) else []
    if part.get_content_maintype() == "message" or sealed(part):
        return []
    if depth >= DEEPEST:
        return [each for each in leaves(part) if _is_body(each)]
    readings = [_seen(each, words, depth + 1) for each in _inner(part)]
    if kind == "multipart/alternative":
        return _alternative(readings, words)
    if kind == "multipart/related":  # the others are pictures and frames of it
        return next(filter(None, [*_root_of(part, readings), *readings]), [])
    return [each for reading in readings for each in reading]


def _is_body(part: Message) -> bool:
    if part.get_content_type() in REPORTS:
        return True
    try:
        named = bool(part.get_filename()) or part.get_content_disposition() == "attachment"
    except MALFORMED:
        named = False
    return part.get_content_maintype() == "text" and not named


def _root_of(part: Message, readings: Sequence[list[Message]]) -> Iterator[list[Message]]:
    start = str(part.get_param("start") or "").strip()
    for each, reading in zip(_inner(part), readings, strict=True):
        if start and field(each, "Content-ID") == start:
            yield reading


def _alternative(
    readings: Sequence[list[Message]], words: Callable[[Message], str]
) -> list[Message]:
    """The better one of a plain and a rich reading, and an invitation, which is beside both."""
    kinds = [{each.get_content_type() for each in reading} for reading in readings]
    both = list(zip(kinds, readings, strict=True))
    plain = next((reading for kind, reading in both if kind == {PLAIN}), [])
    rich = next((reading for kind, reading in reversed(both) if RICH in kind), [])
    calendars = [each for kind, reading in both if kind == {CALENDAR} for each in reading]
    if not plain and not rich:
        others = [reading for kind, reading in both if kind and kind != {CALENDAR}]
        return [*(others[-1] if others else []), *calendars]
    if plain and rich:
        takes = better(*("\n".join(map(words, reading)) for reading in (plain, rich)))
        plain, rich = plain if takes[0] else [], rich if takes[1] else []
    return [*plain, *rich, *calendars]


def _fields(message: Message, names: Sequence[str]) -> str:
    return "\n".join(
        f"{name}: {value}" for name in dict.fromkeys(names) if (value := field(message, name))
    )


def _inner(part: Message) -> list[Message]:
    content = part.get_payload()
    return (
        [each for each in content if isinstance(each, Message)] if isinstance(content, list) else []
    )
