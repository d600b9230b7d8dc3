"""OpenDocument texts, sheets and slides (OASIS OpenDocument 1.3, part 3)."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from llmops.tasks.plugins.parsers._containers import Package
from llmops.tasks.plugins.parsers.markdown import markdown_table
from llmops.tasks.plugins.parsers.office.comments import (
    Comment,
    page_annotations,
    section,
    table_annotations,
)
from llmops.tasks.plugins.parsers.office.labels import LABEL, with_labels
from llmops.tasks.plugins.parsers.office.opendocument_shown import (
    FORMULA_NOTE,
    LABEL_NOTE,
    RAISED_NOTE,
    STRUCK_NOTE,
    note_what_is_shown,
)
from llmops.tasks.plugins.parsers.office.runs import RunPiece, markdown_runs

if TYPE_CHECKING:
    from lxml import etree


SPACE = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
TEXT, TABLE, DRAW, STYLE = (SPACE % name for name in ("text", "table", "drawing", "style"))
OFFICE, PRESENTATION = (SPACE % name for name in ("office", "presentation"))
SKIPPED = {
    f"{OFFICE}annotation",
    f"{OFFICE}annotation-end",
    f"{TEXT}tracked-changes",
    f"{OFFICE}forms",
    f"{TEXT}sequence-decls",
}
STYLED = (f"{TEXT}span", f"{TEXT}p", f"{TEXT}h")
NAME = f"{TABLE}name"
MOST_REPEATS = 64


def read_opendocument(data: bytes, *, comments: bool = False) -> tuple[list[str], str]:
    """The pages (slides, sheets; one for a text) as Markdown, and the title among the
    properties. `comments`: whether those of slides and sheets stand on their pages.
    """
    package = Package(data)
    root = package.xml("content.xml")
    body = root.find(f"{OFFICE}body")
    title = package.title("meta.xml")
    content = body[0] if body is not None and len(body) else None
    if content is None:
        return [], title
    note_what_is_shown(package, root)
    if content.tag == f"{OFFICE}presentation":
        slides = enumerate(content.iterchildren(f"{DRAW}page"), 1)
        return [
            _with(_slide(page), page_annotations(page, number) if comments else [])
            for number, page in slides
        ], title
    if content.tag == f"{OFFICE}spreadsheet":
        return [
            f"## {each.get(NAME)}\n\n{text}" if text else ""
            for each in content.iterchildren(f"{TABLE}table")
            for text in [_with(_table(each), table_annotations(each) if comments else [])]
        ], title
    return ["\n\n".join(blocks(content))], title


def _with(page: str, comments: Sequence[Comment]) -> str:
    return "\n\n".join(filter(None, (page, section(comments, 3))))


def blocks(element: "etree._Element") -> Iterator[str]:
    """The blocks below an element as Markdown, in order."""
    for child in element.iterchildren("*"):
        if child.tag in SKIPPED:
            continue
        made = _block(child)
        if made is None:
            yield from blocks(child)
        else:
            yield from (text for text in made if text)


def _block(element: "etree._Element") -> list[str] | None:
    """What a block is in Markdown; None for what only holds blocks."""
    if element.tag == f"{TEXT}h":
        level = min(6, int(element.get(f"{TEXT}outline-level", "1")))
        label = f"{element.get(LABEL_NOTE, '')} ".lstrip()
        text = inline(element)
        return [f"{'#' * level} {label}{text}" if text else "", *_frames(element)]
    if element.tag == f"{TEXT}p":
        return [inline(element), *_frames(element)]
    if element.tag == f"{TEXT}list":
        return [with_labels("\n".join(_items(element, 0)))]
    return [_table(element)] if element.tag == f"{TABLE}table" else None


def _frames(paragraph: "etree._Element") -> Iterator[str]:
    """Text boxes that are anchored in a paragraph."""
    for box in paragraph.iter(f"{DRAW}text-box"):
        yield from blocks(box)


def inline(element: "etree._Element") -> str:
    """The running text of a paragraph; footnotes stand in brackets where their mark is."""
    return " ".join(markdown_runs(_pieces(element, RunPiece(""))).split())


def _pieces(element: "etree._Element", look: RunPiece) -> Iterator[RunPiece]:
    """The pieces of a text, which have the `look` of what they stand in."""
    own = look._replace(
        raised=look.raised or element.get(RAISED_NOTE) is not None,
        struck=look.struck or element.get(STRUCK_NOTE) is not None,
    )
    yield own._replace(text=element.text or "")
    for child in element.iterchildren("*"):
        if child.tag == f"{TEXT}note":
            notes = child.find(f"{TEXT}note-body")
            yield RunPiece(f" [{' '.join(blocks(notes))}]" if notes is not None else "")
        elif child.tag in (f"{TEXT}s", f"{TEXT}tab", f"{TEXT}line-break"):
            yield own._replace(text=" ")
        elif child.get(FORMULA_NOTE) is not None:
            yield RunPiece(child.get(FORMULA_NOTE, ""))
        elif child.tag not in SKIPPED and child.tag != f"{DRAW}text-box":
            yield from _pieces(child, own)
        yield own._replace(text=child.tail or "")


def _items(element: "etree._Element", level: int) -> Iterator[str]:
    for item in element.iterchildren(f"{TEXT}list-item", f"{TEXT}list-header"):
        for child in item.iterchildren("*"):
            if child.tag == f"{TEXT}list":
                yield from _items(child, level + 1)
            else:
                mark = _mark(child)
                for text in _block(child) or blocks(child):
                    if text:
                        yield f"{'  ' * level}- {mark}{text}"
                        mark = ""


def _mark(block: "etree._Element") -> str:
    label = block.get(LABEL_NOTE) if block.tag == f"{TEXT}p" else None
    return LABEL.format(label) if label else ""


def _table(table: "etree._Element") -> str:
    rows = []
    for row in table.iter(f"{TABLE}table-row"):
        if next(row.iterancestors(f"{TABLE}table"), None) is table:
            rows += [_row(row)] * _times(row, "rows")
    return markdown_table(rows)


def _row(row: "etree._Element") -> list[str]:
    cells: list[str] = []
    for cell in row.iterchildren(f"{TABLE}table-cell", f"{TABLE}covered-table-cell"):
        cells += [" ".join(_cell(cell))] * _times(cell, "columns")
    return cells


def _cell(cell: "etree._Element") -> Iterator[str]:
    """The blocks of a cell on one line: a table within it loses its frame, not its text."""
    for text in blocks(cell):
        yield (
            " ".join(text.replace("| --- ", "").replace("|", " ").split())
            if text.startswith("|")
            else text
        )


def _times(element: "etree._Element", what: str) -> int:
    """How often a row or cell repeats; the thousands of empty ones at the end of a sheet count as a
    few.
    """
    return min(MOST_REPEATS, int(element.get(f"{TABLE}number-{what}-repeated", "1")))


def _slide(page: "etree._Element") -> str:
    """A slide: its title frame as a heading, then the rest, then the speaker's notes."""
    title, rest, notes = "", list[str](), list[str]()
    for child in page.iterchildren("*"):
        if child.tag in SKIPPED:
            continue
        text = list(blocks(child))
        if child.tag == f"{PRESENTATION}notes":
            notes += text
        elif child.get(f"{PRESENTATION}class") == "title" and not title:
            title = " ".join(" ".join(text).split())
        else:
            rest += text
    heading = [f"## {title}"] if title else []
    return "\n\n".join([*heading, *rest, *([f"Notes: {' '.join(notes)}"] if notes else [])])


def taken_out(root: "etree._Element", styles: Sequence["etree._Element"]) -> list[str]:
    """The texts that are hidden: by text:display, in hidden sections and hidden-text fields.
    Afterwards they are no longer in the content.
    """
    hidden = {
        style.get(f"{STYLE}name")
        for sheet in styles
        for style in sheet.iter(f"{STYLE}style")
        if any(
            properties.get(f"{TEXT}display") == "none"
            for properties in style.iter(f"{STYLE}text-properties")
        )
    }
    texts: list[str] = []
    for element in [
        *root.iter(*STYLED, f"{TEXT}section", f"{TEXT}hidden-text", f"{TEXT}hidden-paragraph")
    ]:
        if _hides(element, hidden) and (said := "".join(element.itertext()).strip()):
            texts.append(said)
            element.text = None
            for child in list(element):
                element.remove(child)
    return texts


def _hides(element: "etree._Element", hidden: set[str | None]) -> bool:
    if element.tag == f"{TEXT}section":
        return bool(element.get(f"{TEXT}display") == "none")
    return element.tag not in STYLED or element.get(f"{TEXT}style-name") in hidden
