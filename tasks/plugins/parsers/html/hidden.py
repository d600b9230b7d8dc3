"""Text of a web page that a reader does not see: neither at once nor by what a page offers to open.

What external style sheets and scripts do is not known, and what is not known hides nothing.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from llmops.tasks.plugins.parsers.html.looks import (
    ElementLook,
    clipped,
    colour,
    gone,
    may_hide,
)
from llmops.tasks.plugins.parsers.html.sheets import VARIABLE, Style
from llmops.tasks.plugins.parsers.html.styles import Styles
from llmops.tasks.plugins.parsers.html.suspects import LETTERS

if TYPE_CHECKING:
    from lxml import etree, html


ESSENTIAL: Final = {"html", "head", "body", "main", "article", "title"}
SILENT: Final = {"script", "style", "template", "noscript", "title", "head"}
SHARE: Final = 0.5
"""Where more of the words than this would be gone, scripts or style sheets from elsewhere show the
page, if it has any: nothing of it counts as hidden.
"""
SHOWN_BY: Final = "//script|//link[contains(@rel, 'stylesheet')]|//@onload"
OPENERS: Final = (
    *("aria-controls", "href", "data-target", "data-bs-target", "aria-describedby"),
    *("aria-labelledby", "popovertarget", "commandfor", "for"),
)
"""Attributes that name, in the page, what a click opens."""
BUTTONS: Final = (
    "descendant-or-self::*[self::button or self::summary or self::label or @onclick or "
    "@aria-expanded or @role='button']"
)
AIDS: Final = {
    *("a", "button", "label", "legend", "caption", "th", "summary", "h1", "h2", "h3", "h4"),
    *("h5", "h6", "nav", "figcaption", "time", "dt"),
}
"""Where pages have words for screen readers alone: "opens in a new window"."""
LONGEST_AID: Final = 8
SHEETS: Final = (
    "//link[contains(concat(' ', translate(@rel, 'STYLEH', 'styleh'), ' '), ' stylesheet ')]"
)
ROUNDS: Final = 5


class Appearance:
    """What of a page is seen. `gone`: elements that nothing within shows; `faded`: those whose own
    letters cannot be seen, while those of elements within may.
    """

    def __init__(self, tree: "html.HtmlElement") -> None:
        self.gone: set[etree._Element] = set()
        self.faded: set[etree._Element] = set()
        self._told = {each: told for each in tree.iter("*") if (told := _attributes(each))}
        worded = _worded(tree)
        self._styles = Styles(tree, worded, self._told)
        self._external = bool(tree.xpath(SHEETS))
        self._scripted = tree.find(".//script") is not None or bool(tree.xpath("//@onclick"))
        values = (value for name in OPENERS for value in tree.xpath(f"//@{name}"))
        self._opened = {part.removeprefix("#") for value in values for part in value.split()}
        self._looks: dict[etree._Element, ElementLook] = {}
        self._variables: dict[etree._Element, dict[str, str]] = {}
        unseen = {
            element: style
            for element in tree.iter("*")
            if (style := self._unseen_style(element)) is not None and element in worded
        }
        later = self._styles.later(list(unseen), _reasons(unseen.values()))
        for element, style in unseen.items():
            self._judge(element, style, _resolved(later.get(element, {}), self._variables[element]))

    def _unseen_style(self, element: "etree._Element") -> dict[str, str] | None:
        """An element's declarations where they hide it or its letters, unless it is opened."""
        parent = element.getparent()
        around = ElementLook() if parent is None else self._looks[parent]
        inherited = {} if parent is None else self._variables[parent]
        own = self._styles.now.get(element, {})
        named = {name: value for name, value in own.items() if name[:2] == "--"}
        self._variables[element] = inherited | named if named else inherited
        style = {**self._told.get(element, {})}
        if own:
            style |= _resolved(own, self._variables[element])
        look = self._looks[element] = around.within(style) if style else around
        if element.tag in ESSENTIAL:
            return None
        return style if look.unseen or (style and gone(style)) else None

    def _judge(self, element: "etree._Element", style: Style, later: Style) -> None:
        parent = element.getparent()
        around = ElementLook() if parent is None else self._looks[parent]
        if gone(style):
            if not self._can_be_seen(element, style, later):
                self.gone.add(element)
        elif self._unseen(element, self._looks[element], around, later):
            self.faded.add(element)

    def _unseen(
        self, element: "etree._Element", look: ElementLook, around: ElementLook, later: Style
    ) -> bool:
        """White on a page of which no background is told is unseen only where no sheet from
        elsewhere may tell one.
        """
        blends = look.visible and look.size >= 2 and not look.clear
        if blends and self._external and look.paper == (1.0, 1.0, 1.0):
            return False
        if later and not look.within(later).unseen:
            return False
        return around.unseen or not self._opens(element)

    def _can_be_seen(self, element: "etree._Element", style: Style, later: Style) -> bool:
        if later and not gone({**style, **later}):
            return True
        return self._opens(element) or (clipped(style) and _is_aid(element))

    def _opens(self, element: "etree._Element") -> bool:
        """Whether a link, a button or a tab of the page shows an element."""
        if element.get("role") == "tabpanel" or element.get("id") in self._opened:
            return True
        if element.get("popover") is not None or element.get("hidden", "").lower() == "until-found":
            return True
        before = next(element.itersiblings("*", preceding=True), None)
        return self._scripted and before is not None and bool(before.xpath(BUTTONS))


def _worded(tree: "etree._Element") -> "set[etree._Element]":
    """The elements with text, or a picture that has a description, in them."""
    worded: set[etree._Element] = set()
    for element in reversed(list(tree.iter("*"))):
        if (
            element in worded
            or (element.tag == "img" and element.get("alt"))
            or any(text.strip() for text in _own_texts(element))
        ):
            worded.add(element)
            worded.add(element.getparent())
    return worded


def _reasons(styles: Iterable[Style]) -> set[str]:
    """The properties by which elements with such declarations cannot be seen."""
    told, reasons = set[tuple[str, str]](), set[str]()
    for style in styles:
        if gone(style):
            told |= set(style.items())
        else:
            reasons |= LETTERS
    reasons |= {name for name, value in told if may_hide(name, value)}
    return reasons | {"position"} if reasons - {"display"} else reasons


def _attributes(element: "etree._Element") -> dict[str, str]:
    """What attributes of old say in place of a style, weaker than any."""
    told: dict[str, str] = {}
    if element.get("hidden") is not None:
        told["display"] = "none"
    if element.tag == "font" and element.get("color"):
        told["color"] = _old_colour(element.get("color"))
    if element.tag == "font" and (element.get("size") or "").strip() == "0":
        told["font-size"] = "x-small"
    if element.get("bgcolor"):
        told["background-color"] = _old_colour(element.get("bgcolor"))
    if element.get("background"):
        told["background-image"] = "url(x)"
    if element.tag == "body" and element.get("text"):
        told["color"] = _old_colour(element.get("text"))
    return told


def _old_colour(value: str) -> str:
    value = value.strip().lower()
    return value if colour(value) else f"#{value.lstrip('#')}"


def _resolved(style: Style, variables: Style) -> dict[str, str]:
    """The declarations with the values of their variables; without those that are not told."""
    told = {name: value for name, value in style.items() if not name.startswith("--")}
    for _ in range(ROUNDS):
        if not any("var(" in value for value in told.values()):
            break
        told = {
            name: VARIABLE.sub(
                lambda match: variables.get(match[1]) or (match[2] or "").strip() or "unknown",
                value,
            )[:500].lower()
            for name, value in told.items()
        }
    return {name: value for name, value in told.items() if "var(" not in value}


def _is_aid(element: "etree._Element") -> bool:
    """Whether it is what pages say to screen readers alone: a few words in a link or a button."""
    if len("".join(element.itertext()).split()) > LONGEST_AID:
        return False
    around = (element, *element.iterancestors())
    return any(
        each.tag in AIDS or each.get("aria-live") or each.get("role") in ("status", "alert")
        for each in around
    )


def taken_out(tree: "html.HtmlElement") -> list[str]:
    """The texts that a reader of the page does not see; afterwards they are no longer in it.

    Seen is what no attribute, inline style or style sheet in the page hides: by `display`,
    `visibility`, `opacity`, a tiny size, a place outside the window, a box without extent, or the
    colour of its background. Neither is hidden what a link, a button, pointing or a script's class
    opens, nor the few words for screen readers in a link or a heading. Raises DocumentError for
    style sheets that no person wrote.
    """
    seen = Appearance(tree)
    whole = _whole(tree, seen)
    outermost = [
        element
        for element in tree.iter("*")
        if element in whole and not any(around in whole for around in element.iterancestors())
    ]
    partly = [each for each in tree.iter("*") if each in seen.faded and not _under(each, whole)]
    texts = [_text(element) for element in outermost]
    texts += [text for element in partly for text in _own_texts(element)]
    hidden = sum(len(text.split()) for text in texts)
    if hidden > SHARE * len(_text(tree).split()) and tree.xpath(SHOWN_BY):
        return texts
    for element in outermost:
        if element.getparent() is not None:
            element.drop_tree()
    for element in partly:
        _silence(element)
    return texts


def _under(element: "etree._Element", whole: "set[etree._Element]") -> bool:
    return any(each in whole for each in (element, *element.iterancestors()))


def _whole(tree: "etree._Element", seen: Appearance) -> "set[etree._Element]":
    """The elements of whose text nothing is seen, neither their own nor that within."""
    shown: set[etree._Element] = set()
    for element in reversed(list(tree.iter("*"))):
        if element in seen.gone:
            continue
        own = element not in seen.faded and any(text.strip() for text in _own_texts(element))
        if own or any(child in shown for child in element):
            shown.add(element)
    return {each for each in (*seen.gone, *seen.faded) if each not in shown}


def _own_texts(element: "etree._Element") -> Iterator[str]:
    """The texts right in an element."""
    if element.tag in SILENT:
        return
    yield element.text or ""
    for child in element:
        yield child.tail or ""


def _silence(element: "etree._Element") -> None:
    element.text = None
    for child in element:
        child.tail = " "


def _text(element: "etree._Element") -> str:
    """All text in an element that is no code of the page."""
    return " ".join(
        text
        for text in element.xpath(
            ".//text()[not(ancestor::script or ancestor::style or ancestor::template or "
            "ancestor::noscript or ancestor::head)]"
        )
    )
