"""Running text of XML on one line: powers, notes, formulas."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from llmops.tasks.texts.mathml import name_of, written

if TYPE_CHECKING:
    from lxml import etree


DEEPEST: Final = 50
"""Elements within each other; what is deeper is read without their marks."""
FORMULAS: Final = {
    *("alternatives", "inline-formula", "disp-formula", "equation", "informalequation"),
    "inlineequation",
}
RAISED: Final = {"sup", "superscript"}
LINKS: Final = {"xref", "link", "ref"}
NOTE_LINKS: Final = {"bibr", "fn", "table-fn", "aff", "corresp"}
NOTES: Final = {"footnote", "fn"}
APART: Final = {
    *("p", "para", "simpara", "title", "label", "break", "br", "list", "list-item", "listitem"),
    *("li", "item", "def", "term", "member", "row", "tr", "td", "th", "entry", "claim-text"),
    *("itemizedlist", "orderedlist", "variablelist", "disp-formula", "disp-quote", "blockquote"),
    *("programlisting", "screen", "preformat", "table-wrap", "table", "fig", "figure", "step"),
}
PARTED: Final = {"name", "personname", "person-group", "date"}
NOTE: Final = re.compile(r"[\w*†‡§¶#‖]{1,3}(?:\s?[,;–—−-]\s?[\w*†‡§¶#‖]{1,3})*\Z")
POWER: Final = re.compile(r"[-−–+]?[\w.]{1,6}\Z")
TEX: Final = re.compile(r"\\begin\s*\{document\}(.*?)\\end\s*\{document\}", re.DOTALL)
GLUED: Final = frozenset(")]}.”’\"'")


class XmlRun:
    """Running text that grows."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self._pieces: list[str] = []
        self._end = ""
        self._is_closed = False

    def text(self, text: str | None) -> None:
        if text:
            is_glued = self._is_closed and text[0].isalnum()
            self._pieces.append(f" {text}" if is_glued else text)
            self._end, self._is_closed = text[-1], False

    def formula(self, text: str) -> None:
        """What must not flow into the words beside it."""
        if text:
            self.text(f" {text}" if self._end.isalnum() else text)
            self._is_closed = True

    def inside(self, element: "etree._Element") -> None:
        """What stands in an element, without what its own name asks for."""
        if self.depth > DEEPEST:
            self.text(" ".join(element.itertext()))
            return
        self.depth += 1
        self.text(element.text)
        for child in shown(element):
            self.element(child)
            self.text(child.tail)
        self.depth -= 1

    def element(self, element: "etree._Element") -> None:
        name = name_of(element)
        if not name:
            return
        if name == "math":
            self.formula(written(element))
        elif name == "tex-math":
            self.formula(_tex("".join(element.itertext())))
        elif name in RAISED:
            self._raise(element)
        elif name in LINKS and element.get("ref-type") in NOTE_LINKS:
            self._refer(element)
        elif name in NOTES:
            self.text(f" [{self._inner(element)}]")
            self._is_closed = True
        elif name in PARTED:
            self.text(" ".join(_parts(element, self._inner)))
        elif name in APART:
            self.text(" ")
            self.inside(element)
            self.text(" ")
        else:
            self.inside(element)

    def done(self) -> str:
        return " ".join("".join(self._pieces).split())

    def _inner(self, element: "etree._Element") -> str:
        inner = XmlRun(self.depth + 1)
        inner.inside(element)
        return inner.done()

    def _raise(self, element: "etree._Element") -> None:
        """A note as `[1]`, a power as `^2`, anything else (`1st`, `TM`) as it stands."""
        text = self._inner(element)
        if NOTE.match(text) and any(name_of(each) in LINKS for each in element.iter("*")):
            self.text(f"[{text}]")
        elif (
            (self._end.isalnum() or self._end in (")", "]"))
            and POWER.match(text)
            and not text[-1].isalpha()
        ):
            self.text(f"^{text}")
            self._is_closed = True
        else:
            self.text(text)
        if "".join(element.itertext())[-1:].isspace():
            self.text(" ")

    def _refer(self, element: "etree._Element") -> None:
        """The mark of a note where it is raised, or would flow into the word before it."""
        text = self._inner(element)
        is_raised = any(name_of(each) in RAISED for each in element)
        is_mark = is_raised or self._end.isalnum() or self._end in GLUED
        is_mark = is_mark and bool(self._end) and self._end not in "[("
        self.text(f"[{text}]" if is_mark and NOTE.match(text) else text)


def shown(element: "etree._Element") -> list["etree._Element"]:
    """The parts of an element; of a formula that is there in TeX and in MathML, one of both."""
    parts = list(element)
    if name_of(element) in FORMULAS and {"tex-math", "math"} <= {name_of(each) for each in parts}:
        return [each for each in parts if name_of(each) != "math"]
    return parts


def running(element: "etree._Element") -> str:
    """All the text below an element on one line."""
    run = XmlRun()
    run.inside(element)
    return run.done()


def formula(element: "etree._Element") -> str:
    """A formula that stands alone."""
    run = XmlRun()
    run.element(element)
    return run.done()


def _parts(element: "etree._Element", inner: Callable[["etree._Element"], str]) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        yield inner(child)
        yield child.tail or ""


def _tex(source: str) -> str:
    """TeX between dollars, without the frame of a document of its own."""
    inner = TEX.search(source)
    text = " ".join((inner[1] if inner else source).split())
    return text if not text or text.startswith(("$", "\\(", "\\[")) else f"${text}$"
