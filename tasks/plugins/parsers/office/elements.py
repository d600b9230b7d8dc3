"""Elements of Office parts by their bare names: the strict dialect of the format has other
namespaces, and differs in nothing else that is read here.
"""

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lxml import etree

WHOLE: Final = re.compile(r"-?\d{1,18}")


def local(element: "etree._Element") -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def value(element: "etree._Element | None", name: str = "val") -> str | None:
    """An attribute, whatever its namespace; None where it or the element is missing."""
    if element is None:
        return None
    return next(
        (value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), None
    )


def child(element: "etree._Element | None", *path: str) -> "etree._Element | None":
    """The first child of a child … of those names; None where there is none."""
    for name in path:
        element = next(element.iterchildren(f"{{*}}{name}"), None) if element is not None else None
    return element


def named(root: "etree._Element", *names: str) -> "list[etree._Element]":
    """All elements of those names, the root among them, in order."""
    return list(root.iter(*(f"{{*}}{name}" for name in names)))


def children(element: "etree._Element | None", *names: str) -> "list[etree._Element]":
    """The children of those names, in order."""
    if element is None:
        return []
    return list(element.iterchildren(*(f"{{*}}{name}" for name in names)))


def text_of(element: "etree._Element") -> str:
    """The words below an element on one line, paragraphs apart; what was deleted (`delText`) is
    none of them.
    """
    paragraphs = named(element, "p") or [element]
    lines = ("".join(each.text or "" for each in named(one, "t")) for one in paragraphs)
    return " ".join(" ".join(lines).split())


def number(text: str | None, default: int = 0) -> int:
    """A whole number in an attribute of at most 18 digits."""
    return int(text) if text and WHOLE.fullmatch(text) else default
