"""The blocks of XML as Markdown: headings, paragraphs, items of lists, code, tables."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from llmops.tasks.plugins.parsers._numbers import number_of, ordinal
from llmops.tasks.plugins.parsers.markdown import markdown_table
from llmops.tasks.plugins.parsers.xml.inline import FORMULAS, XmlRun, formula, running, shown
from llmops.tasks.texts.mathml import name_of

if TYPE_CHECKING:
    from lxml import etree


TITLES: Final = {
    *("title", "article-title", "invention-title", "heading", "head", "book-title", "label-title")
}
BODY: Final = {
    *("body", "abstract", "sec", "description", "section", "chapter", "front", "back", "book")
}
RUNNING: Final = {
    *("p", "para", "simpara", "claim-text", "text", "li", "caption", "td", "th", "entry", "term"),
    *("def", *TITLES),
}
SKIPPED: Final = {
    *("journal-meta", "permissions", "script", "style", "xref-list", "self-uri", "counts"),
    "custom-meta-group",
}
ORDERED: Final = {"orderedlist", "procedure", "substeps", "ol"}
LISTS: Final = {"list", "itemizedlist", "ul", *ORDERED}
ITEMS: Final = {"list-item", "listitem", "step", "li"}
CODE: Final = {"programlisting", "preformat", "pre", "literallayout"}
CODE_BY_LINES: Final = {"code", "screen", "synopsis"}
"""These are code where they have lines: other XML has short values of these names."""
WARNINGS: Final = {"warning", "caution", "important", "danger", "tip"}
ALONE: Final = {
    *("table-wrap", "informaltable", "fig", "figure", "informalfigure", "disp-quote", "def-list"),
    *("blockquote", "boxed-text", "variablelist"),
}
"""What stands apart within a paragraph."""
LABELLED: Final = {
    *("sec", "fig", "table-wrap", "ref", "fn", "aff", "app", "boxed-text", "statement"),
    *("list-item", "supplementary-material", "glossary", "ack"),
}
MARKED: Final = re.compile(r"(#{1,6}) (?=\S)")
APART: Final = re.compile(r"[|>`$]|[-*] |\d+\. ")
ITEM: Final = re.compile(r"- |[\w(]{1,7}[.)] ")
BULLETS: Final = frozenset("•–—-‐‑·◦▪■○*")
LONGEST_RECORD: Final = 300
DEEPEST_LIST: Final = 8
"""Lists within each other; the margin of those that are deeper does not grow."""


def blocks(element: "etree._Element", depth: int, level: int = 0) -> Iterator[str]:
    """The texts below an element, in order. An element with text of its own is one block, with all
    that is in it but lists, code and tables.
    """
    label, is_labelled = "", name_of(element) in LABELLED
    for child in element.iterchildren("*"):
        if is_labelled and name_of(child) == "label":
            label = f"{label} {running(child)}".strip()
            continue
        for block in filter(None, _block(child, depth, level)):
            yield _labelled(label, block) if label else block
            label = ""
    if label:
        yield label


def _labelled(label: str, block: str) -> str:
    """A block behind its number, where it is one of running text."""
    if APART.match(block):
        return f"{label}\n\n{block}"
    return (
        MARKED.sub(rf"\1 {_raw(label)} ", block, 1) if MARKED.match(block) else f"{label} {block}"
    )


def _raw(text: str) -> str:
    return text.replace("\\", "\\\\")


def _block(element: "etree._Element", depth: int, level: int) -> Iterator[str]:
    name = name_of(element)
    if name in SKIPPED:
        return
    if _is_list(element):
        yield from _list(element, depth, level)
    elif _is_code(element):
        yield _fenced(element)
    elif name in ("table", "tgroup"):
        yield from _table(element)
    elif name in TITLES:
        yield f"{'#' * min(6, depth + 1)} {text}" if (text := running(element)) else ""
    elif name in ("math", "tex-math") or (name in FORMULAS and _has_formula(element)):
        yield formula(element)
    elif name in RUNNING or _has_text(element) or not len(element):
        yield from _mixed(element, depth, level)
    elif _is_record(element):
        yield _record(element)
    elif name in WARNINGS:
        yield from _warning(element, depth, level)
    else:
        yield from blocks(element, depth + (name in BODY), level)


def _has_formula(element: "etree._Element") -> bool:
    return any(name_of(each) in ("math", "tex-math") for each in element.iter("*"))


def _has_text(element: "etree._Element") -> bool:
    own = [element.text, *(child.tail for child in element.iterchildren("*"))]
    return any(re.search(r"\w", text) for text in own if text)


def _is_record(element: "etree._Element") -> bool:
    """Whether an element holds only some short values, such as a name or an address: they belong on
    one line.
    """
    below = {name_of(each) for each in element.iter("*")} & {*RUNNING, *CODE, "table"}
    return not below and len(running(element)) <= LONGEST_RECORD


def _record(element: "etree._Element") -> str:
    if _has_text(element) or not len(element) or name_of(element) in ("math", "tex-math"):
        return formula(element)
    return " ".join(filter(None, map(_record, shown(element))))


def _mixed(element: "etree._Element", depth: int, level: int) -> Iterator[str]:
    """Running text, and what stands apart within it."""
    run = XmlRun()
    run.text(element.text)
    for child in shown(element):
        if name_of(child) in ALONE or _is_list(child) or _is_code(child):
            yield run.done()
            yield from _block(child, depth, level)
            run = XmlRun()
        else:
            run.element(child)
        run.text(child.tail)
    yield run.done()


def _warning(element: "etree._Element", depth: int, level: int) -> Iterator[str]:
    """What its name says is on the page, where it has no title."""
    is_titled = any(name_of(each) == "title" for each in element)
    label = "" if is_titled else f"{name_of(element).capitalize()}:"
    for block in blocks(element, depth, level):
        yield _labelled(label, block) if label else block
        label = ""


def _is_list(element: "etree._Element") -> bool:
    return name_of(element) in LISTS and any(name_of(each) in ITEMS for each in element)


def _list(element: "etree._Element", depth: int, level: int) -> Iterator[str]:
    """The items of a list as one block; what stands between them apart."""
    number, lines = _start(element), list[str]()
    for child in element.iterchildren("*"):
        if name_of(child) not in ITEMS:
            yield "\n".join(lines)
            yield from _block(child, depth, level)
            lines = []
            continue
        bullet, inner = _item(child, depth, level + 1)
        bullet = bullet or _bullet(element, number)
        if inner:  # an item that only holds a list has no mark of its own
            is_frame = bullet == "- " and ITEM.match(inner)
            lines.append(inner if is_frame else _laid_out(bullet, inner, level))
        number += 1
    yield "\n".join(lines)


def _item(item: "etree._Element", depth: int, level: int) -> tuple[str, str]:
    """The label of an item, if it has one, and its text."""
    label = next((running(each) for each in item if name_of(each) == "label"), "")
    bullet = "- " if label in BULLETS else f"{label} "
    inner = blocks(item, depth, level) if not _has_text(item) else _mixed(item, depth, level)
    text = ""
    for block in filter(None, inner):
        text += ("\n" if ITEM.match(block) else "\n\n") * bool(text) + block
    if not label:
        return "", text
    return bullet, text.removeprefix(label).strip()


def _laid_out(bullet: str, text: str, level: int) -> str:
    margin = " " * len(bullet) if level < DEEPEST_LIST else ""
    first, *rest = text.split("\n")
    return "\n".join([bullet + first, *(margin + line if line else "" for line in rest)])


def _start(element: "etree._Element") -> int:
    return number_of(element.get("startingnumber") or element.get("start"))


def _bullet(element: "etree._Element", number: int) -> str:
    """A list that continues another begins with a number that is not known here."""
    name, kind = name_of(element), element.get("list-type") or element.get("numeration") or ""
    kind = "loweralpha" if name == "substeps" else kind
    is_ordered = name in ORDERED or kind == "order" or "alpha" in kind or "roman" in kind
    is_continued = element.get("continuation") == "continues" or element.get("continued-from")
    return f"{ordinal(number, kind)}. " if is_ordered and not is_continued else "- "


def _is_code(element: "etree._Element") -> bool:
    name = name_of(element)
    if name not in CODE and name not in CODE_BY_LINES:
        return False
    text = "".join(element.itertext()).strip()
    return bool(text) if name in CODE else "\n" in text


def _fenced(element: "etree._Element") -> str:
    """Code as it stands, between fences that are longer than any within; verse by its lines."""
    text = "".join(element.itertext())
    text = "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")
    if name_of(element) == "literallayout":
        return text
    fence = "`" * (1 + max((len(each) for each in re.findall(r"`{3,}", text)), default=2))
    return f"{fence}{' '.join((element.get('language') or '').lower().split())}\n{text}\n{fence}"


def _table(table: "etree._Element") -> Iterator[str]:
    for child in table.iterchildren("*"):
        if name_of(child) in ("title", "caption"):
            yield running(child)
    rows = [row for row in table.iter("*") if name_of(row) in ("tr", "row")]
    yield markdown_table(
        [[running(cell) for cell in row.iterchildren("*")] for row in rows]
    ) or running(table)
