"""What an OpenDocument file shows by its styles and parts (OASIS OpenDocument 1.3, part 3): labels
of lists and headings, raised and struck text, formulas. It is noted at the elements, for the reader
to write.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers._containers import Package
from llmops.tasks.plugins.parsers.office.elements import children, local, named, number, value
from llmops.tasks.texts.numerals import numeral

if TYPE_CHECKING:
    from lxml import etree

LABEL_NOTE: Final = "shown-label"
RAISED_NOTE: Final = "shown-raised"
STRUCK_NOTE: Final = "shown-struck"
FORMULA_NOTE: Final = "shown-formula"
FORMS: Final = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
DEEPEST_STYLE: Final = 30
DEEPEST: Final = 10
"""Levels of lists and headings that the format has."""
MOST_FORMULAS: Final = 5_000
LARGEST_FORMULA: Final = 2**20
LONGEST_FORMULA: Final = 5_000
LONGEST_LABEL: Final = 80


class NumberedLevel(NamedTuple):
    form: str
    before: str
    after: str
    shown: int
    start: int


Levels = dict[int, NumberedLevel]


def note_what_is_shown(package: Package, root: "etree._Element") -> None:
    """Note at the elements of the content what their styles and parts make of them."""
    styles = [root, *([package.xml("styles.xml")] if "styles.xml" in package.names else [])]
    _note_looks(root, styles)
    _Labels(styles).note(root)
    _note_formulas(package, root)


def _note_looks(root: "etree._Element", styles: "Sequence[etree._Element]") -> None:
    known = {
        value(style, "name"): style
        for sheet in styles
        for style in named(sheet, "style")
        if value(style, "family") == "text"
    }
    looks = {name: _look(style) for name, style in known.items()}
    for span in named(root, "span"):
        raised, struck = looks.get(value(span, "style-name"), (False, False))
        if raised:
            span.set(RAISED_NOTE, "1")
        if struck:
            span.set(STRUCK_NOTE, "1")


def _look(style: "etree._Element") -> tuple[bool, bool]:
    """Whether a style raises and strikes a text."""
    position = struck = ""
    for properties in children(style, "text-properties"):
        position = value(properties, "text-position") or position
        struck = (
            value(properties, "text-line-through-style")
            or value(properties, "text-line-through-type")
            or struck
        )
    how = position.partition(" ")[0]
    raised = how == "super" or (how.endswith("%") and how[:1].isdigit() and how.strip("0.%") != "")
    return raised, struck not in ("", "none")


class _Labels:
    """The labels of the lists and headings of a text."""

    def __init__(self, styles: "Sequence[etree._Element]") -> None:
        self._lists: dict[str | None, Levels] = {}
        self._outline: Levels = {}
        self._of_paragraphs: dict[str | None, tuple[str | None, str | None]] = {}
        self._counts: dict[str | None, dict[int, int]] = {}
        self._headings: dict[int, int] = {}
        for sheet in styles:
            for style in named(sheet, "list-style"):
                self._lists[value(style, "name")] = _levels(style)
            for style in named(sheet, "outline-style"):
                self._outline = _levels(style)
            for style in named(sheet, "style"):
                about = (value(style, "list-style-name"), value(style, "parent-style-name"))
                self._of_paragraphs[value(style, "name")] = about

    def note(self, root: "etree._Element") -> None:
        for element in named(root, "list", "h"):
            if local(element) == "h":
                self._heading(element)
            elif not any(local(each) == "list" for each in element.iterancestors()):
                self._list(element)

    def _heading(self, heading: "etree._Element") -> None:
        level = min(number(value(heading, "outline-level"), 1), DEEPEST)
        if value(heading, "is-list-header") == "true" or not self._outline:
            return
        if any(local(each) == "list" for each in heading.iterancestors()):
            return
        start = value(heading, "start-value") if value(heading, "restart-numbering") else None
        label = _next(self._headings, self._outline, level, start)
        if label:
            heading.set(LABEL_NOTE, label)

    def _list(self, top: "etree._Element") -> None:
        style = value(top, "style-name") or self._by_paragraph(top)
        levels = self._lists.get(style, {})
        goes_on = value(top, "continue-list") or (
            style if value(top, "continue-numbering") == "true" else None
        )
        counts = self._counts.get(goes_on) if goes_on is not None else None
        counts = {} if counts is None else counts
        for name in (value(top, "id"), style):
            self._counts[name] = counts
        for item in named(top, "list-item"):
            level = min(sum(local(each) == "list" for each in item.iterancestors()), DEEPEST)
            own = value(item.getparent(), "style-name")
            used = self._lists.get(own, levels) if own else levels
            first = next(item.iterchildren("*"), None)
            if first is None or local(first) not in ("p", "h"):
                continue
            label = _next(counts, used, level, value(item, "start-value"))
            if label:
                first.set(LABEL_NOTE, label)

    def _by_paragraph(self, top: "etree._Element") -> str | None:
        """The list style of the first paragraph's style, or of one that this is based on."""
        first = next(iter(named(top, "p", "h")), None)
        style = value(first, "style-name")
        for _ in range(DEEPEST_STYLE):
            found, style = self._of_paragraphs.get(style, (None, None))
            if found or not style:
                return found
        return None


def _levels(style: "etree._Element") -> Levels:
    return {
        number(value(level, "level")): NumberedLevel(
            form=value(level, "num-format") or "",
            before=value(level, "num-prefix") or "",
            after=value(level, "num-suffix") or "",
            shown=max(1, number(value(level, "display-levels"), 1)),
            start=number(value(level, "start-value"), 1),
        )
        for level in children(style, "list-level-style-number", "outline-level-style")
    }


def _next(counts: dict[int, int], levels: Levels, level: int, start: str | None) -> str:
    """The label of the next item or heading of a level; "" where it has a bullet or none."""
    for deeper in [each for each in counts if each > level]:
        del counts[deeper]
    look = levels.get(level)
    first = number(start, look.start if look is not None else 1)
    counts[level] = first if start or level not in counts else counts[level] + 1
    if look is None or not look.form:
        return ""
    shown = [
        numeral(counts.get(each, levels[each].start), FORMS.get(levels[each].form, "decimal"))
        for each in range(max(1, level - look.shown + 1), level + 1)
        if each in levels and levels[each].form
    ]
    return " ".join(f"{look.before}{'.'.join(shown)}{look.after}".split())[:LONGEST_LABEL]


def _note_formulas(package: Package, root: "etree._Element") -> None:
    known: dict[str, str] = {}
    for frame in named(root, "object")[:MOST_FORMULAS]:
        part = f"{(value(frame, 'href') or '').removeprefix('./').rstrip('/')}/content.xml"
        inner = next(iter(named(frame, "math")), None)
        if inner is not None:
            said = tex(inner)
        else:
            if part not in known:
                known[part] = _formula_in(package, part)
            said = known[part]
        if said and len(said) <= LONGEST_FORMULA:
            frame.set(FORMULA_NOTE, f"${said}$")


def _formula_in(package: Package, part: str) -> str:
    try:
        if part not in package.names or len(package.raw(part)) > LARGEST_FORMULA:
            return ""
        root = package.xml(part)
    except DocumentError:
        return ""
    return tex(root) if local(root) == "math" else ""


def tex(math: "etree._Element") -> str:
    """A formula of MathML as TeX."""
    for note in named(math, "annotation"):
        if "tex" in (value(note, "encoding") or "").lower() and (note.text or "").strip():
            return " ".join((note.text or "").split())
    return " ".join("".join(_tex(math)).split())


def _tex(element: "etree._Element") -> Iterator[str]:
    kind = local(element)
    if kind in ("annotation", "annotation-xml"):
        return
    parts = list(element.iterchildren("*"))
    if not parts:
        text = " ".join((element.text or "").split())
        yield f"\\text{{{text}}}" if kind == "mtext" and text else text
    elif kind in WRITTEN and len(parts) == WRITTEN[kind].count("{}"):
        made = ["".join(_tex(part)) for part in parts]
        yield _filled(WRITTEN[kind], made)
    else:
        between = {"mtr": " & ", "mtable": r" \\ "}.get(kind, "")
        around = ROOT if kind == "msqrt" else "{}"
        yield _filled(around, [between.join("".join(_tex(part)) for part in parts)])


ROOT: Final = r"\sqrt<{}>"
WRITTEN: Final = {
    "mfrac": r"\frac<{}><{}>",
    "msup": "{}^<{}>",
    "msub": "{}_<{}>",
    "msubsup": "{}_<{}>^<{}>",
    "mover": "{}^<{}>",
    "munder": "{}_<{}>",
    "munderover": "{}_<{}>^<{}>",
}


def _filled(pattern: str, made: Sequence[str]) -> str:
    pieces = pattern.replace("<", "\0").replace(">", "\1").split("{}")
    filled = pieces[0] + "".join(text + piece for text, piece in zip(made, pieces[1:], strict=True))
    return filled.replace("\0", "{").replace("\1", "}")
