"""The labels that Word shows before headings and items of lists (WordprocessingML, ECMA-376 part 1,
section 17.9): its reader counts anew after every interruption, and knows no other form than 1. 2.
3.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

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
from llmops.tasks.plugins.parsers.office.hidden import hiding, hiding_styles
from llmops.tasks.plugins.parsers.office.labels import LABEL
from llmops.tasks.texts.numerals import numeral, padded

if TYPE_CHECKING:
    from lxml import etree

LEVELS: Final = 9
DEEPEST_STYLE: Final = 30
LONGEST_LABEL: Final = 80
PART: Final = re.compile(r"%([1-9])")
CUSTOM: Final = re.compile(r"0*1(?=,|\Z)")


class ListLevel(NamedTuple):
    """`after`: from which higher level on a number begins the count anew (0: none does). `style`:
    the paragraph style whose paragraphs are of this level.
    """

    start: int
    form: str
    text: str
    after: int
    legal: bool
    unseen: bool
    style: str | None


class List(NamedTuple):
    """A list (`num`). Lists of the same `kind` (`abstractNum`) count on, but where one has a start
    of its own.
    """

    kind: str
    levels: Mapping[int, ListLevel]
    starts: Mapping[int, int]


class Style(NamedTuple):
    based_on: str | None
    list: str | None
    level: str | None


def label_paragraphs(package: Package, body: "etree._Element", main: str) -> int:
    """Put `LABEL` with what Word shows before the paragraphs that are numbered; how many are."""
    parts = {kind: name for kind, name in package.related(main).values() if name in package.names}
    if "numbering" not in parts:
        return 0
    styles = package.xml(parts["styles"]) if "styles" in parts else None
    numbering = Numbering(package.xml(parts["numbering"]), styles)
    unseen = {style for style, _ in hiding_styles(package)}
    stories: dict[etree._Element | None, Counter] = {}
    labelled = 0
    for paragraph in named(body, "p"):
        place = numbering.place(paragraph)
        if place is None or (not (said := text_of(paragraph)) and _gone(paragraph)):
            continue
        box = next(paragraph.iterancestors("{*}txbxContent"), None)
        label = stories.setdefault(box, Counter()).label(*place)
        properties = child(paragraph, "pPr")
        if hiding(child(properties, "rPr")) or value(child(properties, "pStyle")) in unseen:
            label = "" if label else None
        if label is not None and said:
            _put(paragraph, LABEL.format(label))
            labelled += 1
    return labelled


def _gone(paragraph: "etree._Element") -> bool:
    """Whether the mark of a paragraph was deleted, or is hidden."""
    properties = child(paragraph, "pPr", "rPr")
    return bool(children(properties, "del", "moveFrom")) or hiding(properties) == "hidden"


def _put(paragraph: "etree._Element", text: str) -> None:
    space = str(paragraph.tag).rpartition("}")[0] + "}"
    run = paragraph.makeelement(f"{space}r", {})
    said = run.makeelement(f"{space}t", {})
    said.text = text
    for mark in named(paragraph, "lastRenderedPageBreak", "t"):
        if local(mark) == "t":
            break
        run.append(mark)  # the label belongs to the new page
    run.append(said)
    first = child(paragraph, "pPr")
    if first is not None:
        first.addnext(run)
    else:
        paragraph.insert(0, run)


class Numbering:
    """The lists of a file, and which of them a paragraph belongs to."""

    def __init__(self, numbering: "etree._Element", styles: "etree._Element | None") -> None:
        self._styles, self._default = dict[str | None, Style](), None
        for style in children(styles, "style"):
            owned = child(style, "pPr", "numPr")
            self._styles[value(style, "styleId")] = Style(
                value(child(style, "basedOn")),
                value(child(owned, "numId")),
                value(child(owned, "ilvl")),
            )
            if value(style, "default") in ("1", "true") and value(style, "type") == "paragraph":
                self._default = value(style, "styleId")
        self._kinds = {
            value(kind, "abstractNumId"): kind for kind in named(numbering, "abstractNum")
        }
        self._numbers = {value(each, "numId"): each for each in named(numbering, "num")}
        self._lists: dict[str, List | None] = {}
        self._levels: dict[str, Mapping[int, ListLevel]] = {}

    def place(self, paragraph: "etree._Element") -> tuple[str, List, int] | None:
        """The list of a paragraph (its id and what it is like) and its level; None where it is in
        none.
        """
        properties = child(paragraph, "pPr")
        own = child(properties, "numPr")
        style = value(child(properties, "pStyle")) or self._default
        level, said = value(child(own, "ilvl")), value(child(own, "numId"))
        chain = list(self._chain(style)) if said is None or level is None else []
        giver = next((each for each in chain if self._styles[each].list is not None), None)
        if said is None and giver is not None:
            said = self._styles[giver].list
        found = self.list(said) if said not in (None, "0") else None
        if said is None or found is None:
            return None
        if level is None:
            linked = {each.style: n for n, each in found.levels.items() if each.style}
            by_style = (linked[each] for each in chain if each in linked)
            given = number(self._styles[giver].level) if giver is not None else 0
            return said, found, next(by_style, given)
        return said, found, number(level)

    def _chain(self, style: str | None) -> Iterator[str | None]:
        """A style, and those that it is based on."""
        for _ in range(DEEPEST_STYLE):
            if style not in self._styles:
                return
            yield style
            style = self._styles[style].based_on

    def list(self, number_id: str | None) -> List | None:
        if number_id is None or number_id not in self._numbers:
            return None
        if number_id not in self._lists:
            self._lists[number_id] = self._read(self._numbers[number_id])
        return self._lists[number_id]

    def _read(self, element: "etree._Element") -> List | None:
        kind_id = value(child(element, "abstractNumId"))
        kind = self._kinds.get(kind_id)
        for _ in range(DEEPEST_STYLE):  # a list by the name of a style is another one's
            linked = self._styles.get(value(child(kind, "numStyleLink")))
            if linked is None:
                break
            kind_id = value(child(self._numbers.get(linked.list), "abstractNumId"))
            kind = self._kinds.get(kind_id)
        if kind is None or kind_id is None:
            return None
        if kind_id not in self._levels:
            self._levels[kind_id] = _levels_in(children(kind, "lvl"))
        levels = dict(self._levels[kind_id])
        starts = dict[int, int]()
        for override in children(element, "lvlOverride")[:LEVELS]:
            if (other := child(override, "lvl")) is not None:
                levels[_index(override)] = _level(other)
            if (start := child(override, "startOverride")) is not None:
                starts[_index(override)] = number(value(start))
        return List(kind_id, levels, starts)


def _levels_in(elements: "Sequence[etree._Element]") -> Mapping[int, ListLevel]:
    return {_index(each): _level(each) for each in elements if 0 <= _index(each) < LEVELS}


def _index(element: "etree._Element") -> int:
    return number(value(element, "ilvl"))


def _level(element: "etree._Element") -> ListLevel:
    form = next(iter(named(element, "numFmt")), None)
    name = value(form) or "decimal"
    legal = child(element, "isLgl")
    return ListLevel(
        start=number(value(child(element, "start"))),
        form=f"custom {value(form, 'format')}" if name == "custom" else name,
        text=value(child(element, "lvlText")) or "",
        after=number(value(child(element, "lvlRestart")), LEVELS),
        legal=legal is not None and (value(legal) or "1") not in ("0", "false", "off"),
        unseen=bool(hiding(child(element, "rPr"))),
        style=value(child(element, "pStyle")),
    )


class Counter:
    """Where the lists of a text stand."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[int, int]] = {}
        self._begun: set[tuple[str, int]] = set()

    def label(self, name: str, found: List, index: int) -> str | None:
        """The label of the next item of a list at a level; None where it has a bullet."""
        level = found.levels.get(index)
        if level is None:
            return None
        counts = self._counts.setdefault(found.kind, {})
        if index in found.starts and (name, index) not in self._begun:
            counts.pop(index, None)
        self._begun.add((name, index))
        counts[index] = counts[index] + 1 if index in counts else _start(found, index)
        for deeper in [each for each in counts if each > index]:
            below = found.levels.get(deeper)
            if below is None or index < below.after:
                del counts[deeper]
        if level.form == "bullet":
            return None
        return "" if level.unseen else _label(found, counts, index)


def _start(found: List, index: int) -> int:
    return found.starts.get(index, found.levels[index].start)


def _label(found: List, counts: Mapping[int, int], index: int) -> str:
    level = found.levels[index]

    def shown(part: re.Match[str]) -> str:
        each = int(part[1]) - 1
        other = found.levels.get(each)
        if other is None or each > index or other.form in ("none", "bullet"):
            return ""
        count = counts.get(each, _start(found, each))
        return _numeral(count, "decimal" if level.legal else other.form)

    return " ".join(PART.sub(shown, level.text).split())[:LONGEST_LABEL]


def _numeral(count: int, form: str) -> str:
    if form.startswith("custom "):
        first = CUSTOM.match(form.removeprefix("custom "))
        return padded(min(len(first[0]), LEVELS))(count) if first else str(count)
    return numeral(count, form)
