"""Office documents, old and new: Word, PowerPoint, Excel, OpenDocument, RTF."""

import re
from typing import ClassVar

from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers import _kreuzberg as kreuzberg
from llmops.tasks.plugins.parsers._containers import OFFICE, refuse_bomb
from llmops.tasks.plugins.parsers._metadata import hidden_texts, sensible
from llmops.tasks.plugins.parsers.markdown import only_heading
from llmops.tasks.plugins.parsers.office.hidden import shown
from llmops.tasks.plugins.parsers.office.opendocument import read_opendocument
from llmops.tasks.plugins.parsers.office.slides import charts, read_slides

DOCX = f"{OFFICE}wordprocessingml.document"
PPTX = f"{OFFICE}presentationml.presentation"
OPEN = "application/vnd.oasis.opendocument."
SHEETS = (f"{OFFICE}spreadsheetml.sheet", "application/vnd.ms-excel")
WORD = re.compile(r"\w+")
TEMPLATE = re.compile(
    r"^(?:-{3,}|#* ?Click to edit Master \w+ styles?|(?:Second|Third|Fourth|Fifth) level)\n+",
    re.MULTILINE,
)


class OfficeParser(Parser):
    """Markdown. A form feed stands between slides and between sheets. Headers, footers and comments
    are left out. Text that nobody sees stands in the metadata `hidden_text` instead."""

    revision: ClassVar[int] = 2

    media_types: ClassVar[tuple[str, ...]] = (
        DOCX,
        PPTX,
        f"{OFFICE}spreadsheetml.sheet",
        f"{OPEN}text",
        f"{OPEN}presentation",
        f"{OPEN}spreadsheet",
        f"{OPEN}graphics",
        "application/msword",
        "application/vnd.ms-powerpoint",
        "application/vnd.ms-excel",
        "application/rtf",
        "text/rtf",
    )

    def parse(self, data: bytes, media_type: str) -> Parsed:
        refuse_bomb_in(data)
        data, unseen = shown(data)
        if media_type == PPTX or media_type.startswith(OPEN):
            pages, title = read_slides(data) if media_type == PPTX else read_opendocument(data)
        else:
            pages, title = _extracted(data, media_type)
        text = "\n\f\n".join(pages)
        first = next((line for line in text.splitlines() if line.strip("\f ")), "")
        headed = media_type == PPTX and first.startswith("## ")
        heading = only_heading(text) or (first.removeprefix("## ") if headed else None)
        return Parsed(
            text=text,
            markup="markdown",
            title=sensible(title) or heading,
            media_type=media_type,
            metadata=hidden_texts(unseen) | ({"pages": len(pages)} if len(pages) > 1 else {}),
        )


def refuse_bomb_in(data: bytes) -> None:
    """Raise DocumentError where a ZIP container unpacks to more than a document can be."""
    if data.startswith(b"PK"):
        refuse_bomb(data)


def _extracted(data: bytes, media_type: str) -> tuple[list[str], str]:
    """Pages by kreuzberg, where it knows them and they hold all the text; else the whole."""
    document = kreuzberg.markdown(data, media_type)
    text = (
        TEMPLATE.sub("", document.text)
        if media_type == "application/vnd.ms-powerpoint"
        else document.text
    )
    if media_type == DOCX:
        text = "\n\n".join([text, *charts(data, "word/charts/chart")])
    if media_type in SHEETS:
        return re.split(r"\n+(?=## )", text), ""
    complete = len(WORD.findall(" ".join(document.pages))) >= len(WORD.findall(text))
    return document.pages if len(document.pages) > 1 and complete else [text], str(
        document.metadata.get("title") or ""
    )
