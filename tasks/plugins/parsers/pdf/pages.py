"""The text of a PDF page: what is seen, in the order of the PDF, with tables and what was written
onto it where they stand.
"""

from collections.abc import Set
from typing import TYPE_CHECKING, Final, NamedTuple

from llmops.tasks.plugins.parsers._layout import paragraphs
from llmops.tasks.plugins.parsers.pdf.aligned import aligned, tabular
from llmops.tasks.plugins.parsers.pdf.annotations import places, written
from llmops.tasks.plugins.parsers.pdf.hidden import Scene, hidden_objects
from llmops.tasks.plugins.parsers.pdf.objects import address_of
from llmops.tasks.plugins.parsers.pdf.tables import Glyph, Table, at_foot, continued, grids, tables

if TYPE_CHECKING:
    import pypdfium2

LONGEST: Final = 100_000
"""Characters of hidden text of a page that are kept."""


class PageText(NamedTuple):
    """The text of a page. `blocks`: its paragraphs and tables. `unseen`: what is hidden. `layer`:
    whether the page itself has text that is seen, what was written onto it aside. `lowest`: the
    table that ends near its foot, and may go on.
    """

    blocks: list[str]
    unseen: list[str]
    layer: bool
    has_tables: bool = False
    lowest: Table | None = None


NO_TEXT: Final = PageText([], [], layer=False)


def page_text(
    page: "pypdfium2.PdfPage",
    layer: "pypdfium2.PdfTextPage",
    looks: Set[int] | None,
    before: Table | None = None,
) -> PageText:
    """The text of a page. `looks`: as for `annotations.written`. `before`: the table at the foot of
    the page before; one that goes on here says again what its columns are called.
    """
    scene = Scene(page)
    hidden, extra = hidden_objects(scene, page, layer), written(page, looks)
    shown = [text for text in extra if text.shown]
    unseen = [text.text for text in extra if not text.shown]
    lines = grids(scene.paths) if page.get_rotation() in (0, 180) else []
    whole = str(layer.get_text_range(errors="replace"))
    columns = page.get_rotation() == 0 and tabular(whole)
    if not (hidden or shown or lines or columns):
        return PageText(paragraphs(whole), unseen, bool(whole.strip()))
    seen, gone = _letters(layer, hidden, boxes=bool(shown or lines or columns))
    inserted = places(shown, [letter.box for letter in seen]) if shown else {}
    made = tables(lines, seen)
    if columns:
        ruled = frozenset[int]().union(*(table.letters for table in made))
        made += aligned([letter for letter in seen if letter.number not in ruled])
    made = continued(made, before, page.get_height())
    unseen += _only_there(gone, seen)
    return PageText(
        _blocks(seen, made, inserted),
        unseen,
        any(not letter.text.isspace() for letter in seen),
        has_tables=bool(made),
        lowest=at_foot(made, page.get_height()),
    )


def _letters(
    layer: "pypdfium2.PdfTextPage", hidden: Set[int], *, boxes: bool
) -> tuple[list[Glyph], list[str]]:
    """The characters that are seen, with their boxes (the height is that of their line) where these
    are wanted; and the hidden texts, one for each object.
    """
    seen, gone = list[Glyph](), {key: list[str]() for key in hidden}
    owner, nowhere = 0, (0.0, 0.0, 0.0, 0.0)
    for index in range(layer.count_chars()):
        owner = _owner(layer, index) or owner
        text = _character(layer, index)
        if owner in gone:
            gone[owner].append(text)
        else:
            box = layer.get_charbox(index, loose=True) if boxes else nowhere
            seen.append(Glyph(text, index, box))
    return seen, ["".join(text) for text in gone.values()]


def _only_there(gone: list[str], seen: list[Glyph]) -> list[str]:
    """The hidden texts in one, without those that stand in what is seen as well."""
    once = "".join("".join(letter.text for letter in seen).split())
    kept = [text for text in gone if "".join(text.split()) not in once]
    return [" ".join(kept)[:LONGEST]] if kept else []


def _blocks(seen: list[Glyph], made: list[Table], inserted: dict[int, list[str]]) -> list[str]:
    """Paragraphs and tables; a table stands where its first letter does."""
    owners = {index: table for table in made for index in table.letters}
    blocks, text, done = list[str](), list(inserted.get(-1, [])), set[int]()
    for place, letter in enumerate(seen):
        table = owners.get(letter.number)
        if table is None:
            text.append(letter.text)
        elif id(table) not in done:
            done.add(id(table))
            blocks += [*paragraphs("".join(text)), table.markdown]
            text = []
        text += inserted.get(place, [])
    return [*blocks, *paragraphs("".join(text))]


def _owner(layer: "pypdfium2.PdfTextPage", index: int) -> int:
    """The text object of a character; 0 for blanks and line ends that the reader put in."""
    import pypdfium2.raw as pdfium

    thing = pdfium.FPDFText_GetTextObject(layer, index)
    return address_of(thing) if thing else 0


def _character(layer: "pypdfium2.PdfTextPage", index: int) -> str:
    import pypdfium2.raw as pdfium

    code = pdfium.FPDFText_GetUnicode(layer, index)
    return (
        chr(code)
        if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000
        else "\ufffd"
        if code
        else ""
    )
