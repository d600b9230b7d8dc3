"""What the style sheets in a page say of its elements: the cascade, by tinycss2 and cssselect.

Only what may hide a text is read. Sheets from elsewhere are not fetched: nothing of them is known.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import tinycss2
from cssselect import Selector
from tinycss2.ast import AtRule, Declaration, QualifiedRule

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers.html.selectors import TOO_MUCH, Matcher, pointed_at, selectors

if TYPE_CHECKING:
    from lxml import etree


Style = Mapping[str, str]
Ranked = tuple[tuple[bool, tuple[int, ...], int], str, str]
"""(how much a declaration counts, property, value)."""
MOST_CSS: Final = 3_000_000
"""Characters of all style sheets in a page."""
WIDE, NARROW = 1280.0, 360.0
"""Pixels: what a desktop and a telephone show. Hidden is only what neither shows."""
RELEVANT: Final = {
    *("display", "visibility", "opacity", "filter", "content-visibility"),
    *("font", "font-size", "color", "-webkit-text-fill-color", "text-shadow"),
    *("background", "background-color", "background-image", "background-clip"),
    *("-webkit-background-clip", "mix-blend-mode"),
    *("position", "left", "top", "right", "bottom", "inset", "text-indent"),
    *("margin", "margin-left", "margin-top", "transform", "scale", "translate", "zoom"),
    *("overflow", "overflow-x", "overflow-y", "width", "height", "max-width", "max-height"),
    *("clip", "clip-path"),
}
WORTH_READING: Final = re.compile(
    "display|visib|opacity|font|colo|shadow|background|blend|position|left|top|right|bottom|inset|"
    r"indent|margin|transform|scale|translate|zoom|overflow|width|height|clip|filter|\\",
    re.IGNORECASE,
)
LENGTH: Final = re.compile(r"(min|max)-width\s*:\s*(\d{1,6}(?:\.\d{1,4})?)\s*(px|em|rem)")
UNKNOWN: Final = re.compile(
    r"print|speech|aural|tty|braille|prefers-color-scheme\s*:\s*dark|prefers-reduced|prefers-contrast|"
    r"forced-colors|inverted|orientation|hover\s*:\s*none|pointer\s*:\s*coarse|resolution|height"
)
VARIABLE: Final = re.compile(r"var\(\s*(--[\w-]+)\s*(?:,([^()]*))?\)")
GLOBAL: Final = {"inherit", "initial", "unset", "revert", "revert-layer"}
VALUES: Final = {
    "display": re.compile(
        r"(?:none|contents|list-item|(?:inline|block|flex|grid|flow|table|ruby|math|run-in|"
        r"-webkit-\w|-ms-\w|-moz-\w)[\w -]*)\Z"
    ),
    "visibility": re.compile(r"(?:visible|hidden|collapse)\Z"),
    "position": re.compile(r"(?:static|relative|absolute|fixed|(?:-webkit-)?sticky)\Z"),
    "opacity": re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?%?\Z"),
    "color": re.compile(r"#(?:[\da-f]{3,4}|[\da-f]{6}|[\da-f]{8})\Z|[a-z]+\Z"),
    "font-size": re.compile(r"[+.\d]|(?:x{1,3}-)?(?:small|large)|medium|smaller|larger|math"),
    "overflow": re.compile(r"(?:(?:visible|hidden|clip|scroll|auto|overlay)\s*){1,2}\Z"),
}
"""What is no function and no global keyword, and yet a value."""
INLINE: Final = (1, 0, 0, 0)


@dataclass(frozen=True)
class StyleRule:
    """A rule of a sheet. `always`: it holds on every screen; else on some only."""

    prelude: str
    declared: Mapping[str, tuple[str, bool]]
    always: bool

    @property
    def opens(self) -> bool:
        """Whether it may show what another rule hides."""
        return self.declared.get("display", ("", False))[0] != "none"


class Styles:
    """What the sheets and the `style` attributes of a page say of its elements. Raises
    DocumentError for sheets that no person wrote.
    """

    def __init__(self, tree: "etree._Element") -> None:
        sheets = [
            (sheet.text or "", sheet.get("media") or "")
            for sheet in tree.iter("style")
            if WORTH_READING.search(sheet.text or "")
        ]
        if sum(len(text) for text, _ in sheets) > MOST_CSS:
            raise DocumentError(TOO_MUCH)
        self._matcher = Matcher(tree)
        self._read: dict[str, list[Selector]] = {}
        try:
            self._rules = [rule for sheet in sheets for rule in _rules(*sheet)]
            self.now = self._cascade(tree)
        except RecursionError as error:
            raise DocumentError(TOO_MUCH) from error

    def _cascade(self, tree: "etree._Element") -> "dict[etree._Element, dict[str, str]]":
        """element -> its own declarations, as the page is first shown."""
        held: dict[etree._Element, list[Ranked]] = {}
        for order, rule in enumerate(self._rules):
            for selector in self._selectors(rule) if rule.always else ():
                rank = (0, *selector.specificity())
                for element in self._matcher.now(selector):
                    held.setdefault(element, []).extend(_ranked(rule.declared, rank, order))
        for element in tree.iter("*"):
            if given := element.get("style"):
                ranked = _ranked(declarations(given), INLINE, len(self._rules))
                held.setdefault(element, []).extend(ranked)
        return {
            element: {name: value for _, name, value in sorted(ranked, key=itemgetter(0))}
            for element, ranked in held.items()
        }

    def later(self, among: "Sequence[etree._Element]") -> "dict[etree._Element, dict[str, str]]":
        """The declarations of some elements that come with pointing, opening, another screen, or a
        class that a script gives them.
        """
        found: dict[etree._Element, dict[str, str]] = {}
        wanted = set(among)
        for rule in self._rules if among else ():
            for selector in self._selectors(rule) if rule.opens else ():
                opened = _opening(rule.declared, pointed=pointed_at(selector))
                if rule.always:
                    meant: Iterable[etree._Element] = self._matcher.later(selector, among)
                else:
                    meant = (each for each in self._matcher.now(selector) if each in wanted)
                for element in meant if opened else ():
                    found.setdefault(element, {}).update(opened)
        return found

    def _selectors(self, rule: "StyleRule") -> list[Selector]:
        if not self._matcher.may_mean(rule.prelude, later=rule.opens):
            return []
        if rule.prelude not in self._read:
            self._read[rule.prelude] = selectors(rule.prelude)
        return self._read[rule.prelude]


def _ranked(
    declared: Mapping[str, tuple[str, bool]], rank: tuple[int, ...], order: int
) -> "Iterator[Ranked]":
    for name, (value, important) in declared.items():
        yield (important, rank, order), name, value


def _opening(declared: Mapping[str, tuple[str, bool]], *, pointed: bool) -> dict[str, str]:
    """What a state changes; nobody can point at what takes no room."""
    gone = {"display", "visibility"} if pointed else set()
    return {name: value for name, (value, _) in declared.items() if name not in gone}


def declarations(style: str) -> dict[str, tuple[str, bool]]:
    """Property -> (value, whether it is important) of a `style` attribute."""
    if not WORTH_READING.search(style) and "--" not in style:
        return {}
    return _declared(tinycss2.parse_blocks_contents(style))


def _declared(nodes: list[Any]) -> dict[str, tuple[str, bool]]:
    """Of the same property the last one counts, an important one more."""
    found: dict[str, tuple[str, bool]] = {}
    for node in nodes:
        if not isinstance(node, Declaration):
            continue
        name = node.name if node.name.startswith("--") else node.lower_name
        if name not in RELEVANT and not name.startswith("--"):
            continue
        if node.important or not found.get(name, ("", False))[1]:
            value = tinycss2.serialize(node.value).strip()
            value = value if name.startswith("--") else value.lower()
            if _is_valid(name, value):
                found.pop(name, None)
                found[name] = (value, node.important)
    return found


def _is_valid(name: str, value: str) -> bool:
    """Whether a browser takes a value; one that it does not take leaves the one before."""
    if "(" in value or value in GLOBAL or name not in VALUES:
        return True
    return bool(VALUES[name].match(value))


def _rules(sheet: str, media: str) -> Iterator[StyleRule]:
    holds = _holds(media)
    if holds is not None:
        nodes = tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True)
        yield from _of(nodes, "", always=holds)


def _of(nodes: list[Any], parent: str, *, always: bool) -> Iterator[StyleRule]:
    """The rules among the nodes of a sheet or of a block, those within others with their parents'
    selectors.
    """
    for node in nodes:
        if isinstance(node, QualifiedRule):
            written = tinycss2.serialize(node.prelude).strip()
            if not written:
                continue
            prelude = _nested(written, parent)
            inner = tinycss2.parse_blocks_contents(node.content)
            if declared := _declared(inner):
                yield StyleRule(prelude, declared, always)
            if any(isinstance(each, (QualifiedRule, AtRule)) for each in inner):
                yield from _of(inner, prelude, always=always)
        elif isinstance(node, AtRule) and node.content is not None:
            yield from _conditional(node, parent, always=always)


def _nested(prelude: str, parent: str) -> str:
    if not parent:
        return prelude
    return ", ".join(
        part.replace("&", f":is({parent})") if "&" in part else f":is({parent}) {part.strip()}"
        for part in prelude.split(",")
    )


def _conditional(node: AtRule, parent: str, *, always: bool) -> Iterator[StyleRule]:
    name = node.lower_at_keyword
    if name not in ("media", "supports", "layer", "scope", "container", "starting-style"):
        return
    holds: bool | None = True
    if name == "media":
        holds = _holds(tinycss2.serialize(node.prelude))
    elif name in ("container", "scope", "starting-style"):
        holds = False
    if holds is None:
        return
    inner = tinycss2.parse_blocks_contents(node.content)
    always = always and holds
    if parent and (declared := _declared(inner)):
        yield StyleRule(parent, declared, always)
    yield from _of(inner, parent, always=always)


def _holds(media: str) -> bool | None:
    """Whether a rule for such media holds on every screen (True), on some (False) or on none that
    a page is read on by default (None).
    """
    media = media.lower().strip()
    if not media:
        return True
    parts = [_holds_alone(part.strip()) for part in media.split(",")]
    return True if True in parts else False if False in parts else None


def _holds_alone(media: str) -> bool | None:
    if media.startswith("not"):
        return bool(re.fullmatch(r"not\s+(?:print|speech|aural)", media))
    if UNKNOWN.search(media):
        return None if re.search(r"print|speech|dark", media) else False
    on = [_wide_enough(media, width) for width in (WIDE, NARROW)]
    known = LENGTH.sub("", media)
    if re.search(r"width|[<>]", known):
        return False
    return all(on)


def _wide_enough(media: str, width: float) -> bool:
    for bound, number, unit in LENGTH.findall(media):
        pixels = float(number) * (1 if unit == "px" else 16)
        if (width < pixels) if bound == "min" else (width > pixels):
            return False
    return True
