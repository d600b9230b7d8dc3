"""Text of a web page that a reader does not see."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from llmops.tasks.plugins.parsers._hidden import white
from llmops.tasks.plugins.parsers.html import styles

if TYPE_CHECKING:
    from lxml import etree, html


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


def taken_out(tree: "html.HtmlElement") -> list[str]:
    """The texts that a reader of the page does not see; afterwards they are no longer in it.

    Seen is what no attribute, inline style or simple rule of the page's own `<style>` hides: by
    `display`, `visibility`, `opacity`, a tiny size, a place outside the window, or the colour of
    its background. White text counts where no background is known and the page takes no style sheet
    from elsewhere. A panel that a link or button opens is no hidden text. What external style
    sheets and scripts do is not known.
    """
    sheet, opened = _computed(tree), _opened(tree)
    external = bool(tree.xpath(SHEETS))
    hidden = [element for element in tree.iter("*") if _hides(element, sheet, external)]
    panels = {
        element
        for element in hidden
        if element.get("role") == "tabpanel" or element.get("id") in opened
    }
    for panel in [*panels, *tree.xpath("//*[@hidden='until-found']")]:
        _show(panel)
    outermost = list(_outermost([element for element in hidden if element not in panels]))
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
    found: dict[etree._Element, dict[str, str]] = {}
    for sheet in tree.iter("style"):
        for path, declared in styles.rules(sheet.text or ""):
            if declared.keys() & RELEVANT:
                for element in tree.xpath(path):
                    found.setdefault(element, {}).update(declared)
    for element in tree.xpath("//*[@style]"):
        found.setdefault(element, {}).update(styles.declarations(element.get("style")))
    return found


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


def _hides(
    element: "etree._Element", sheet: dict["etree._Element", dict[str, str]], external: bool
) -> bool:
    if element.tag in ESSENTIAL or not isinstance(element.tag, str):
        return False
    if element.get("hidden") is not None and element.get("hidden", "").lower() != "until-found":
        return True
    own = sheet.get(element, {})
    return styles.unseen(own) or _blends(element, own, sheet, external)


def _blends(
    element: "etree._Element",
    own: dict[str, str],
    sheet: dict["etree._Element", dict[str, str]],
    external: bool,
) -> bool:
    """Whether the text has the colour of what is behind it."""
    ink = styles.colour(
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
        if behind and styles.colour(behind) != "transparent":
            return styles.colour(behind) == ink
    return white(ink) and not external


def _outermost(elements: list["etree._Element"]) -> Iterator["etree._Element"]:
    """Those that lie in no other."""
    chosen = set(elements)
    return (
        element
        for element in elements
        if not any(around in chosen for around in element.iterancestors())
    )


def _opened(tree: "html.HtmlElement") -> set[str]:
    """The ids that links and buttons of the page lead to."""
    found = (value for name in OPENERS for value in tree.xpath(f"//@{name}"))
    return {part.removeprefix("#") for value in found for part in value.split()}


def _show(panel: "etree._Element") -> None:
    for name in ("style", "hidden"):
        panel.attrib.pop(name, None)
