"""Text of a web page that a reader does not see."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from llmops.tasks.plugins.parsers._metadata import white

if TYPE_CHECKING:
    from lxml import etree, html


RULE = re.compile(r"([^{}@;]{1,500}+)\{([^{}]{0,5000}+)\}")
COMMENT = re.compile(r"/\*(?:[^*]|\*(?!/))*+\*/")
AT_RULE = re.compile(
    r"@[a-z-]{1,30}[^{};]{0,500}+\{(?:[^{}]|\{[^{}]{0,5000}+\}){0,10000}+\}", re.IGNORECASE
)
SIMPLE = re.compile(r"([a-z][a-z0-9]{0,20})?(?:([.#])([\w-]{1,100}))?", re.IGNORECASE)
NUMBER = re.compile(r"(-?\d{0,9}(?:\.\d{1,9})?)\s*(px|pt|em|rem|%|vw|vh|cm|mm|in)?\Z")
HEX = re.compile(r"#([0-9a-f]{3,8})\Z")
RGB = re.compile(
    r"rgba?\(\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*[, ]\s*(\d{1,3})\s*(?:[,/]\s*([\d.]{1,9}%?)\s*)?\)\Z"
)
NAMES = {
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "red": (255, 0, 0),
    "snow": (255, 250, 250),
    "ivory": (255, 255, 240),
    "whitesmoke": (245, 245, 245),
    "ghostwhite": (248, 248, 255),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "blue": (0, 0, 255),
    "green": (0, 128, 0),
    "yellow": (255, 255, 0),
    "silver": (192, 192, 192),
    "navy": (0, 0, 128),
}
PIXELS = {
    "px": 1.0,
    "pt": 4 / 3,
    "em": 16.0,
    "rem": 16.0,
    "%": 0.16,
    "vw": 12.8,
    "vh": 8.0,
    "cm": 37.8,
    "mm": 3.78,
    "in": 96.0,
    None: 1.0,
}
FAR, TINY = -900, 2.0

Style = Mapping[str, str]
ESSENTIAL: Final = {"html", "head", "body", "main", "article", "title"}
SHARE: Final = 0.5
"""Where more of the words than this would be gone, scripts show the page: nothing of it counts as
hidden.
"""
OPENERS: Final = (
    "aria-controls",
    "href",
    "data-target",
    "data-bs-target",
    "aria-describedby",
    "aria-labelledby",
)
"""Attributes that name, in the page, what a click opens."""
TEXT: Final = (
    ".//text()[not(ancestor::script or ancestor::style or ancestor::template or "
    "ancestor::noscript)]"
)
SHEETS: Final = (
    "//link[contains(concat(' ', translate(@rel, 'STYLEH', 'styleh'), ' '), ' stylesheet ')]"
)
RELEVANT: Final = {
    "display",
    "visibility",
    "opacity",
    "font-size",
    "position",
    "text-indent",
    "color",
    "background",
    "background-color",
    "background-image",
    "overflow",
    "height",
    "max-height",
    "left",
    "top",
}


def declarations(style: str) -> dict[str, str]:
    """Property -> value, both small."""
    pairs = (part.partition(":") for part in COMMENT.sub("", style).lower().split(";"))
    return {
        name.strip(): value.replace("!important", "").strip() for name, mark, value in pairs if mark
    }


def rules(sheet: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(XPath, declarations) of the rules with simple selectors: `p`, `.note`, `#top`, `p.note`.
    Rules that hold only for some media do not count."""
    for selectors, body in RULE.findall(AT_RULE.sub("", COMMENT.sub("", sheet))):
        for selector in selectors.split(","):
            parts = SIMPLE.fullmatch(selector.strip())
            if parts and selector.strip():
                yield _xpath(*parts.groups()), declarations(body)


def _xpath(tag: str | None, mark: str | None, name: str | None) -> str:
    step = f"//{(tag or '*').lower()}"
    if not mark:
        return step
    return (
        f"{step}[@id='{name}']"
        if mark == "#"
        else f"{step}[contains(concat(' ', normalize-space(@class), ' '), ' {name} ')]"
    )


def pixels(value: str) -> float | None:
    """A length in pixels, for a page of usual size; None where it is none."""
    number = NUMBER.match(value.strip())
    return float(number[1]) * PIXELS[number[2]] if number and number[1] not in ("", "-") else None


def unseen(style: Style) -> bool:
    """Whether these declarations hide an element, whatever is around it."""
    if style.get("display") == "none" or style.get("visibility") in ("hidden", "collapse"):
        return True
    if pixels(style.get("opacity", "1")) == 0 or colour(style.get("color", "")) == "transparent":
        return True
    size = pixels(style.get("font-size", "16px"))
    return (size is not None and size < TINY) or _far(style) or _shut(style)


def _far(style: Style) -> bool:
    """Whether it lies outside the window."""
    moved = ["text-indent"] + (
        ["left", "top", "margin-left"] if style.get("position") in ("absolute", "fixed") else []
    )
    return any((pixels(style.get(name, "0")) or 0) < FAR for name in moved)


def _shut(style: Style) -> bool:
    """Whether it has no room: a box without extent that shows nothing beyond itself."""
    sizes = [
        pixels(style[name])
        for name in ("height", "max-height", "width", "max-width")
        if name in style
    ]
    return style.get("overflow") == "hidden" and any(size == 0 for size in sizes)


def colour(value: str) -> tuple[int, int, int] | str | None:
    """Red, green and blue; "transparent"; None for what is not known."""
    value = value.strip().lower()
    if value in NAMES:
        return NAMES[value]
    if match := HEX.match(value):
        digits = "".join(c * 2 for c in match[1]) if len(match[1]) in (3, 4) else match[1]
        return (
            "transparent"
            if digits[6:] == "00"
            else (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6] or "0", 16))
        )
    if match := RGB.match(value):
        if match[4] and float(match[4].rstrip("%") or 1) == 0:
            return "transparent"
        return int(match[1]), int(match[2]), int(match[3])
    return "transparent" if value == "transparent" else None


def taken_out(tree: "html.HtmlElement") -> list[str]:
    """The texts that a reader of the page does not see; afterwards they are no longer in it.

    Seen is what no attribute, inline style or simple rule of the page's own `<style>` hides: by
    `display`, `visibility`, `opacity`, a tiny size, a place outside the window, or the colour of
    its background. White text counts where no background is known and the page takes no style sheet
    from elsewhere. A panel that a link or button opens is no hidden text. What external style
    sheets and scripts do is not known.
    """
    sheet = _computed(tree)
    targets = (value for name in OPENERS for value in tree.xpath(f"//@{name}"))
    opened = {part.removeprefix("#") for value in targets for part in value.split()}
    external = bool(tree.xpath(SHEETS))
    hidden = [element for element in tree.iter("*") if _hides(element, sheet, external)]
    panels = {
        element
        for element in hidden
        if element.get("role") == "tabpanel" or element.get("id") in opened
    }
    for panel in [*panels, *tree.xpath("//*[@hidden='until-found']")]:
        for name in ("style", "hidden"):
            panel.attrib.pop(name, None)
    chosen = set(hidden) - panels
    outermost = [
        element
        for element in hidden
        if element in chosen and not any(around in chosen for around in element.iterancestors())
    ]
    texts = [" ".join(element.xpath(TEXT)) for element in outermost]
    if len(" ".join(texts).split()) > SHARE * len(
        " ".join(tree.xpath(f"//body{TEXT[1:]}")).split()
    ):
        return texts
    for element in outermost:
        if element.getparent() is not None:
            element.drop_tree()
    return texts


def _computed(tree: "html.HtmlElement") -> dict["etree._Element", dict[str, str]]:
    """element -> its own declarations, of rules and then of its `style`."""
    styles: dict[etree._Element, dict[str, str]] = {}
    for sheet in tree.iter("style"):
        for path, declared in rules(sheet.text or ""):
            if declared.keys() & RELEVANT:
                for element in tree.xpath(path):
                    styles.setdefault(element, {}).update(declared)
    for element in tree.xpath("//*[@style]"):
        styles.setdefault(element, {}).update(declarations(element.get("style")))
    return styles


def _hides(
    element: "etree._Element", sheet: dict["etree._Element", dict[str, str]], external: bool
) -> bool:
    if element.tag in ESSENTIAL or not isinstance(element.tag, str):
        return False
    if element.get("hidden") is not None and element.get("hidden", "").lower() != "until-found":
        return True
    own = sheet.get(element, {})
    return unseen(own) or _blends(element, own, sheet, external)


def _blends(
    element: "etree._Element",
    own: dict[str, str],
    sheet: dict["etree._Element", dict[str, str]],
    external: bool,
) -> bool:
    """Whether the text has the colour of what is behind it."""
    ink = colour(
        own.get("color", "") or (element.get("color") or "" if element.tag == "font" else "")
    )
    if not isinstance(ink, tuple):
        return False
    for around in (element, *element.iterancestors()):
        declared = sheet.get(around, {})
        behind = (
            declared.get("background-color") or declared.get("background") or around.get("bgcolor")
        )
        if declared.get("background-image") or around.get("background"):
            return False
        if behind and colour(behind) != "transparent":
            return colour(behind) == ink
    return white(ink) and not external
