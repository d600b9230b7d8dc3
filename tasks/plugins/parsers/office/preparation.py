"""Office and OpenDocument files as they are given to their reader: without the text that nobody
sees, and with what the reader would lose put where a person sees it.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed
from llmops.tasks.plugins.parsers._containers import Package, members, padded, unix
from llmops.tasks.plugins.parsers.office import hidden, sheets, word
from llmops.tasks.plugins.parsers.office.comments import Comment, text_annotations, word_comments
from llmops.tasks.plugins.parsers.office.elements import child

if TYPE_CHECKING:
    from lxml import etree

OLE: Final = b"\xd0\xcf\x11\xe0"
Taker = Callable[[Package], hidden.Uncovered]


class Prepared(NamedTuple):
    """`hidden`: the texts that were taken out. `embedded`: files within a Word file; the text of
    number n belongs where `word.MARK` says n. `comments`: those of a text, where they are wanted.
    """

    data: bytes
    hidden: list[str]
    embedded: list[Parsed]
    comments: list[Comment]


def prepared(data: bytes, *, comments: bool = False) -> Prepared:
    """The same bytes where there is nothing to change, or where the file cannot be told.

    Hidden is: in Word hidden, white on nothing, smaller than two points; in PowerPoint slides that
    are left out of the show, hidden shapes, shapes beside the slide, letters smaller than two
    points; in OpenDocument hidden text. Sheets, and the formats before 2007, are not looked into.
    """
    if not data.startswith(b"PK"):
        return Prepared(data, [], [], [])
    try:
        package = Package(data)
        take = next((take for name, take in TAKERS.items() if name in package.names), None)
        parts, texts, spelled = take(package) if take else hidden.Uncovered({}, [])
        said = _comments(package, parts) if comments else []
        arranged, embedded = word.arrange(package, parts) if word.BODY in parts else (False, [])
        changed = texts or arranged or spelled
        whole = _replaced(data, parts) if changed else data
    except (DocumentError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        return Prepared(data, [], [], [])  # the parser that follows says what is wrong with it
    texts += [text for each in embedded for text in each.metadata.get("hidden_text", ())]
    return Prepared(whole, texts, embedded, said)


def _comments(package: Package, parts: "Mapping[str, etree._Element]") -> list[Comment]:
    """Those of a text, once its hidden words are gone; sheets and slides have theirs on their
    pages.
    """
    if word.BODY in parts:
        return word_comments(package, parts)
    content = child(parts.get("content.xml"), "body", "text")
    return text_annotations(content) if content is not None else []


def repacked(data: bytes) -> bytes | None:
    """The same container as stricter readers want it, where it is one that can be read; None where
    there is no other form of it.
    """
    if data.startswith(OLE):
        return padded(data)
    try:
        return _replaced(data, {}) if data.startswith(b"PK") else None
    except (DocumentError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        return None


def _replaced(data: bytes, parts: "Mapping[str, etree._Element]") -> bytes:
    """The same container with other roots for some parts; nothing in it is compressed."""
    from lxml import etree

    out = io.BytesIO()
    with members(data) as before, zipfile.ZipFile(out, "w") as after:
        for info in before.infolist():
            root = parts.get(info.filename)
            content = (
                before.read(info)
                if root is None
                else etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
            )
            after.writestr(unix(info.filename), content)
    return out.getvalue()


TAKERS: Final[Mapping[str, Taker]] = {
    word.BODY: hidden.hidden_in_text,
    "ppt/presentation.xml": hidden.hidden_in_slides,
    "content.xml": hidden.hidden_in_opendocument,
    sheets.BOOK: sheets.arranged,
}
