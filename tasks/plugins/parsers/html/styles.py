"""What the style sheets in a page say of its elements: the cascade.

Only what may hide a text is read. Sheets from elsewhere are not fetched: nothing of them is known.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers.html.selectors import (
    TOO_MUCH,
    Matcher,
    pointed_at,
    selectors,
)
from llmops.tasks.plugins.parsers.html.sheets import (
    WORTH_READING,
    Declared,
    Style,
    StyleRule,
    declarations,
    rules,
)
from llmops.tasks.plugins.parsers.html.suspects import HidingValues, Suspects

if TYPE_CHECKING:
    from cssselect import Selector
    from lxml import etree


Ranked = tuple[tuple[bool, tuple[int, ...], int], str, str]
"""(how much a declaration counts, property, value)."""
MOST_CSS: Final = 3_000_000
"""Characters of all style sheets in a page."""
INLINE: Final = (1, 0, 0, 0)


class Styles:
    """What the sheets and the `style` attributes of a page say of its elements, of properties that
    hide a text somewhere in the page. Raises DocumentError for sheets that no person wrote.
    """

    def __init__(
        self,
        tree: "etree._Element",
        worded: "Set[etree._Element]",
        attributes: "Mapping[etree._Element, Style]",
    ) -> None:
        sheets = [
            (sheet.text or "", sheet.get("media") or "")
            for sheet in tree.iter("style")
            if WORTH_READING.search(sheet.text or "")
        ]
        if sum(len(text) for text, _ in sheets) > MOST_CSS:
            raise DocumentError(TOO_MUCH)
        self._matcher = Matcher(tree)
        self._inline = {
            element: declarations(style)
            for element in tree.iter("*")
            if (style := element.get("style")) and element in worded
        }
        try:
            self._rules = [rule for sheet in sheets for rule in rules(*sheet)]
            self.now = self._cascade(tree, worded, attributes)
        except RecursionError as error:
            raise DocumentError(TOO_MUCH) from error

    def _cascade(
        self,
        tree: "etree._Element",
        worded: "Set[etree._Element]",
        attributes: "Mapping[etree._Element, Style]",
    ) -> "dict[etree._Element, dict[str, str]]":
        """element -> its own declarations, as the page is first shown: of elements that may be
        hidden, all that matter.
        """
        now = [
            (order, rule)
            for order, rule in enumerate(self._rules)
            if rule.always and self._matcher.may_mean(rule.prelude) and rule.declared
        ]
        told = [
            {name: (value, False) for name, value in style.items()} for style in attributes.values()
        ]
        declared = [*(rule.declared for _, rule in now), *self._inline.values(), *told]
        values, suspects = HidingValues(declared), Suspects()
        meant: dict[Selector, list[etree._Element]] = {}
        for _, rule in now:
            names = values.hiding(rule.declared)
            variables = not values.variables.isdisjoint(rule.declared)
            for selector in selectors(rule.prelude) if names or variables else ():
                if selector not in meant:
                    meant[selector] = list(self._matcher.now(selector, worded))
                suspects.add(meant[selector], rule.declared, names)
        for element, given in [*self._inline.items(), *zip(attributes, told, strict=True)]:
            suspects.add([element], given, values.hiding(given))
        among = suspects.all_of(tree)
        held: dict[etree._Element, list[Ranked]] = {}
        for order, rule in now:
            telling = values.telling(rule.declared)
            for selector in selectors(rule.prelude) if telling else ():
                if selector not in meant:
                    meant[selector] = list(self._matcher.now(selector, among))
                rank = (0, *selector.specificity())
                for element in meant[selector]:
                    held.setdefault(element, []).extend(_ranked(telling, rank, order))
        for element, given in self._inline.items():
            ranked = _ranked(values.telling(given), INLINE, len(self._rules))
            held.setdefault(element, []).extend(ranked)
        return {
            element: {name: value for _, name, value in sorted(ranked, key=itemgetter(0))}
            for element, ranked in held.items()
        }

    def later(
        self, among: "Sequence[etree._Element]", reasons: Set[str]
    ) -> "dict[etree._Element, dict[str, str]]":
        """The declarations of some elements, hidden by properties that are the `reasons`, that come
        with pointing, opening, another screen, or a class that a script gives them.
        """
        found: dict[etree._Element, dict[str, str]] = {}
        wanted, called = set(among), self._matcher.called(among)
        elsewhere: dict[Selector, list[etree._Element]] = {}
        for rule in self._rules if among else ():
            for selector in (
                selectors(rule.prelude) if self._may_open(rule, called, reasons) else ()
            ):
                opened = _opening(rule.declared, pointed=pointed_at(selector))
                meant: Iterable[etree._Element]
                if rule.always:
                    meant = self._matcher.later(selector, wanted)
                elif selector in elsewhere:
                    meant = elsewhere[selector]
                else:
                    meant = elsewhere[selector] = list(self._matcher.now(selector, wanted))
                for element in meant if opened else ():
                    found.setdefault(element, {}).update(opened)
        return found

    def _may_open(self, rule: StyleRule, called: Set[str], reasons: Set[str]) -> bool:
        """Whether a rule may show what another hides."""
        if rule.always and not self._matcher.may_wait(rule.prelude, called):
            return False
        if not rule.always and not self._matcher.may_mean(rule.prelude):
            return False
        shut = rule.declared.get("display", ("", False))[0] == "none"
        return not shut and not reasons.isdisjoint(rule.declared)


def _ranked(declared: Declared, rank: tuple[int, ...], order: int) -> "Iterator[Ranked]":
    for name, (value, important) in declared.items():
        yield (important, rank, order), name, value


def _opening(declared: Declared, *, pointed: bool) -> dict[str, str]:
    """What a state changes; nobody can point at what takes no room."""
    gone = {"display", "visibility"} if pointed else set()
    return {name: value for name, (value, _) in declared.items() if name not in gone}
