"""Tables without lines: rows whose cells stand below each other, with room between them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from llmops.tasks.plugins.parsers.markdown import begins_value
from llmops.tasks.plugins.parsers.pdf.spans import Ruling
from llmops.tasks.plugins.parsers.pdf.tables import Glyph, Table, text_in

LEAST_ROWS: Final = 3
LEAST_COLUMNS: Final = 3
LONGEST: Final = 40
"""Characters of a cell beside the first column; with more it may be a column of running text."""
APART: Final = 1.0
"""Heights of a letter between two cells of a row, at least."""
BELOW: Final = 2.5
"""Heights of a letter from one row to the next, at most."""
DOTS: Final = frozenset(".…")
MOST_LETTERS: Final = 50_000
LEADERS: Final = re.compile(r"\.{4,}|(?:\. ){4,}|…")
LEADING: Final = re.compile(r"^(?:[.…]\s+)+|(?:\s+[.…])+$")
"""Dots beside a cell that lead to it."""
VALUE: Final = re.compile(r"(?<!\S)[+\-−(]?[$€£¥]?\s?\d\S*")


class LinePiece(NamedTuple):
    """Letters of one line without a wide gap between them: a cell, or a line of a paragraph."""

    letters: list[Glyph]

    @property
    def left(self) -> float:
        return self.letters[0].box[0]

    @property
    def right(self) -> float:
        return max(letter.box[2] for letter in self.letters)


def tabular(text: str) -> bool:
    """Whether so many lines of a page, one after another, hold two values, or nothing but a value,
    that it is worth looking where its letters stand.
    """
    run = 0.0
    for line in text.splitlines():
        values = VALUE.findall(line)
        alone = len(values) == 1 and values[0] == line.strip()
        run = run + 1 if len(values) > 1 else run + 1 / LEAST_COLUMNS if alone else 0
        if run >= LEAST_ROWS:
            return True
    return False


def aligned(letters: Sequence[Glyph]) -> list[Table]:
    """The tables without lines among these letters of a page: three columns and rows at least, of
    which half of the columns beside the first hold values.
    """
    inked = [letter for letter in letters if not letter.text.isspace()]
    if len(inked) > MOST_LETTERS:
        return []
    return [table for run in _runs(_lines(inked)) if (table := _table(run)) is not None]


class CutLine(NamedTuple):
    """A line of a page in pieces, without those of dots that only lead from one to the next."""

    pieces: list[LinePiece]
    letters: list[Glyph]


def _lines(letters: Sequence[Glyph]) -> Iterator[CutLine]:
    """The lines of a page from top to bottom, cut into pieces where the gaps are wide."""
    line: list[Glyph] = []
    for letter in sorted(letters, key=lambda letter: (-_middle(letter), letter.box[0])):
        if line and _middle(line[0]) - _middle(letter) > _height(line[0]) / 2:
            yield _line(line)
            line = []
        line.append(letter)
    if line:
        yield _line(line)


def _line(line: list[Glyph]) -> CutLine:
    line.sort(key=lambda letter: letter.box[0])
    pieces = [LinePiece(line[:1])]
    for before, letter in pairwise(line):
        if letter.box[0] - before.box[2] > APART * _height(before):
            pieces.append(LinePiece([]))
        pieces[-1].letters.append(letter)
    said = [piece for piece in pieces if not DOTS.issuperset(each.text for each in piece.letters)]
    return CutLine(said, line)


def _runs(lines: Iterator[CutLine]) -> Iterator[list[CutLine]]:
    """Lines one below the other that have two pieces at least."""
    run: list[CutLine] = []
    for line in lines:
        first = line.letters[0]
        near = bool(run) and _middle(run[-1].letters[0]) - _middle(first) <= BELOW * _height(first)
        if run and (len(line.pieces) < 2 or not near):
            yield run
            run = []
        if len(line.pieces) > 1:
            run.append(line)
    if run:
        yield run


def _table(run: Sequence[CutLine]) -> Table | None:
    """The rows of a run as a table; None where they are none."""
    sizes = [len(line.pieces) for line in run]
    counts = Counter(size for size in sizes if size >= LEAST_COLUMNS)
    columns, often = max(counts.items(), key=lambda pair: pair[::-1], default=(0, 0))
    if often < LEAST_ROWS:
        return None
    bands = _bands(line.pieces for line in run if len(line.pieces) == columns)
    rows = [_row(line.pieces, bands) for line in run] if len(bands) == columns else [None]
    texts = [row for row in rows if row is not None]
    if len(texts) < len(rows) or not _of_values(texts):
        return None
    inside = [letter for line in run for letter in line.letters]
    down = [max(letter.box[3] for letter in inside), min(letter.box[1] for letter in inside)]
    across = [bands[0][0], *(right for _, right in bands)]
    return Table(Ruling(across, down, [], []), texts, frozenset(each.number for each in inside))


def _bands(lines: Iterable[Sequence[LinePiece]]) -> list[tuple[float, float]]:
    """From where to where the columns reach, from left to right; what overlaps is one."""
    bands: list[tuple[float, float]] = []
    for left, right in sorted((piece.left, piece.right) for line in lines for piece in line):
        if bands and left <= bands[-1][1]:
            bands[-1] = (bands[-1][0], max(right, bands[-1][1]))
        else:
            bands.append((left, right))
    return bands


def _row(line: Sequence[LinePiece], bands: Sequence[tuple[float, float]]) -> list[str] | None:
    """The cells of a line; one over several columns stands in each. None where a piece stands in no
    column, or two in one.
    """
    cells = [""] * len(bands)
    for piece in line:
        said = text_in(sorted(piece.letters, key=lambda letter: letter.number))
        text = LEADING.sub("", said)
        places = [
            n
            for n, (left, right) in enumerate(bands)
            if piece.left <= right and left <= piece.right
        ]
        if not places or any(cells[place] for place in places):
            return None
        for place in places:
            cells[place] = text
    return cells


def _of_values(rows: Sequence[Sequence[str]]) -> bool:
    """Whether rows are those of a table: short cells, and values in half of the columns."""
    beside = [*zip(*rows, strict=True)][1:]
    letters = [len(cell) for row in rows for cell in row if cell]
    if sum(letters) < 2 * len(letters):  # letters below each other: the text is turned
        return False
    if any(len(cell) > LONGEST for column in beside for cell in column):
        return False
    if any(LEADERS.search(cell) for row in rows for cell in row):
        return False
    values = 0
    for column in beside:
        cells = [cell for cell in column if cell]
        values += 2 * sum(map(begins_value, cells)) >= len(cells)
    return 2 * values >= len(beside)


def _middle(letter: Glyph) -> float:
    return (letter.box[1] + letter.box[3]) / 2


def _height(letter: Glyph) -> float:
    return max(1.0, letter.box[3] - letter.box[1])
