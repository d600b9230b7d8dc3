"""Office documents, old and new: Word, PowerPoint, Excel, OpenDocument, RTF, WordPerfect,
Hangul.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.parsers import Comments, Parsed, Parser
from llmops.tasks.plugins.parsers import _xberg as xberg
from llmops.tasks.plugins.parsers._containers import OFFICE, XLSB, refuse_bomb
from llmops.tasks.plugins.parsers._metadata import hidden_texts, sensible
from llmops.tasks.plugins.parsers.markdown import only_heading
from llmops.tasks.plugins.parsers.office.comments import section
from llmops.tasks.plugins.parsers.office.formulas import with_formulas
from llmops.tasks.plugins.parsers.office.labels import with_labels
from llmops.tasks.plugins.parsers.office.old_slides import slide_texts
from llmops.tasks.plugins.parsers.office.opendocument import read_opendocument
from llmops.tasks.plugins.parsers.office.preparation import prepared, repacked
from llmops.tasks.plugins.parsers.office.rich_text import plain_runs
from llmops.tasks.plugins.parsers.office.sheets import formulas_without_values, read_sheets
from llmops.tasks.plugins.parsers.office.slides import charts, read_slides
from llmops.tasks.plugins.parsers.office.word import MARK

DOCX = f"{OFFICE}wordprocessingml.document"
PPTX = f"{OFFICE}presentationml.presentation"
OPEN = "application/vnd.oasis.opendocument."
XLSX = f"{OFFICE}spreadsheetml.sheet"
SHEETS = (XLSX, "application/vnd.ms-excel", XLSB)
RICH_TEXT = ("application/rtf", "text/rtf")
WORD = re.compile(r"\w+")
COMMENT = re.compile(r"^\[\^cmt\d+\]:\n(?:(?: {4}.*)?\n)*", re.MULTILINE)
NOTE = re.compile(r"^\[\^(\d+)\]:\s*\n((?: {4}.*\n|\n(?= {4}))*)", re.MULTILINE)
TEMPLATE = re.compile(
    r"^(?:-{3,}|#* ?Click to edit Master \w+ styles?|(?:Second|Third|Fourth|Fifth) level)\n+",
    re.MULTILINE,
)


class OfficeParser(Parser):
    """Markdown. A form feed stands between slides and between sheets. Headers and footers are left
    out. Text that nobody sees stands in the metadata `hidden_text` instead.

    `comments` are left out (`drop`), or stand below the text, the sheet or the slide under a
    heading of their own (`apart`), each with its author, its day, and what it is attached to.
    """

    revision: ClassVar[int] = 5
    comments: Comments = "drop"

    media_types: ClassVar[tuple[str, ...]] = (
        DOCX,
        PPTX,
        XLSX,
        f"{OPEN}text",
        f"{OPEN}presentation",
        f"{OPEN}spreadsheet",
        f"{OPEN}graphics",
        "application/msword",
        "application/vnd.ms-powerpoint",
        "application/vnd.ms-excel",
        XLSB,
        "application/vnd.wordperfect",
        "application/x-hwp",
        *RICH_TEXT,
    )

    def fingerprint(self) -> str:
        options = self.model_dump_json(exclude_defaults=True)
        return digest(f"{self.spelling()}/{self.revision}", options)

    def parse(self, data: bytes, media_type: str) -> Parsed:
        refuse_bomb_in(data)
        apart = self.comments == "apart"
        data, unseen, embedded, comments = prepared(data, comments=apart)
        if media_type in RICH_TEXT:
            data = plain_runs(data)
        if media_type == PPTX or media_type.startswith(OPEN):
            read = read_slides if media_type == PPTX else read_opendocument
            pages, title = read(data, comments=apart)
        else:
            pages, title = _extracted(data, media_type, embedded, comments=apart)
        empty = formulas_without_values(data) if media_type == XLSX else 0
        text = "\n\f\n".join(pages)
        first = next((line for line in text.splitlines() if line.strip("\f ")), "")
        headed = media_type == PPTX and first.startswith("## ")
        heading = only_heading(text) or (first.removeprefix("## ") if headed else None)
        return Parsed(
            text="\n\n".join(filter(None, (text, section(comments, 1)))),
            markup="markdown",
            title=sensible(title) or heading,
            media_type=media_type,
            metadata=hidden_texts(unseen)
            | ({"pages": len(pages)} if len(pages) > 1 else {})
            | ({"formulas_without_values": empty} if empty else {}),
        )


def refuse_bomb_in(data: bytes) -> None:
    """Raise DocumentError where a ZIP container unpacks to more than a document can be."""
    if data.startswith(b"PK"):
        refuse_bomb(data)


def _extracted(
    data: bytes, media_type: str, embedded: Sequence[Parsed], *, comments: bool
) -> tuple[list[str], str]:
    """Pages by xberg, where it knows them and they hold all the text; else the whole."""
    document = _read(data, media_type)
    if media_type in SHEETS:
        return read_sheets(data, document.pages, comments=comments), document.title
    pages = [page.text for page in document.pages]
    complete = len(WORD.findall(" ".join(pages))) >= len(WORD.findall(document.text))
    texts = pages if len(pages) > 1 and complete else [document.text]
    if media_type == DOCX:
        texts = with_formulas(texts)
        texts[-1] = "\n\n".join([texts[-1], *charts(data, "word/charts/chart")])
        return [_filled(with_labels(text), embedded) for text in texts], document.title
    if media_type == "application/vnd.ms-powerpoint":
        texts = [TEMPLATE.sub("", text) for text in texts]
        texts[-1] = "\n\n".join(filter(None, (texts[-1].rstrip(), _not_read(data, texts))))
    texts = [with_labels(text) for text in texts]
    return [NOTE.sub(_note, COMMENT.sub("", f"{text}\n")).strip() for text in texts], document.title


def _not_read(data: bytes, texts: Sequence[str]) -> str:
    """What stands on old slides and not in these texts."""
    known = f" {' '.join(WORD.findall(' '.join(texts)))} "
    said = dict.fromkeys(line for slide in slide_texts(data) for line in slide)
    words = {line: " ".join(WORD.findall(line)) for line in said}
    more = [line for line in said if words[line] and f" {words[line]} " not in known]
    left = TEMPLATE.sub("", "".join(f"{line}\n\n" for line in more)).strip()
    return left if WORD.search(left) else ""


def _read(data: bytes, media_type: str) -> xberg.Extracted:
    try:
        return xberg.markdown(data, media_type)
    except DocumentError:
        again = repacked(data)
        if again is None:
            raise
        return xberg.markdown(again, media_type)


def _filled(text: str, embedded: Sequence[Parsed]) -> str:
    """The text with embedded files at their marks."""
    for number, file in enumerate(embedded):
        text = text.replace(MARK.format(number), file.text.replace("\f", "\n").strip())
    return text


def _note(note: re.Match[str]) -> str:
    """A note that stands at the end of an old file."""
    return f"[{note[1]}] {' '.join(note[2].split())}\n"
