"""Text of Office and OpenDocument files that a reader does not see, taken out before the file is
read.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from llmops.tasks.plugins.parsers._containers import Package
from llmops.tasks.plugins.parsers.office.elements import (
    child,
    children,
    local,
    named,
    number,
    value,
)
from llmops.tasks.plugins.parsers.office.fields import spell_out
from llmops.tasks.plugins.parsers.office.opendocument import taken_out

if TYPE_CHECKING:
    from lxml import etree


TINY_HALF_POINTS: Final = 4
TINY_HUNDREDTHS: Final = 200
WORD_PARTS: Final = ("word/document.xml", "word/footnotes.xml", "word/endnotes.xml")
BACKED: Final = frozenset({"tc", "txbxContent"})
"""Where a background comes from a table's style or a shape: white text in these is not judged."""


class Uncovered(NamedTuple):
    """The parts of a file without what is hidden, the texts that were, and whether the parts are to
    be read in place of the file's own where nothing was.
    """

    parts: "dict[str, etree._Element]"
    texts: list[str]
    changed: bool = False


def hidden_in_text(package: Package) -> Uncovered:
    roots: dict[str, etree._Element] = {
        name: package.xml(name) for name in WORD_PARTS if name in package.names
    }
    unseen = dict(hiding_styles(package))
    coloured = (
        "word/document.xml" in roots and child(roots["word/document.xml"], "background") is not None
    )
    texts, changed = list[str](), 0
    for root in roots.values():
        changed += spell_out(root)
        for run in named(root, "r"):
            said = [piece for piece in children(run, "t") if piece.text]
            if said and _unseen(run, unseen, coloured):
                texts.append("".join(piece.text for piece in said))
                for piece in said:
                    run.remove(piece)
    return Uncovered(roots, _together(texts), bool(changed))


def _together(texts: list[str]) -> list[str]:
    """A sentence is often cut into runs."""
    return [" ".join(texts)] if texts else []


def hiding_styles(package: Package) -> Iterator[tuple[str | None, str]]:
    """The styles by id that hide text, with how: "hidden" or "white"."""
    if "word/styles.xml" not in package.names:
        return
    for style in named(package.xml("word/styles.xml"), "style"):
        if how := hiding(child(style, "rPr")):
            yield value(style, "styleId"), how


def hiding(properties: "etree._Element | None") -> str:
    """How run properties hide a text: "hidden", "white", or "" where they do not."""
    if properties is None:
        return ""
    vanish, size = child(properties, "vanish"), child(properties, "sz")
    if vanish is not None and (value(vanish) or "1") not in ("0", "false", "off"):
        return "hidden"
    if (
        size is not None
        and (value(size) or "99").isdigit()
        and int(value(size) or "99") < TINY_HALF_POINTS
    ):
        return "hidden"
    ink = child(properties, "color")
    backed = _shaded(properties) or child(properties, "highlight") is not None
    return (
        "white" if ink is not None and (value(ink) or "").upper() == "FFFFFF" and not backed else ""
    )


def _shaded(properties: "etree._Element | None") -> bool:
    """Whether a run or paragraph has a background other than white."""
    shade = child(properties, "shd")
    return shade is not None and (value(shade, "fill") or "auto").upper() not in ("AUTO", "FFFFFF")


def _unseen(run: "etree._Element", styles: Mapping[str | None, str], coloured: bool) -> bool:
    properties = child(run, "rPr")
    paragraph = next(run.iterancestors("{*}p"), None)
    own = child(properties, "vanish") is not None or child(properties, "color") is not None
    how = hiding(properties)
    if not how and styles and not own:
        used = (value(child(properties, "rStyle")), value(child(paragraph, "pPr", "pStyle")))
        how = next((styles[style] for style in used if style in styles), "")
    if how != "white":
        return how == "hidden"
    backed = any(local(each) in BACKED for each in run.iterancestors())
    return not coloured and not backed and not _shaded(child(paragraph, "pPr"))


def hidden_in_slides(package: Package) -> Uncovered:
    size = next(iter(named(package.xml("ppt/presentation.xml"), "sldSz")), None)
    room = (number(value(size, "cx")), number(value(size, "cy"))) if size is not None else (0, 0)
    roots = {
        name: package.xml(name)
        for name in package.names
        if name.startswith("ppt/slides/slide") and name.endswith(".xml")
    }
    texts: list[str] = []
    for _, root in sorted(roots.items()):
        if not_shown(root):
            texts.append(" ".join(piece.text or "" for piece in named(root, "t")))
            continue
        for element in named(root, "sp", "r"):
            if _beside(element, room) if local(element) == "sp" else _small(element):
                texts.append(" ".join(piece.text or "" for piece in named(element, "t")))
                element.getparent().remove(element)
    return Uncovered(roots, [text for text in texts if text.strip()])


def _small(run: "etree._Element") -> bool:
    size = (value(child(run, "rPr"), "sz") or "") if child(run, "rPr") is not None else ""
    return size.isdigit() and int(size) < TINY_HUNDREDTHS


def _beside(shape: "etree._Element", room: tuple[int, int]) -> bool:
    """Whether a shape is hidden, or lies wholly beside the slide. Shapes within a group have
    coordinates of its own.
    """
    about, frame = child(shape, "nvSpPr", "cNvPr"), child(shape, "spPr", "xfrm")
    if about is not None and about.get("hidden") in ("1", "true"):
        return True
    start, extent = child(frame, "off"), child(frame, "ext")
    if start is None or extent is None or 0 in room or local(shape.getparent()) != "spTree":
        return False
    x, y, width, height = (
        number(one.get(name))
        for one, name in ((start, "x"), (start, "y"), (extent, "cx"), (extent, "cy"))
    )
    return x >= room[0] or y >= room[1] or x + width <= 0 or y + height <= 0


def not_shown(slide: "etree._Element") -> bool:
    """Whether a slide is left out of the show."""
    return value(slide, "show") in ("0", "false")


def hidden_in_opendocument(package: Package) -> Uncovered:
    root = package.xml("content.xml")
    styles = [root, *([package.xml("styles.xml")] if "styles.xml" in package.names else [])]
    return Uncovered({"content.xml": root}, _together(taken_out(root, styles)))
