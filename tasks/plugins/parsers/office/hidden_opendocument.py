"""Hidden text of OpenDocument files (OASIS OpenDocument 1.3, part 3: text:display, sections,
hidden-text fields).
"""

from collections.abc import Sequence
from typing import Any, Final

SPACE: Final = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
TEXT, STYLE = (SPACE % name for name in ("text", "style"))
STYLED: Final = (f"{TEXT}span", f"{TEXT}p", f"{TEXT}h")


def opendocument(root: Any, styles: Sequence[Any]) -> list[str]:
    """The texts that are hidden, which are no longer in the content afterwards."""
    hidden = {
        style.get(f"{STYLE}name")
        for sheet in styles
        for style in sheet.iter(f"{STYLE}style")
        if any(
            properties.get(f"{TEXT}display") == "none"
            for properties in style.iter(f"{STYLE}text-properties")
        )
    }
    texts: list[str] = []
    for element in [
        *root.iter(*STYLED, f"{TEXT}section", f"{TEXT}hidden-text", f"{TEXT}hidden-paragraph")
    ]:
        if _unseen(element, hidden) and (said := "".join(element.itertext()).strip()):
            texts.append(said)
            _empty(element)
    return texts


def _unseen(element: Any, hidden: set[str | None]) -> bool:
    if element.tag == f"{TEXT}section":
        return bool(element.get(f"{TEXT}display") == "none")
    return element.tag not in STYLED or element.get(f"{TEXT}style-name") in hidden


def _empty(element: Any) -> None:
    """Take out what is within an element, but not what follows it."""
    element.text = None
    for child in list(element):
        element.remove(child)
