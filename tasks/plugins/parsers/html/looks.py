"""How an element of a web page looks, by its declarations and by what is around it: whether it has
room, whether its letters can be seen.
"""

import re
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import prod
from typing import Final

from tinycss2 import color5

from llmops.tasks.plugins.parsers.html.sheets import Style

NUMBER: Final = re.compile(
    r"([-+]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9}))\s*"
    r"(px|pt|pc|em|rem|ex|ch|%|vw|vh|vmin|vmax|cm|mm|q|in)?\Z"
)
PIXELS: Final = {
    "px": 1.0,
    "pt": 4 / 3,
    "pc": 16.0,
    "em": 16.0,
    "rem": 16.0,
    "ex": 8.0,
    "ch": 8.0,
    "vw": 12.8,
    "vh": 8.0,
    "vmin": 8.0,
    "vmax": 12.8,
    "%": 0.16,
    "cm": 37.8,
    "mm": 3.78,
    "q": 0.945,
    "in": 96.0,
}
RELATIVE: Final = {"em", "%", "ex", "ch"}
SIZES: Final = {"xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0}
FAR: Final = -900.0
TINY: Final = 2.0
FAINT: Final = 0.05
"""From this opacity on, a text can be read by one who looks for it."""
SAME: Final = 1.1
"""Contrast of two colours that nobody tells apart; 21 is black on white."""
SUM: Final = re.compile(r"calc\(\s*([^()]+?)\s*\)\Z")
MOVED: Final = re.compile(r"(translate(?:x|y|3d)?|scale(?:x|y|3d)?)\(\s*([^()]*)\)")
INSET: Final = re.compile(r"inset\(\s*([\d.]+)(%|px)")
NO_AREA: Final = re.compile(
    r"circle\(\s*0|ellipse\(\s*0|polygon\(\s*(?:0(?:px|%)?[\s,]*)+\)|path\(\s*[\"']\s*[\"']"
)
RECT: Final = re.compile(r"rect\(([^()]*)\)")
Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class ElementLook:
    """What an element hands down to those within it. `ink` and `paper` are None where they are not
    known. `laid_over`: it may stand before something else than what it stands in.
    """

    visible: bool = True
    size: float = 16.0
    ink: Rgb | None = (0.0, 0.0, 0.0)
    clear: bool = False
    paper: Rgb | None = (1.0, 1.0, 1.0)
    laid_over: bool = False

    @cached_property
    def unseen(self) -> bool:
        """Whether letters cannot be seen where nothing else is said of them."""
        return not self.visible or self.size < TINY or self.clear or self._blends()

    def _blends(self) -> bool:
        if self.ink is None or self.paper is None or self.laid_over:
            return False
        return blend(self.ink, self.paper)

    def within(self, style: Style) -> "ElementLook":
        """The look of an element with such declarations."""
        look = self
        if "visibility" in style:
            look = replace(look, visible=style["visibility"] not in ("hidden", "collapse"))
        if (size := _size(style, self.size)) is not None:
            look = replace(look, size=size)
        if style.get("position") in ("absolute", "fixed", "sticky"):
            look = replace(look, laid_over=True)
        return _inked(_papered(look, style), style)


def _papered(look: ElementLook, style: Style) -> ElementLook:
    shown = paper(style)
    if isinstance(shown, tuple):
        look = replace(look, paper=shown, laid_over=False)
    elif shown or "mix-blend-mode" in style:
        look = replace(look, paper=None)
    return look


def _inked(look: ElementLook, style: Style) -> ElementLook:
    ink = style.get("-webkit-text-fill-color") or style.get("color", "")
    if not ink or ink in ("inherit", "currentcolor", "unset"):
        return look
    named = colour(ink)
    clipped = "text" in style.get("background-clip", style.get("-webkit-background-clip", ""))
    shadow = style.get("text-shadow", "none") != "none"
    return replace(
        look,
        ink=named if isinstance(named, tuple) and not shadow else None,
        clear=named == "transparent" and not clipped and not shadow,
    )


def paper(style: Style) -> "Rgb | str | None":
    """The background that an element has; "unknown" for a picture; None where it has none."""
    names = ("background", "background-image", "background-color")
    told = " ".join(style.get(name, "") for name in names)
    if re.search(r"url\(|gradient\(|image-set\(|unknown", told):
        return "unknown"
    for value in (style.get("background-color"), style.get("background")):
        for word in [value, *_words(value)] if value else []:
            shown = colour(word)
            if isinstance(shown, tuple) or shown == "unknown":
                return shown
    return None


def _words(value: str) -> list[str]:
    """The parts of a value; a function is one part."""
    return re.findall(r"[\w#-]+(?:\([^()]*\))?", value)


def _size(style: Style, around: float) -> float | None:
    given = style.get("font-size")
    if given is None and (font := style.get("font")):
        sizes = (part.split("/")[0] for part in font.split())
        given = next((each for each in sizes if NUMBER.match(each) and not each.isdigit()), None)
        given = given or ("0" if re.search(r"(?:^|\s)0(?:/|\s)", font) else None)
    if given is None:
        return None
    if given in SIZES:
        return SIZES[given]
    number = NUMBER.match(given)
    if number and number[2] in RELATIVE:
        return around * float(number[1]) * (PIXELS[number[2]] / 16)
    return pixels(given)


def pixels(value: str) -> float | None:
    """A length in pixels, for a page of usual size; None where it is none."""
    value = value.strip()
    if inner := SUM.match(value):
        return _calculated(inner[1])
    number = NUMBER.match(value)
    return float(number[1]) * PIXELS[number[2] or "px"] if number else None


def _calculated(terms: str) -> float | None:
    """The sum of products of lengths; None where there is something else."""
    total, sign = 0.0, 1.0
    for term in re.split(r"\s([+-])\s", terms):
        if term in ("+", "-"):
            sign = -1.0 if term == "-" else 1.0
            continue
        factors = [pixels(part) for part in term.split("*")]
        if None in factors:
            return None
        total += sign * prod(factor or 0.0 for factor in factors)
    return total


@lru_cache(maxsize=4096)
def colour(value: str) -> Rgb | str | None:
    """Red, green and blue from 0 to 1; "transparent"; "unknown" for a colour that is given in
    another way; None for what is no colour.
    """
    try:
        parsed = color5.parse_color(value.strip())
    except (ValueError, IndexError, AttributeError, RecursionError):
        return None
    if parsed is None or isinstance(parsed, str):
        return None
    if parsed.alpha is not None and parsed.alpha < FAINT:
        return "transparent"
    try:
        red, green, blue = (float(part or 0) for part in parsed.to("srgb").coordinates)
    except NotImplementedError:
        return _lightness(parsed)
    return red, green, blue


def _lightness(parsed: "color5.Color") -> Rgb | str:
    """Of a colour in another space only white and black are told."""
    light = parsed.coordinates[0]
    whole = {"lab": 100.0, "lch": 100.0, "oklab": 1.0, "oklch": 1.0}.get(parsed.space)
    if whole is None or light is None:
        return "unknown"
    return (1.0, 1.0, 1.0) if light >= whole else (0.0, 0.0, 0.0) if light <= 0 else "unknown"


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of WCAG 2: 1 for the same colour, 21 for black on white."""
    first, second = sorted((_luminance(one), _luminance(other)))
    alike = max(abs(a - b) for a, b in zip(one, other, strict=True)) < 0.12
    return (second + 0.05) / (first + 0.05) if alike else 21.0


def _luminance(colour: Rgb) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((max(0.0, part) + 0.055) / 1.055) ** 2.4
        for part in colour
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def gone(style: Style) -> bool:
    """Whether these declarations leave no room for an element and all that is in it, or paint none
    of it.
    """
    if style.get("display") == "none" or style.get("content-visibility") == "hidden":
        return True
    return _faint(style) or _far(style) or _shut(style) or clipped(style) or _shrunk(style)


def may_hide(name: str, value: str) -> bool:
    """Whether a value of a property that is no colour may hide a text, alone or together with other
    properties.
    """
    if name in ("font", "font-size"):
        return shrinks(name, value) < 1
    if name == "visibility":
        return value in ("hidden", "collapse")
    if name in ("width", "height", "max-width", "max-height"):
        extent = pixels(value)
        return extent is not None and extent <= 1
    if name == "overflow" or name.startswith("overflow-"):
        return _cuts({name: value})
    return gone({"position": "absolute", name: value})


def shrinks(name: str, value: str) -> float:
    """How many times as large as those around it letters are at least: 0 for a tiny size, 1 for
    one that is not less than that around.
    """
    size, larger = (_size({name: value}, around) for around in (16.0, 32.0))
    if size is None or larger is None:
        return 1.0
    if size == larger:
        return 0.0 if size < TINY else 1.0
    return max(0.0, min(1.0, size / 16))


def blend(ink: Rgb, paper: Rgb) -> bool:
    """Whether nobody tells two colours apart."""
    return contrast(ink, paper) < SAME


def clipped(style: Style) -> bool:
    """Whether it is cut down to nothing, or to a pixel, as text for screen readers is."""
    rect = RECT.search(style.get("clip", ""))
    out = style.get("position") in ("absolute", "fixed")
    if rect and out and _empty_rect(rect[1]):
        return True
    path = style.get("clip-path", "")
    inset = INSET.match(path)
    if NO_AREA.match(path) or (inset and inset[2] == "%" and float(inset[1].strip(".")) >= 50):
        return True
    small = all((pixels(style.get(name, "")) or 9) <= 1 for name in ("width", "height"))
    return small and "width" in style and "height" in style and _cuts(style)


def _empty_rect(inside: str) -> bool:
    """`top right bottom left` of which nothing, or a pixel, is between."""
    edges = [pixels(edge) for edge in re.split(r"[\s,]+", inside.strip())]
    if len(edges) != 4 or None in edges:
        return False
    top, right, bottom, left = (edge or 0.0 for edge in edges)
    return bottom - top <= 1 or right - left <= 1


def _cuts(style: Style) -> bool:
    told = " ".join(style.get(name, "") for name in ("overflow", "overflow-x", "overflow-y"))
    return "hidden" in told or "clip" in told


def _faint(style: Style) -> bool:
    opacity = style.get("opacity", "1")
    amount = _part(opacity)
    through = re.search(r"opacity\(\s*([\d.]+%?)\s*\)", style.get("filter", ""))
    return (amount is not None and amount < FAINT) or bool(
        through and (_part(through[1]) or 0.0) < FAINT
    )


def _part(value: str) -> float | None:
    number = re.match(r"(\d{0,9}(?:\.\d{0,9})?)(%?)\Z", value.strip())
    if not number or not number[1].strip("."):
        return None
    return float(number[1]) / (100 if number[2] else 1)


def _far(style: Style) -> bool:
    """Whether it lies outside the window."""
    places = [style.get("text-indent", ""), style.get("margin-left", "")]
    margin = style.get("margin", "").split()
    places += margin[:1] + margin[3:]
    if style.get("position") in ("absolute", "fixed", "relative"):
        places += [style.get(name, "") for name in ("left", "top", "right", "bottom")]
        places += style.get("inset", "").split()
    places += style.get("translate", "").split()
    moves = MOVED.findall(style.get("transform", ""))
    places += [part for name, parts in moves if name[0] == "t" for part in parts.split(",")]
    return any((pixels(place) or 0.0) < FAR for place in places if place)


def _shrunk(style: Style) -> bool:
    scales = style.get("scale", "").split()
    moves = MOVED.findall(style.get("transform", ""))
    scales += [part for name, parts in moves if name[0] == "s" for part in parts.split(",")]
    amounts = [_part(each.strip()) for each in [*scales, style.get("zoom", "")] if each.strip()]
    return any(amount is not None and amount < FAINT for amount in amounts)


def _shut(style: Style) -> bool:
    """Whether it has no room: a box without extent that shows nothing beyond itself."""
    names = ("height", "max-height", "width", "max-width")
    return _cuts(style) and any(pixels(style[name]) == 0 for name in names if name in style)
