"""Which elements of a page its styles may hide at all. For all others nothing has to be known."""

from collections.abc import Iterable, Set
from typing import TYPE_CHECKING, Final

from llmops.tasks.plugins.parsers.html.looks import (
    TINY,
    Rgb,
    blend,
    colour,
    may_hide,
    paper,
    shrinks,
)
from llmops.tasks.plugins.parsers.html.sheets import VARIABLE, Declared

if TYPE_CHECKING:
    from lxml import etree


INKS: Final = {"color", "-webkit-text-fill-color"}
PAPERS: Final = {"background", "background-color", "background-image"}
FONTS: Final = {"font", "font-size"}
SPREADING: Final = INKS | PAPERS | {"visibility"}
"""What counts for the elements within, too."""
UNBLENDING: Final = {"text-shadow", "background-clip", "-webkit-background-clip", "mix-blend-mode"}
LETTERS: Final = SPREADING | FONTS | UNBLENDING
"""What letters look like."""
MOST_VALUES: Final = 16
MOST_COLOURS: Final = 300
"""With more of them in a page, each is taken for like another."""
ROUNDS: Final = 5
BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


class HidingValues:
    """Which values of the properties in a page may hide a text, as the others there are. A colour
    may where some background in the page is like it.
    """

    def __init__(self, told: Iterable[Declared]) -> None:
        values = {(name, value) for declared in told for name, (value, _) in declared.items()}
        self._variables: dict[str, set[str]] = {}
        for name, value in values:
            if name.startswith("--"):
                self._variables.setdefault(name, set()).add(value)
        meant = {(name, value): self._meant(value) for name, value in values if name[:2] != "--"}
        named = {(name, each) for (name, _), every in meant.items() for each in every or ()}
        inks = {colour(value) for name, value in named if name in INKS}
        papers = {paper({name: value}) for name, value in named if name in PAPERS}
        self._inks = {each for each in inks if isinstance(each, tuple)} | {BLACK}
        self._papers = {each for each in papers if isinstance(each, tuple)} | {WHITE}
        self._hiding = {
            (name, value)
            for (name, value), every in meant.items()
            if every is None or any(self._may_hide(name, each) for each in every)
        }
        self.properties = self._properties()
        self.variables = self._used(value for name, value in meant if name in self.properties)

    def _meant(self, value: str) -> set[str] | None:
        """What a value may come to with the variables of the page; None where that is too much."""
        meant = {value}
        for _ in range(ROUNDS):
            if not any("var(" in each for each in meant):
                return {each.lower() for each in meant}
            if len(meant) > MOST_VALUES or any(each.count("var(") > 1 for each in meant):
                return None
            meant = {
                VARIABLE.sub(said.replace("\\", r"\\"), each, count=1)
                for each in meant
                for said in self._said(each)
            }
        return None

    def _said(self, value: str) -> Set[str]:
        variable = VARIABLE.search(value)
        if not variable:
            return {value}
        fallback = (variable[2] or "").strip() or "unknown"
        return self._variables.get(variable[1], set()) | {fallback}

    def _may_hide(self, name: str, value: str) -> bool:
        if name in INKS:
            ink = colour(value)
            return ink == "transparent" or self._blends(ink, self._papers)
        if name in PAPERS:
            return self._blends(paper({name: value}), self._inks)
        return may_hide(name, value)

    def _blends(self, shown: "Rgb | str | None", others: Set[Rgb]) -> bool:
        if not isinstance(shown, tuple):
            return False
        return len(others) > MOST_COLOURS or any(blend(shown, other) for other in others)

    def _properties(self) -> set[str]:
        """The properties that count: those that hide somewhere, and those that keep others from
        it.
        """
        hiding = {"display"} | {name for name, _ in self._hiding}
        if hiding & FONTS:
            hiding |= FONTS
        if hiding & (INKS | PAPERS):
            hiding |= INKS | PAPERS | UNBLENDING
        return hiding | {"position"}

    def _used(self, values: Iterable[str]) -> set[str]:
        """The variables in some values, and those in what they stand for."""
        used = set[str]()
        for _ in range(ROUNDS):
            used |= {match[1] for value in values for match in VARIABLE.finditer(value)}
            values = [value for name in used for value in self._variables.get(name, ())]
        return used

    def telling(self, declared: Declared) -> Declared:
        """A rule without what cannot matter."""
        return {
            name: told
            for name, told in declared.items()
            if name in self.properties or name in self.variables
        }

    def hiding(self, declared: Declared) -> set[str]:
        """The properties of a rule by which it may hide a text."""
        return {name for name, (value, _) in declared.items() if (name, value) in self._hiding}


class Suspects:
    """Elements that some rule may hide."""

    def __init__(self) -> None:
        self._alone: set[etree._Element] = set()
        self._spreading: set[etree._Element] = set()
        self._sizes: dict[etree._Element, float] = {}

    def add(
        self, elements: "Iterable[etree._Element]", declared: Declared, names: Set[str]
    ) -> None:
        """Elements that have such declarations, of which those of some names may hide; if any."""
        if not names:
            return
        spreads = bool(names & SPREADING)
        share = min((shrinks(name, declared[name][0]) for name in names & FONTS), default=1.0)
        for element in elements:
            (self._spreading if spreads else self._alone).add(element)
            if share < 1:
                self._sizes[element] = min(share, self._sizes.get(element, 1.0))

    def all_of(self, tree: "etree._Element") -> "Set[etree._Element]":
        """They, those within and those around, as far as one counts for the other."""
        within: set[etree._Element] = set()
        sizes: dict[etree._Element | None, float] = {None: 16.0}
        for element in tree.iter("*"):
            parent = element.getparent()
            sizes[element] = sizes[parent] * self._sizes.get(element, 1.0)
            if parent in within or element in self._spreading or sizes[element] < TINY:
                within.add(element)
        around: set[etree._Element] = set()
        for element in within:
            for each in element.iterancestors():
                if each in around or each in within:
                    break
                around.add(each)
        return self._alone | within | around
