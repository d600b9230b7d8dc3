"""One mail: what it is called, what it answers, what was written, what is attached. Malformed mails
give what can be had.
"""

import mimetypes
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from email import message_from_bytes, policy
from email.header import Header
from email.message import EmailMessage, Message
from email.utils import formataddr, getaddresses, parsedate_to_datetime
from functools import cache, cached_property
from itertools import islice, pairwise
from typing import Any, NamedTuple

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.sources.mail.words import is_footer, own_html, own_words, plain_text
from llmops.tasks.schemas import sha256
from llmops.tasks.texts.mails import (
    CALENDAR,
    ENCRYPTED_MAIL,
    MALFORMED,
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

ID = re.compile(r"<\s*([^<>\s]+)\s*>")
REPLY = re.compile(
    r"\s*(?:(?:re|aw|sv|vs|antw|odp|ynt|rif|res|ref|ответ|回复|答复|返信)(?:\[\d+\])?\s*[:：]\s*)+",
    re.I,
)
VOLATILE = re.compile(
    rb"^(?:Status|X-Status|X-UID|X-Keywords|X-IMAP\w*|X-Mozilla-[\w-]+|Content-Length|Lines):.*(?:\n[ \t].*)*\n",  # noqa: E501
    re.I | re.M,
)
MOST_PARTS = 1000
MOST_BODIES = 100
LATE = "9999"


class Summary(NamedTuple):
    """What a listing keeps of a mail. `digest` tells of changes, but not of being read or flagged.
    `answers`: ids, the oldest first.
    """

    id: str
    digest: str
    content: str
    answers: tuple[str, ...]
    subject: str
    date: str
    attachments: tuple[tuple[str, int], ...]


class ParsedMail:
    """A parsed mail. Raises DocumentError for what cannot be parsed at all."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            self.message = message_from_bytes(data, policy=policy.default)
        except (RecursionError, *MALFORMED) as error:
            raise DocumentError(f"the mail cannot be parsed: {type(error).__name__}") from error
        if not self.message.keys():
            raise DocumentError("there is no header field where a mail should begin")
        assert isinstance(self.message, EmailMessage)
        self._words = cache(_words)

    @cached_property
    def bodies(self) -> list[Message]:
        """The parts that are its text."""
        return self._shown(self._words)[:MOST_BODIES]

    def _shown(self, words: Callable[[Message], str]) -> list[Message]:
        try:
            return bodies(self.message, words)
        except (RecursionError, *MALFORMED):
            return []

    def field(self, name: str) -> str:
        """A header field on one line, "" where it is missing or beyond repair."""
        return field(self.message, name)

    @property
    def id(self) -> str:
        """The Message-ID, else a name made of the content."""
        match = ID.search(self.field("Message-ID")) or re.search(
            r"(\S+@\S+)", self.field("Message-ID")
        )
        return match[1] if match else f"mail-{self.digest[:16]}"

    @property
    def digest(self) -> str:
        head, gap, rest = self._data.replace(b"\r\n", b"\n").partition(b"\n\n")
        return sha256(VOLATILE.sub(b"", head + b"\n") + gap + rest.rstrip(b"\n"))

    @property
    def answers(self) -> tuple[str, ...]:
        """The ids of the mails above it in its thread, the oldest first."""
        references, parent = (
            ID.findall(self.field("References")),
            ID.findall(self.field("In-Reply-To"))[:1],
        )
        return tuple(
            dict.fromkeys([*references, *(one for one in parent if one not in references)])
        )

    @property
    def date(self) -> str:
        """When it was written, in UTC, ISO 8601; "" where nobody knows."""
        try:
            moment = parsedate_to_datetime(self.field("Date"))
            return (
                (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
                .astimezone(UTC)
                .isoformat()
            )
        except (*MALFORMED, OverflowError):
            return ""

    def summary(self) -> Summary:
        content = sha256(self._data.replace(b"\r\n", b"\n").partition(b"\n\n")[2].rstrip(b"\n"))
        attached = tuple(
            (name, len(str(part.get_payload() or "")) if not part.is_multipart() else 0)
            for name, part in self.attachments()
        )
        return Summary(
            self.id, self.digest, content, self.answers, self.field("Subject"), self.date, attached
        )

    def addresses(self, name: str) -> list[str]:
        """The addresses of a field, as `Name <address>`."""
        try:
            pairs = getaddresses([self.field(name)])
            return [
                f"{who} <{where}>" if who and where else where or who
                for who, where in pairs
                if who or where
            ]
        except MALFORMED:
            return []

    def facts(self) -> dict[str, Any]:
        """The metadata of the mail; what is missing is left out."""
        root = self.answers[0] if self.answers else self.id
        facts = {
            "from": next(iter(self.addresses("From")), ""),
            "to": self.addresses("To"),
            "cc": self.addresses("Cc"),
            "date": self.date,
            "subject": self.field("Subject"),
            "thread": root,
        }
        return {key: value for key, value in facts.items() if value}

    def words(self, *, strip: bool, flat: bool) -> list[tuple[str, str]]:
        """The texts of the mail, each with its kind, `plain`, `html` or another of text; `flat`:
        plain in any case. Raises DocumentError for a mail that is encrypted.
        """
        why = sealed(self.message)
        if why or (len(self.bodies) == 1 and is_armoured(content_of(self.bodies[0]))):
            raise DocumentError(why or ENCRYPTED_MAIL)
        texts = [self._text(part, strip=strip, flat=flat) for part in self.bodies]
        return [
            (text, kind)
            for number, (text, kind) in enumerate(texts)
            if text.strip() and not (strip and number and kind == "plain" and is_footer(text))
        ]

    def _text(self, part: Message, *, strip: bool, flat: bool) -> tuple[str, str]:
        kind = part.get_content_type()
        if kind == RICH:
            html = own_html(text_of(part)) if strip else text_of(part)
            return (plain_text(html), "plain") if flat else (html, "html")
        text = self._words(part)
        if kind != PLAIN:
            told = flat or kind in (CALENDAR, ORIGINAL, *REPORTS)
            return text, "plain" if told else part.get_content_subtype()
        text = _unflowed(text, part)
        return (own_words(text, self.field("Subject")) if strip else text.strip("\n")), "plain"

    def attachments(self) -> Iterator[tuple[str, Message]]:
        """Name and part of what is attached: files and mails, but no signatures and no pictures
        within the text.
        """
        used: set[str] = set()
        shown = self._shown(lambda _: "")
        for number, part in enumerate(islice(leaves(self.message), MOST_PARTS), 1):
            if part in shown or not _is_attached(part):
                continue
            stem, dot, ending = _name(part, number).rpartition(".")
            name, again = f"{stem}{dot}{ending}", 1
            while name in used:
                again += 1
                name = f"{stem or ending} ({again}){dot}{ending if stem else ''}"
            used.add(name)
            yield name, part


def composed(fields: dict[str, str], texts: Sequence[tuple[str, str]]) -> bytes:
    """A new mail in UTF-8, for the parser, with one part for each text."""
    lines = [f"{name}: {_encoded(name, value)}" for name, value in fields.items() if value]
    if len(texts) <= 1:
        return "\n".join([*lines, *_part(*(texts[0] if texts else ("", "plain")))]).encode(
            "utf-8", "replace"
        )
    mark = sha256("\n".join(text for text, _ in texts))[:40]
    lines += [f'Content-Type: multipart/mixed; boundary="{mark}"', ""]
    for text, kind in texts:
        lines += [f"--{mark}", *_part(text, kind)]
    return "\n".join([*lines, f"--{mark}--", ""]).encode("utf-8", "replace")


def _part(text: str, kind: str) -> list[str]:
    return [
        f"Content-Type: text/{kind}; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        text,
    ]


def base_subject(subject: str) -> tuple[str, bool]:
    """The subject without `Re:` and the like, for comparing, and whether there was any."""
    bare = REPLY.sub("", subject, count=1) if REPLY.match(subject) else subject
    return " ".join(bare.casefold().split()), bare != subject


def _encoded(name: str, value: str) -> str:
    if value.isascii():
        return value
    if name in ("From", "To", "Cc"):
        try:
            return ", ".join(formataddr(pair, "utf-8") for pair in getaddresses([value]))
        except (UnicodeError, *MALFORMED):
            return Header(value, "utf-8").encode()
    return Header(value, "utf-8").encode()


def _words(part: Message) -> str:
    """The text of a part as people read it, "" where it is none."""
    kind = part.get_content_type()
    try:
        if kind == RICH:
            return plain_text(text_of(part))
        if kind == CALENDAR:
            return dates_of(part)
        return report_of(part) if kind in REPORTS or kind == ORIGINAL else text_of(part)
    except DocumentError:
        return ""


def _is_attached(part: Message) -> bool:
    kind, disposition = part.get_content_type(), part.get_content_disposition()
    within = disposition == "inline" or (disposition is None and part.get("Content-ID"))
    if kind in SEALS or (kind.startswith("image/") and within):
        return False
    return kind == "message/rfc822" or disposition == "attachment" or bool(_filename(part))


def _filename(part: Message) -> str:
    try:
        return (
            re.split(r"[\\/]", " ".join((part.get_filename() or "").split()))[-1]
            .encode("utf-8", "replace")
            .decode()
            .strip(". ")
        )
    except MALFORMED:
        return ""


def _name(part: Message, number: int) -> str:
    ending = (
        ".eml"
        if part.get_content_type() == "message/rfc822"
        else mimetypes.guess_extension(part.get_content_type()) or ""
    )
    return _filename(part)[:150] or f"attachment-{number}{ending}"


def _unflowed(text: str, part: Message) -> str:
    """Lines that a mail program broke, whole again (RFC 3676)."""
    if str(part.get_param("format", "")).lower() != "flowed":
        return text
    joint = "" if str(part.get_param("delsp", "")).lower() == "yes" else " "
    return re.sub(r"(?m)^(?!>)(.*\S) \n(?=[^>\n])", lambda match: match[1] + joint, text)


def by_thread(mails: Iterable[Summary]) -> Mapping[str, list[Summary]]:
    """root -> its mails, the oldest first. A root is a Message-ID; it stays the same when answers
    are added, also where the first mail of the thread is not there. A mail that answers nothing but
    is called `Re: …` joins the oldest thread of that subject before it."""
    known = {mail.id: mail for mail in sorted(mails, key=lambda mail: (mail.date or LATE, mail.id))}
    above: dict[str, str] = {}
    for mail in known.values():
        chain = [*mail.answers, mail.id]
        for parent, child in pairwise(chain):
            if child not in above and _root(above, parent) != child:
                above[child] = parent
    _by_subject(known, above)
    threads: dict[str, list[Summary]] = {}
    for mail in known.values():
        threads.setdefault(_root(above, mail.id), []).append(mail)
    return threads


def _root(above: Mapping[str, str], mail: str) -> str:
    while mail in above:
        mail = above[mail]
    return mail


def _by_subject(known: Mapping[str, Summary], above: dict[str, str]) -> None:
    first: dict[str, str] = {}
    for mail in known.values():
        subject, answers = base_subject(mail.subject)
        if (
            answers
            and not mail.answers
            and subject in first
            and _root(above, first[subject]) != mail.id
        ):
            above[mail.id] = first[subject]
        elif subject:
            first.setdefault(subject, mail.id)
