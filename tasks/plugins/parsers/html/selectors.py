"""Which elements of a page a CSS selector means: now, and once a reader has pointed at something,
opened it, or a script has given it another class.

cssselect reads the selectors. They are matched here, from right to left, with a budget of steps,
since a hostile page may have a hundred thousand of them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from cssselect import SelectorError, parse
from cssselect.parser import (
    Attrib,
    Class,
    CombinedSelector,
    Element,
    Function,
    Hash,
    Matching,
    Negation,
    Pseudo,
    Selector,
    SpecificityAdjustment,
    Tree,
    parse_series,
)

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers.html.preludes import LONGEST_KEPT, written

if TYPE_CHECKING:
    from lxml import etree


MOST_STEPS: Final = 2_500_000
LONGEST: Final = 2_000
"""Characters of a selector; those of pages have some dozens."""
POINTED: Final = {"hover", "active"}
STATES: Final = POINTED | {
    *("focus", "focus-within", "focus-visible", "target", "target-within", "checked", "open"),
    *("popover-open", "modal", "fullscreen", "visited", "valid", "invalid", "indeterminate"),
    *("placeholder-shown", "user-valid", "user-invalid", "autofill", "playing"),
}
"""What becomes true by what a reader does."""
NONE_OF: Final = re.compile(r":not\(([^()\[\]\"']*,[^()\[\]\"']*)\)", re.IGNORECASE)
TOGGLED: Final = re.compile(r"(?:aria|data)-|open\Z|hidden\Z")
"""Attributes that scripts change to show and to hide."""
TOO_MUCH: Final = (
    "its style sheets are larger or more deeply nested than those of a page that people read, so "
    "that hidden text cannot be told from shown text; save the page without them"
)


Known = dict[tuple[int, "etree._Element"], bool]
"""(left side of a selector, element) -> whether it means the element or one before it."""


class Matcher:
    """The elements of one page by name, class and id, and what selectors mean among them.

    Raises DocumentError where the selectors of a page take more than `steps` steps in all.
    """

    def __init__(self, tree: "etree._Element", *, steps: int = MOST_STEPS) -> None:
        self._left = steps
        self._names: dict[str, list[etree._Element]] = {}
        self._called: dict[etree._Element, set[str]] = {}
        self._scripted = False
        for element in tree.iter("*"):
            self._scripted = self._scripted or element.tag == "script"
            keys = self._called[element] = _keys(element)
            for key in keys:
                self._names.setdefault(key, []).append(element)

    def may_mean(self, prelude: str) -> bool:
        """Whether a rule may mean any element now: quickly, by the names in it."""
        return any(
            names is None or all(name in self._names for name in names)
            for names, *_ in written(prelude)
        )

    def may_wait(self, prelude: str, called: Set[str]) -> bool:
        """Whether a rule may mean, later, any of the elements that are `called` so: quickly, by the
        names in it.
        """
        for names, subject, conditional in written(prelude):
            if names is None or subject is None:
                return True
            there = [name for name in subject if name in self._names]
            waits = conditional or (
                self._scripted and any(name not in self._names for name in names)
            )
            if waits and there and all(name in called for name in there):
                return True
        return False

    def called(self, elements: "Iterable[etree._Element]") -> set[str]:
        """All that some elements are called."""
        return {key for element in elements for key in self._called[element]}

    def now(
        self, selector: Selector, among: "Set[etree._Element] | None" = None
    ) -> "Iterator[etree._Element]":
        """The elements, or those `among` some, that it means as the page is first shown."""
        tree, known = selector.parsed_tree, Known()
        for element in self._candidates(tree):
            asked = among is None or element in among
            if asked and self._matches(element, tree, known, states=False):
                yield element

    def later(self, selector: Selector, among: "Set[etree._Element]") -> "Iterator[etree._Element]":
        """Those of some elements that it may mean as well once something was pointed at or
        opened.
        """
        tree, known = selector.parsed_tree, Known()
        named = [self._names[name] for name in _named(tree) if name in self._names]
        if not named or not self._waits(tree):
            return  # `.open` alone may mean anything
        fewest = min((*named, among), key=len)
        for element in fewest:
            if element in among and self._matches(element, tree, known, states=True):
                yield element

    def _candidates(self, tree: Tree) -> "Sequence[etree._Element]":
        """The fewest elements among which all are that a selector can mean."""
        if any(name not in self._names for name in _needed(tree)):
            return ()
        named = [self._names[name] for name in _compound(tree)[0] if name in self._names]
        return min((named or [self._names["*"]]), key=len)

    def _waits(self, tree: Tree) -> bool:
        """Whether some part of a selector can come true that is not true yet."""
        for part in _parts(tree):
            if isinstance(part, Pseudo) and part.ident in STATES:
                return True
            if (
                self._scripted
                and isinstance(part, Class)
                and f".{part.class_name}" not in self._names
            ):
                return True
            if self._scripted and isinstance(part, Attrib) and TOGGLED.match(part.attrib):
                return True
        return False

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise DocumentError(TOO_MUCH)

    def _matches(
        self, element: "etree._Element", tree: Tree, known: "Known", *, states: bool
    ) -> bool:
        self._spend(1)
        names, conditions = _compound(tree)
        keys = self._called[element]
        if not names <= keys and not (
            states
            and self._scripted
            and all(self._may_get(name) for name in names if name not in keys)
        ):
            return False
        if not all(self._holds(element, each, states=states) for each in conditions):
            return False
        if not isinstance(tree, CombinedSelector):
            return True
        return self._beside(element, tree, known, states=states)

    def _may_get(self, name: str) -> bool:
        """Whether a script may give a name to an element: a class that none has yet, an attribute
        of those that open and close.
        """
        if name[0] == ".":
            return name not in self._names
        return name[0] == "[" and TOGGLED.match(name[1:]) is not None

    def _beside(
        self, element: "etree._Element", tree: CombinedSelector, known: "Known", *, states: bool
    ) -> bool:
        """Whether the left side of a selector means an element that stands where it must. What was
        found of an element holds for all below it, or after it, too: so each is asked once.
        """
        if tree.combinator not in (" ", "~"):
            related = _related(element, tree.combinator)
            return any(self._matches(each, tree.selector, known, states=states) for each in related)
        passed: list[tuple[int, etree._Element]] = []
        found = False
        for each in _related(element, tree.combinator):
            key = (id(tree), each)
            if key not in known:
                passed.append(key)
                found = self._matches(each, tree.selector, known, states=states)
            else:
                found = known[key]
            if found or key in known:
                break
        known.update(dict.fromkeys(passed, found))
        return found

    def _holds(self, element: "etree._Element", tree: Tree, *, states: bool) -> bool:
        """Whether the last condition of a compound selector holds."""
        if isinstance(tree, Attrib):
            toggled = states and self._scripted and TOGGLED.match(tree.attrib)
            return bool(toggled) or _has(element, tree)
        if isinstance(tree, Pseudo):
            return states if tree.ident in STATES else _is(element, tree.ident)
        if isinstance(tree, Negation):
            return not self._matches(element, tree.subselector, {}, states=False) or (
                states and self._waits(tree.subselector)
            )
        if isinstance(tree, (Matching, SpecificityAdjustment)):
            return any(
                self._matches(element, each, {}, states=states) for each in tree.selector_list
            )
        if not isinstance(tree, Function):
            return False
        place, holds = _nth(element, tree)
        self._spend(place)
        return holds


def _keys(element: "etree._Element") -> set[str]:
    """What an element is called: its tag, `.class`, `#id`, `[attribute`."""
    keys = {"*", str(element.tag), *(f"[{name}" for name in element.attrib)}
    keys.update(f".{each}" for each in (element.get("class") or "").split())
    if element.get("id"):
        keys.add(f"#{element.get('id')}")
    return keys


def selectors(prelude: str) -> tuple[Selector, ...]:
    """The selectors of a rule. None of one that a browser would not read either, and none that
    mean no element: `p::before`.

    Raises DocumentError for one that no person wrote.
    """
    return _kept(prelude) if len(prelude) <= LONGEST_KEPT else _selectors(prelude)


@lru_cache(maxsize=4096)
def _kept(prelude: str) -> tuple[Selector, ...]:
    return _selectors(prelude)


def _selectors(prelude: str) -> tuple[Selector, ...]:
    if len(prelude) > LONGEST and any(len(each) > LONGEST for each in prelude.split(",")):
        raise DocumentError(TOO_MUCH)
    alone = NONE_OF.sub(_none_of, prelude)
    try:
        return tuple(each for each in parse(alone) if not each.pseudo_element)
    except SelectorError:
        return ()
    except RecursionError as error:
        raise DocumentError(TOO_MUCH) from error


def _none_of(match: re.Match[str]) -> str:
    """`:not(.a, .b)` as `:not(.a):not(.b)`."""
    return "".join(f":not({each.strip()})" for each in match[1].split(","))


def pointed_at(selector: Selector) -> bool:
    """Whether the element itself must be pointed at: nobody points at what takes no room."""
    tree = selector.parsed_tree
    subject = tree.subselector if isinstance(tree, CombinedSelector) else tree
    return any(isinstance(each, Pseudo) and each.ident in POINTED for each in _parts(subject))


def _parts(tree: Tree) -> Iterator[Tree]:
    """All simple selectors of a selector."""
    pending = [tree]
    while pending:
        part = pending.pop()
        yield part
        if isinstance(part, (Matching, SpecificityAdjustment)):
            pending += part.selector_list
        if isinstance(part, (CombinedSelector, Negation)):
            pending.append(part.subselector)
        if not isinstance(part, Element):
            pending.append(part.selector)


def _named(tree: Tree) -> "frozenset[str]":
    """What an element must be called for a compound selector to mean it: `p`, `.note`, `#top`."""
    return frozenset(name for name in _compound(tree)[0] if name[0] != "[")


@lru_cache(maxsize=8192)
def _compound(tree: Tree) -> "tuple[frozenset[str], tuple[Tree, ...]]":
    """(what an element must be called, further conditions) of the last part of a selector."""
    names, conditions = set[str](), list[Tree]()
    part = tree.subselector if isinstance(tree, CombinedSelector) else tree
    while not isinstance(part, (Element, CombinedSelector)):
        if isinstance(part, Class):
            names.add(f".{part.class_name}")
        elif isinstance(part, Hash):
            names.add(f"#{part.id}")
        else:
            conditions.append(part)
            if isinstance(part, Attrib):
                names.add(f"[{part.attrib.lower()}")
        part = part.selector
    if isinstance(part, Element) and part.element:
        names.add(part.element.lower())
    return frozenset(names), tuple(conditions)


def _needed(tree: Tree) -> "frozenset[str]":
    """All names that some element must have for a selector to mean anything."""
    names = _named(tree)
    while isinstance(tree, CombinedSelector):
        tree = tree.selector
        names |= _named(tree)
    return names


def _related(element: "etree._Element", combinator: str) -> "Iterator[etree._Element]":
    """The elements that a combinator leads to, the nearest first."""
    if combinator == " ":
        yield from element.iterancestors()
    elif combinator == ">":
        yield from islice(element.iterancestors(), 1)
    else:
        before = element.itersiblings("*", preceding=True)
        yield from before if combinator == "~" else islice(before, 1)


def _has(element: "etree._Element", tree: Attrib) -> bool:
    found: str | None = element.get(tree.attrib.lower())
    if found is None or tree.value is None:
        return found is not None and tree.operator == "exists"
    value = tree.value.value or ""
    if tree.flag == "i" or tree.attrib in ("type", "dir", "align", "hidden"):
        found, value = found.lower(), value.lower()
    if tree.operator == "=":
        return found == value
    if tree.operator == "!=":
        return bool(found != value)
    if tree.operator == "|=":
        return bool(found == value or found.startswith(f"{value}-"))
    if not value:
        return False
    return {
        "~=": value in found.split(),
        "^=": found.startswith(value),
        "$=": found.endswith(value),
        "*=": value in found,
    }.get(tree.operator, False)


def _is(element: "etree._Element", name: str) -> bool:
    """Structural pseudo-classes; others hold for nothing."""
    if name in ("root", "scope"):
        return element.getparent() is None
    if name in ("link", "any-link"):
        return element.tag == "a" and element.get("href") is not None
    if name == "empty":
        return len(element) == 0 and not (element.text or "")
    if name in ("first-child", "only-child", "first-of-type"):
        kind = str(element.tag) if name == "first-of-type" else "*"
        if next(element.itersiblings(kind, preceding=True), None) is not None:
            return False
    if name in ("last-child", "only-child", "last-of-type"):
        kind = str(element.tag) if name == "last-of-type" else "*"
        return next(element.itersiblings(kind), None) is None
    return name in ("first-child", "first-of-type", "defined", "enabled")


def _nth(element: "etree._Element", tree: Function) -> tuple[int, bool]:
    """(the element's place among its siblings, from 1; whether `:nth-child(…)` means it)."""
    alike = str(element.tag)
    kinds = {
        "nth-child": ("*", True),
        "nth-last-child": ("*", False),
        "nth-of-type": (alike, True),
        "nth-last-of-type": (alike, False),
    }
    if tree.name not in kinds:
        return 1, False
    try:
        step, offset = parse_series(tree.arguments)
    except ValueError:
        return 1, False
    which, preceding = kinds[tree.name]
    place = 1 + sum(1 for _ in element.itersiblings(which, preceding=preceding))
    if step == 0:
        return place, place == offset
    return place, (place - offset) % step == 0 and (place - offset) // step >= 0
