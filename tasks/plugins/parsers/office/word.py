"""What the reader of Word files would lose is put where a person sees it (WordprocessingML,
ECMA-376 part 1, chapter 17): notes at their marks, embedded files at their places, merged cells in
every row and column that they span.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed
from llmops.tasks.plugins.parsers._containers import Package
from llmops.tasks.plugins.parsers.office.elements import (
    child,
    children,
    local,
    named,
    number,
    text_of,
    value,
)
from llmops.tasks.plugins.parsers.office.formulas import set_apart
from llmops.tasks.plugins.parsers.office.numbering import label_paragraphs

if TYPE_CHECKING:
    from lxml import etree

BODY: Final = "word/document.xml"
NOTES: Final = {"footnoteReference": "word/footnotes.xml", "endnoteReference": "word/endnotes.xml"}
COMMENTS: Final = "word/comments.xml"
EMPHASIS: Final = ("b", "i", "strike")
MARK: Final = "\ue000{}\ue001"
"""Stands for an embedded file until its text takes the place (characters that no font has)."""
MOST_EMBEDDED: Final = 100
WIDEST_SPAN: Final = 64
MOST_FILLED: Final = 20_000
"""Merged cells that are repeated, in one file: beyond it they stay as they are."""
LONGEST_VALUE: Final = 200
"""Characters of a merged cell that is repeated."""
SPACE: Final = "{http://www.w3.org/XML/1998/namespace}space"


def arrange(package: Package, roots: "dict[str, etree._Element]") -> tuple[bool, list[Parsed]]:
    """Change the parts in `roots` (name -> root) so that nothing is lost. Returns whether anything
    was to be changed, and the embedded files: `MARK` with their number stands where they belong.
    """
    body, before = roots[BODY], len(roots)
    _leave_out_comments(body, package, roots)
    changed = label_paragraphs(package, body, BODY) + set_apart(body)
    changed += _place_notes(body, roots) + _unwrap(body) + _plain(body) + _fill_spans(body)
    embedded = list(_embedded(body, package))
    return bool(changed or embedded or len(roots) > before), embedded


def _place_notes(body: "etree._Element", roots: "Mapping[str, etree._Element]") -> int:
    """The words of a note stand in brackets where its mark is; how many did."""
    placed = 0
    for kind, part in NOTES.items():
        if part not in roots:
            continue
        notes = {value(note, "id"): note for note in roots[part].iterchildren("*")}
        for mark in named(body, kind):
            note = notes.get(value(mark, "id"))
            if note is None or not (said := text_of(note)):
                continue
            _say(mark, f" [{said}]")
            placed += 1
            if note.getparent() is not None:
                note.getparent().remove(note)
    return placed


def _say(element: "etree._Element", text: str) -> None:
    """Put a text in the place of an element within a run."""
    space = str(element.tag).rpartition("}")[0] + "}"
    said = element.makeelement(f"{space}t", {SPACE: "preserve"})
    said.text = text
    element.getparent().replace(element, said)


def _leave_out_comments(
    body: "etree._Element", package: Package, roots: "dict[str, etree._Element]"
) -> None:
    for mark in named(body, "commentReference"):
        mark.getparent().remove(mark)
    if COMMENTS in package.names:
        roots[COMMENTS] = package.xml(COMMENTS)
        for comment in list(roots[COMMENTS]):
            roots[COMMENTS].remove(comment)


def _unwrap(body: "etree._Element") -> int:
    """Form fields in text boxes: the reader sees paragraphs there, and nothing else."""
    fields = [
        each
        for each in named(body, "sdt")
        if local(each.getparent()) == "txbxContent" and child(each, "sdtContent") is not None
    ]
    for field in fields:
        for each in list(children(field, "sdtContent")[0]):
            field.addprevious(each)
        field.getparent().remove(field)
    return len(fields)


def _plain(body: "etree._Element") -> int:
    """No marks of underlining, none within a word (`**w**ord` is found by nobody), and no picture
    called by the name that a program gave it.
    """
    gone = named(body, "u")
    for paragraph in named(body, "p"):
        gone += _within_words(children(paragraph, "r"))
    for mark in gone:
        if mark.getparent() is not None:
            mark.getparent().remove(mark)
    pictures = [
        each for each in named(body, "docPr", "cNvPr") if each.get("name") and not each.get("descr")
    ]
    for picture in pictures:
        picture.set("name", "")
    return len(gone) + len(pictures)


def _within_words(runs: "list[etree._Element]") -> "list[etree._Element]":
    """The properties that make some letters of a word bold or italic."""
    marks: list[etree._Element] = []
    for before, after in pairwise(runs):
        left, right = ("".join(t.text or "" for t in children(run, "t")) for run in (before, after))
        if left[-1:].isalnum() and right[:1].isalnum():
            for run in (before, after):
                marks += children(child(run, "rPr"), *EMPHASIS)
    return marks


def _fill_spans(body: "etree._Element") -> int:
    """A merged cell stands in every row and column that it spans, as copies of the first; how many
    copies were made.
    """
    filled = 0
    for table in named(body, "tbl"):
        above: dict[int, etree._Element] = {}
        for row in children(table, "tr"):
            filled += _fill_row(row, above)
            if filled > MOST_FILLED:
                return filled
    return filled


def _fill_row(row: "etree._Element", above: "dict[int, etree._Element]") -> int:
    """Fill the cells of a row from those `above` (column -> merged cell); how many were filled. A
    title over a whole row is said once: there it is alone.
    """
    column, filled, cells = 0, 0, children(row, "tc")
    for cell in cells:
        properties = child(cell, "tcPr")
        span, merge = child(properties, "gridSpan"), child(properties, "vMerge")
        wide = min(max(1, number(value(span), 1)), WIDEST_SPAN)
        if merge is not None and value(merge) != "restart" and column in above:
            _take_over(cell, above[column])
            merge.getparent().remove(merge)
            filled += 1
        elif merge is not None and _short(cell):
            above[column] = cell
        else:
            above.pop(column, None)
        if span is not None and len(cells) > 1 and _short(cell) and filled < MOST_FILLED:
            span.getparent().remove(span)
            for _ in range(wide - 1):
                cell.addnext(deepcopy(cell))
            filled += wide - 1
        column += wide
    return filled


def _short(cell: "etree._Element") -> bool:
    """Whether a cell is a value or a name; longer ones are parts of a page's layout."""
    return len(text_of(cell)) <= LONGEST_VALUE and not children(cell, "tbl")


def _take_over(cell: "etree._Element", source: "etree._Element") -> None:
    """Give a cell what stands in another."""
    for old in [each for each in cell.iterchildren("*") if local(each) != "tcPr"]:
        cell.remove(old)
    for each in source.iterchildren("*"):
        if local(each) != "tcPr":
            cell.append(deepcopy(each))


def _embedded(body: "etree._Element", package: Package) -> Iterator[Parsed]:
    """The embedded files (`altChunk`); a paragraph with a mark takes their places."""
    parts = package.related(BODY)
    for place, chunk in enumerate(named(body, "altChunk")[:MOST_EMBEDDED]):
        space = str(chunk.tag).rpartition("}")[0] + "}"
        paragraph = chunk.makeelement(f"{space}p", {})
        run = paragraph.makeelement(f"{space}r", {})
        said = run.makeelement(f"{space}t", {})
        said.text = MARK.format(place)
        run.append(said)
        paragraph.append(run)
        chunk.getparent().replace(chunk, paragraph)
        yield _read(package, parts.get(value(chunk, "id") or "", ("", ""))[1])


def _read(package: Package, name: str) -> Parsed:
    """An embedded file; without text where it is missing or nobody reads it, as Word shows it. Of
    Word files one level is read: a file may contain itself.
    """
    from llmops.tasks.plugins.parsers import parse

    nothing = Parsed(text="", media_type="")
    if name not in package.names:
        return nothing
    try:
        data = package.raw(name)
        return nothing if _nested(data) else parse(data, name)
    except DocumentError:
        return nothing


def _nested(data: bytes) -> bool:
    """Whether an embedded file is a Word file that embeds others."""
    inner = Package(data) if data.startswith(b"PK") else None
    return inner is not None and BODY in inner.names and b"altChunk" in inner.raw(BODY)
