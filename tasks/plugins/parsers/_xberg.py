"""The one place that calls xberg."""

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers._containers import DEFLATE_RATIO, MOST_INFLATED
from llmops.tasks.plugins.parsers.markdown import markdown_table

if TYPE_CHECKING:
    from xberg import ExtractionConfig

MOST_CELLS = 5_000_000
REASONS = {
    "password|encrypt|codepage D7CC": "the file is protected by a password; save a copy without "
    "one",
    "fast-saved": "it was saved by Word 95 or older in the fast way, which cannot be read; open it "
    "in LibreOffice and save it as .docx",
    "panick": "the reader broke off at something unusual in it; open it in its program and save it "
    "anew, a sheet as .xlsx",
    "unrecognized entity": "it defines abbreviations (entities), as no Office program does; it may "
    "be an attack; open it in its program and save it anew if it is genuine",
}
UNREADABLE = (
    "the file cannot be read ({}): it is damaged, or written in an unusual way; open it in its "
    "program and save it anew, or take it from its origin again"
)
PICTURE = re.compile(r"!\[((?:[^\]\\]|\\.)*)\]\([^)\n]*\)")
ESCAPED = re.compile(r"\\([!<>*_\[\]()~.+\-\"'&`])|(?<=.)\\(#)")
UNDERLINED = re.compile(r"</?u>")
TABLE = re.compile(r"(?:^\|.*\|[ \t]*\n){2,}", re.MULTILINE)
RULE = re.compile(r"\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*\Z")
CELL = re.compile(r"(?<!\\)\|")


class ExtractedPage(NamedTuple):
    """A page, slide or sheet; `name` is that of a sheet, else ""."""

    text: str
    name: str


class Extracted(NamedTuple):
    """What xberg found. `pages` is empty where a format has none, `title` where there is none;
    `attachments`: the names of those of a mail, which are not read.
    """

    text: str
    pages: list[ExtractedPage]
    title: str
    attachments: list[str]


def markdown(data: bytes, media_type: str) -> Extracted:
    """A document as Markdown. Raises DocumentError with xberg's reason."""
    import asyncio

    import xberg

    what = xberg.ExtractInput(kind="bytes", bytes=data, mime_type=media_type)
    try:
        result = asyncio.run(xberg.extract(what, _config()))
    except Exception as error:  # RuntimeError for what it refuses, RustPanic where it broke off
        raise failed(str(error)) from error
    if result.errors or not result.results:
        raise failed("; ".join(each.message for each in result.errors) or "nothing came of it")
    document = result.results[0]
    pages = [
        ExtractedPage(tidy(page.content), page.sheet_name or "") for page in document.pages or []
    ]
    mail = document.metadata.format.email if document.metadata.format else None
    names = list(mail.attachments) if mail else []
    return Extracted(tidy(document.content), pages, document.metadata.title or "", names)


@cache
def _config() -> "ExtractionConfig":
    """Offline, on one thread, without memory of earlier files. Its own limits are as wide
    as ours, which were checked before.
    """
    import xberg

    return xberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        disable_ocr=True,
        output_format="markdown",
        escape_markdown=False,
        extraction_timeout_secs=None,
        max_archive_depth=0,
        concurrency=xberg.ConcurrencyConfig(max_threads=1),
        pages=xberg.PageConfig(extract_pages=True),
        content_filter=xberg.ContentFilterConfig(
            include_footnotes=True, strip_repeating_text=False
        ),
        security_limits=xberg.SecurityLimits(
            max_archive_size=MOST_INFLATED,
            max_compression_ratio=DEFLATE_RATIO + 1,
            max_table_cells=MOST_CELLS,
        ),
    )


def failed(said: str) -> DocumentError:
    """A reason for a person, from what a library said."""
    reason = re.sub(r"^(?:(?:\w*Error|\w+ error): )+", "", said).strip().rstrip(".")
    known = (why for pattern, why in REASONS.items() if re.search(pattern, reason, re.IGNORECASE))
    return DocumentError(next(known, UNREADABLE.format(reason[:200])))


def tidy(text: str) -> str:
    """Markdown as people write it: no escapes that only a renderer needs, pictures as their names,
    no empty rows.
    """
    text = UNDERLINED.sub(
        "", PICTURE.sub(r"\1", text).replace("\\<u\\>", "").replace("\\</u\\>", "")
    )
    lines = [
        line if "\\" not in line or "$" in line else ESCAPED.sub(r"\1\2", line)
        for line in text.split("\n")
    ]
    return TABLE.sub(_narrowed, "\n".join(lines) + "\n").strip("\n")


def _narrowed(table: re.Match[str]) -> str:
    """The same table without rows and columns that are empty throughout."""
    rows = [_cells(line.strip()[1:-1]) for line in table[0].splitlines() if not RULE.match(line)]
    return markdown_table(rows) + "\n"


def _cells(line: str) -> list[str]:
    if "\\" not in line:
        return line.split("|")
    return [cell.replace("\\|", "|") for cell in CELL.split(line)]
