"""Slides of a PowerPoint presentation (PresentationML, ECMA-376 part 1, chapter 19)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmops.tasks.plugins.parsers._containers import Package
from llmops.tasks.plugins.parsers.markdown import markdown_table
from llmops.tasks.plugins.parsers.office.comments import section, slide_comments
from llmops.tasks.plugins.parsers.office.elements import number
from llmops.tasks.plugins.parsers.office.hidden import not_shown
from llmops.tasks.plugins.parsers.office.labels import LABEL, with_labels
from llmops.tasks.plugins.parsers.office.runs import RunPiece, markdown_runs
from llmops.tasks.texts.numerals import numeral

if TYPE_CHECKING:
    from lxml import etree


A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
STRICT = {
    "http://purl.oclc.org/ooxml/drawingml/main": A,
    "http://purl.oclc.org/ooxml/presentationml/main": P,
    "http://purl.oclc.org/ooxml/drawingml/chart": C,
    "http://purl.oclc.org/ooxml/officeDocument/relationships": R,
}
SHOW = "ppt/presentation.xml"
TITLES = {"title", "ctrTitle"}
DEEPEST = 8
AUTOMATIC = {
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
    "circleNum": "decimalEnclosedCircle",
    "ea1": "chineseCounting",
}
FURNITURE = {"sldNum", "dt", "ftr", "hdr"}


def read_slides(data: bytes, *, comments: bool = False) -> tuple[list[str], str]:
    """The slides as Markdown in the order of the show, with their `comments` if they are wanted,
    and the title among the properties.
    """
    package = Package(data)
    show = plain(package.xml(SHOW))
    parts = package.related(SHOW)
    listed = [parts.get(entry.get(f"{R}id"), ("", ""))[1] for entry in show.iter(f"{P}sldId")]
    slides = list[str]()
    for place, name in enumerate((name for name in listed if name in package.names), 1):
        if not_shown(package.xml(name)):
            slides.append("")  # the others keep their numbers
            continue
        said = section(slide_comments(package, SHOW, name, place), 3) if comments else ""
        slides.append("\n\n".join(filter(None, (slide(package, name), said))))
    return slides, package.title("docProps/core.xml")


def slide(package: Package, name: str) -> str:
    """One slide: its title as a heading, texts, tables, charts, and the speaker's notes."""
    related = package.related(name)
    blocks = [block for block in _shapes(plain(package.xml(name)), package, dict(related)) if block]
    blocks.sort(key=lambda block: not block.startswith("## "))
    for kind, part in related.values():
        if kind == "notesSlide" and part in package.names:
            notes = [
                _text(shape)
                for shape in plain(package.xml(part)).iter(f"{P}sp")
                if _placeholder(shape) == "body"
            ]
            blocks += [f"Notes: {text}" for text in notes if text]
    return "\n\n".join(blocks)


def plain(root: "etree._Element") -> "etree._Element":
    """The strict dialect renamed to the usual one."""
    if root.tag.startswith("{http://purl.oclc.org"):
        for element in root.iter("*"):
            space, _, local = element.tag[1:].partition("}")
            element.tag = STRICT.get(space, f"{{{space}}}") + local
    return root


def _shapes(
    root: "etree._Element", package: Package, related: dict[str, tuple[str, str]]
) -> Iterator[str]:
    for element in root.iter(f"{P}sp", f"{A}tbl", f"{C}chart", f"{{{DIAGRAM}}}relIds"):
        if element.tag == f"{P}sp":
            yield _shape(element)
        elif element.tag == f"{A}tbl":
            yield markdown_table(
                [
                    [_text(cell, " ") for cell in row.iter(f"{A}tc")]
                    for row in element.iter(f"{A}tr")
                ]
            )
        else:
            part = related.get(element.get(f"{R}id") or element.get(f"{R}dm") or "", ("", ""))[1]
            if part in package.names:
                root_of_part = plain(package.xml(part))
                yield chart(root_of_part) if element.tag == f"{C}chart" else _text(root_of_part)


DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"


def _placeholder(shape: "etree._Element") -> str:
    placeholder = shape.find(f"{P}nvSpPr/{P}nvPr/{P}ph")
    return "" if placeholder is None else placeholder.get("type", "content")


def _shape(shape: "etree._Element") -> str:
    kind = _placeholder(shape)
    if kind in TITLES:
        return f"## {_text(shape, ' ')}" if _text(shape) else ""
    if kind in FURNITURE:
        return ""
    counter = _Counter()
    lines = [
        _line(paragraph, counter, listed=kind in ("content", "body"))
        for paragraph in shape.iter(f"{A}p")
    ]
    return with_labels("\n".join(line for line in lines if line))


def _line(paragraph: "etree._Element", counter: "_Counter", *, listed: bool) -> str:
    """One paragraph, as an item where it has a bullet or a number of its own or its placeholder
    gives it a bullet.
    """
    text = _runs(paragraph)
    style = paragraph.find(f"{A}pPr")
    level = min(max(0, number(style.get("lvl"))), DEEPEST) if style is not None else 0
    own = style is not None and any(
        style.find(f"{A}{mark}") is not None for mark in ("buChar", "buAutoNum", "buBlip")
    )
    bare = style is not None and style.find(f"{A}buNone") is not None
    item = (
        own
        or level > 0
        or (listed and not bare and len(list(paragraph.getparent().iterchildren(f"{A}p"))) > 1)
    )
    if not text:
        return ""
    numbered = style.find(f"{A}buAutoNum") if style is not None else None
    label = counter.label(level, numbered)
    return f"{'  ' * level}- {LABEL.format(label) if label else ''}{text}" if item else text


class _Counter:
    """Where the numbered lists of a shape stand. Another kind of number, or a paragraph of the same
    or a higher level without one, ends a list.
    """

    def __init__(self) -> None:
        self._lists: dict[int, tuple[str, int, int]] = {}

    def label(self, level: int, numbered: "etree._Element | None") -> str:
        for deeper in [each for each in self._lists if each > level]:
            del self._lists[deeper]
        if numbered is None:
            self._lists.pop(level, None)
            return ""
        kind, start = numbered.get("type", "arabicPeriod"), number(numbered.get("startAt"), 1)
        before = self._lists.get(level)
        count = before[2] + 1 if before is not None and before[:2] == (kind, start) else start
        self._lists[level] = (kind, start, count)
        return _numbered(count, kind)


def _numbered(count: int, kind: str) -> str:
    """A number in a form of DrawingML (ECMA-376 part 1, section 20.1.10.61): `alphaLcParenBoth` is
    (a).
    """
    form = next((form for name, form in AUTOMATIC.items() if kind.startswith(name)), "decimal")
    before = "(" if kind.endswith("ParenBoth") else ""
    after = ")" if "Paren" in kind else "." if kind.endswith("Period") else ""
    return f"{before}{numeral(count, form)}{after}"


def _runs(paragraph: "etree._Element") -> str:
    pieces = (
        _piece(run) if run.tag == f"{A}t" else RunPiece(" ")
        for run in paragraph.iter(f"{A}t", f"{A}br", f"{A}tab")
    )
    return " ".join(markdown_runs(pieces).split())


def _piece(text: "etree._Element") -> RunPiece:
    look = text.getparent().find(f"{A}rPr")
    if look is None:
        return RunPiece(text.text or "")
    struck = look.get("strike", "noStrike") != "noStrike"
    return RunPiece(text.text or "", number(look.get("baseline")) > 0, struck)


def _text(element: "etree._Element", between: str = "\n") -> str:
    return between.join(text for paragraph in element.iter(f"{A}p") if (text := _runs(paragraph)))


def charts(data: bytes, prefix: str) -> list[str]:
    """The charts in the parts whose names begin with `prefix`, in the order of those names."""
    package = Package(data)
    names = sorted(
        name for name in package.names if name.startswith(prefix) and name.endswith(".xml")
    )
    return [text for name in names if (text := chart(plain(package.xml(name))))]


def chart(root: "etree._Element") -> str:
    """A chart's title, and its series as a table: one row per category."""
    named = root.find(f".//{C}title")
    series = list(root.iter(f"{C}ser"))
    names = [" ".join(_cached(one.find(f"{C}tx"))) for one in series]
    columns = [_cached(one.find(f"{C}val")) or _cached(one.find(f"{C}yVal")) for one in series]
    labels = (_cached(one.find(f"{C}cat")) or _cached(one.find(f"{C}xVal")) for one in series)
    rows = [
        [label, *(column[n] if n < len(column) else "" for column in columns)]
        for n, label in enumerate(next(filter(None, labels), []))
    ]
    title = _text(named, " ") if named is not None else ""
    return "\n\n".join(
        part for part in (title, markdown_table([["", *names], *rows]) if rows else "") if part
    )


def _cached(element: "etree._Element") -> list[str]:
    return [] if element is None else [value.text or "" for value in element.iter(f"{C}v")]
