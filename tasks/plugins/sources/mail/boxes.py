"""Where mails lie: mbox files, maildirs, folders of single files. One mail in memory at a time."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from llmops.tasks.errors import TransientDocumentError
from llmops.tasks.plugins.sources._local import why

FROM = re.compile(
    rb"From (?:.*\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b.*\d\d:\d\d|.*\d{4}-\d\d-\d\d)|From "
    rb"-?\s*$|From \S+@\S+\s*$"
)
"""What a mail of an mbox begins with; a sentence that begins with the word is none."""
FIELD = re.compile(rb"[\x21-\x39\x3b-\x7e]+[ \t]*:|>From ")
ESCAPED = re.compile(rb"^>(>*From )", re.M)
LINE = 1 << 16
HEAD = 1 << 18
FLAGS = re.compile(r"[:;!]2,[A-Za-z]*$")
MBOX_ENDINGS, MAIL_ENDINGS = (".mbox", ".mbx", ".mboxrd", ".mboxcl"), (".eml", ".msg.txt", ".mht")


class MailPlace(NamedTuple):
    """Where a mail lies. `length` is -1 for a file that is one mail."""

    path: str
    offset: int = 0
    length: int = -1


class Letter(NamedTuple):
    """A mail as it lies there. `whole` is False where it is above the limit: then `data` is only
    its beginning.
    """

    place: MailPlace
    data: bytes
    size: int
    whole: bool


class NoMbox(Exception):
    """A file that is none; the message says what stands where a mail should begin."""


def kind_of(path: str, file: Path, wanted: str) -> str:
    """What a file of a source is: `mbox`, `eml`, or "" for none of the mails."""
    folder = path.rpartition("/")[0].rpartition("/")[2]
    if wanted in ("auto", "maildir") and folder in ("cur", "new"):
        flags = FLAGS.search(path)
        return "" if flags and set(flags[0][3:]) & {"T", "D"} else "eml"  # trash and drafts
    if wanted == "maildir" or (wanted == "auto" and folder == "tmp"):
        return ""
    if wanted != "auto":
        return wanted
    name = path.lower()
    if name.endswith((*MAIL_ENDINGS, *MBOX_ENDINGS)):
        return "eml" if name.endswith(MAIL_ENDINGS) else "mbox"
    try:
        with file.open("rb") as opened:
            return "mbox" if opened.read(5) == b"From " else ""
    except OSError:
        return "mbox"  # reading it says why


def letters(root: Path, path: str, kind: str, max_bytes: int) -> Iterator[Letter]:
    """The mails of one file. Raises OSError, NoMbox."""
    with (root / path).open("rb") as file:
        if kind == "mbox":
            yield from _mbox(file, path, max_bytes)
            return
        data = file.read(max_bytes + 1)
        size = file.seek(0, 2)
        yield Letter(
            MailPlace(path), data if size <= max_bytes else data[:HEAD], size, size <= max_bytes
        )


def _mbox(file: IO[bytes], path: str, max_bytes: int) -> Iterator[Letter]:
    offset, start, blank, number = 0, -1, True, 0
    kept: list[bytes] = []
    line = file.readline(LINE)
    while line:
        following, begins = file.readline(LINE), blank and FROM.match(line) is not None
        if begins and FIELD.match(following):
            if start >= 0:
                yield _letter(path, start, offset, kept, max_bytes)
            start, kept = offset + len(line), []
        elif start < 0 and line.strip():
            raise NoMbox(
                f"no mbox: line {number + 1} does not begin a mail, as 'From … date' does, "
                f"with header fields after it"
            )
        elif start >= 0 and offset - start <= max_bytes:
            kept.append(line)
        offset, number = offset + len(line), number + 1
        blank, line = line in (b"\n", b"\r\n"), following
    if start >= 0:
        yield _letter(path, start, offset, kept, max_bytes)


def _letter(path: str, start: int, end: int, kept: list[bytes], max_bytes: int) -> Letter:
    size, data = end - start, ESCAPED.sub(rb"\1", b"".join(kept))
    return Letter(
        MailPlace(path, start, size),
        data if size <= max_bytes else data[:HEAD],
        size,
        size <= max_bytes,
    )


def again(root: Path, place: MailPlace) -> bytes:
    """The mail at a place, as `letters` gave it. Raises TransientDocumentError."""
    try:
        with (root / place.path).open("rb") as file:
            if place.length < 0:
                return file.read()
            file.seek(place.offset)
            return ESCAPED.sub(rb"\1", file.read(place.length))
    except FileNotFoundError as error:
        raise TransientDocumentError(
            "its file was there when the source was listed, but is gone now"
        ) from error
    except OSError as error:
        raise TransientDocumentError(f"its file could not be read: {why(error)}") from error
