"""Tables that fit a terminal: sentences are folded, other long cells are shortened in the middle,
and what is too wide in spite of that is shown row by row. Where the output is no terminal, a row is
a line and nothing is cut.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST, SHORTEST, GAP = 24, 20, 2
"""Columns of a folded sentence and of a shortened cell, at least; between two columns of a table.
"""
WHOLE = ("id", "chunk id", "mlflow run id", "run")
"""What somebody wants to copy."""


def grid(
    console: "Console",
    names: Sequence[str],
    cells: Sequence[Sequence[str]],
    folded: Sequence[int] = (),
) -> None:
    """A table; the columns `folded` hold sentences."""
    from rich.cells import cell_len

    natural = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    if not console.is_terminal:
        _table(console, names, cells, natural)
        return
    widths = fitted(natural, console.width, folded, [name in WHOLE for name in names])
    if widths is None:
        _blocks(console, names, cells)
        return
    short = [
        [
            cell if number in folded else shortened(cell, widths[number])
            for number, cell in enumerate(row)
        ]
        for row in cells
    ]
    _table(console, names, short, widths)


def fitted(
    natural: Sequence[int], room: int, folded: Sequence[int], whole: Sequence[bool]
) -> list[int] | None:
    """Widths whose sum, with the gaps, is at most `room`: the widest gives first, sentences before
    the others. None where there are none.
    """
    widths, room = list(natural), room - GAP * (len(natural) - 1)
    sentences = [number for number in folded if natural[number] > NARROWEST]
    others = [
        number
        for number, width in enumerate(natural)
        if width > SHORTEST and number not in folded and not whole[number]
    ]
    for chosen, least in ((sentences, NARROWEST), (others, SHORTEST)):
        while (over := sum(widths) - room) > 0:
            wide = [number for number in chosen if widths[number] > least]
            if not wide:
                break
            widest = max(widths[number] for number in wide)
            most = [number for number in wide if widths[number] == widest]
            next_wide = max(
                [least, *(widths[number] for number in wide if widths[number] < widest)]
            )
            step = min(widest - next_wide, max(1, over // len(most)))
            for number in most:
                widths[number] -= min(step, max(0, sum(widths) - room))
    return widths if sum(widths) <= room else None


def told(console: "Console", name: str, text: str, *, whole: bool = False, style: str = "") -> None:
    """A text beside its name: on a terminal folded between words, with what is longer than a line
    shortened in its middle (`whole`: broken, as prose without blanks is), links and paths as they
    are; elsewhere a line.
    """
    from rich.cells import cell_len
    from rich.text import Text

    room = max(SHORTEST, console.width - cell_len(name))
    lines = [text] if not console.is_terminal or cell_len(text) <= room else [""]
    for word in text.split(" ") if lines == [""] else ():
        pieces = [word]
        if cell_len(word) > room and "://" not in word and not word.startswith("/"):
            broken = [line.plain for line in Text(word).wrap(console, room)]
            pieces = broken if whole else [shortened(word, room)]
        for piece in pieces:
            fits = cell_len(lines[-1]) + cell_len(piece) < room
            blank = " " if lines[-1] else ""
            lines[-1:] = [f"{lines[-1]}{blank}{piece}"] if fits or not blank else [lines[-1], piece]
    for number, line in enumerate(lines):
        before = name if number == 0 else " " * cell_len(name)
        console.print(f"{before}{line}".rstrip(), markup=False, style=style or None)


def shortened(text: str, width: int) -> str:
    """The text in so many columns of a terminal, with `…` for its middle; wide characters count
    twice.
    """
    from rich.cells import cell_len

    if cell_len(text) <= width:
        return text
    room = width - 1
    tail = _taken(text[::-1], room // 2)[::-1]
    return f"{_taken(text, room - cell_len(tail))}…{tail}"


def _taken(text: str, width: int) -> str:
    """As much of the beginning as fits."""
    from rich.cells import cell_len

    taken = 0
    for place, sign in enumerate(text):
        taken += cell_len(sign)
        if taken > width:
            return text[:place]
    return text


def _table(
    console: "Console",
    names: Sequence[str],
    cells: Sequence[Sequence[str]],
    widths: Sequence[int],
) -> None:
    from rich.console import ConsoleDimensions
    from rich.table import Table
    from rich.text import Text

    drawing = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for name, width in zip(names, widths, strict=True):
        drawing.add_column(Text(name), overflow="fold", width=width)
    for row in cells:
        drawing.add_row(*map(Text, row))  # text: brackets in a name are no markup
    before = console.size
    room = sum(widths) + GAP * len(widths)
    console.size = ConsoleDimensions(max(before.width, room), before.height)
    with console.capture() as drawn:
        console.print(drawing)
    console.size = before
    console.file.write("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))


def _blocks(console: "Console", names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Row by row: its first cell, and a line for each other."""
    from rich.text import Text

    label = max(map(len, names[1:]), default=0)
    room = max(SHORTEST, console.width - label - 2 * GAP)
    for row in cells:
        console.print(Text(row[0], "bold"), soft_wrap=False)
        for name, cell in zip(names[1:], row[1:], strict=True):
            lines: Iterable[Text] = Text(cell).wrap(console, room) if cell else []
            for number, piece in enumerate(lines):
                told = name if number == 0 else ""
                console.print(f"  {told:<{label}}  {piece.plain.rstrip()}", markup=False)
