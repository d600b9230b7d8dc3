"""Tables in text: comma- or tab-separated values."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.texts.charset import decode

DELIMITERS = ",;\t|"
SAMPLE = 64 * 1024
MOST_CELL = 10_000_000
MOST_TITLES = 20
JUDGED = 200
"""Rows that tell whether the first one names columns."""
SAID = re.compile(r"\ufeff?\"?sep=([^\r\n\"])\"?[ \t]*(?:\r\n|\r|\n|\Z)", re.IGNORECASE)
"""The line in which Excel tells the separator."""
PERIOD = re.compile(r"(?:19|20)\d\d(?:[-/. ]?(?:Q[1-4]|H[12]|0[1-9]|1[0-2]))?\Z", re.IGNORECASE)
"""Years, months, quarters and halves, which name columns as words do."""
DECIMAL = re.compile(r"(?<=\s)[+-]?\d+,\d+(?=\s+[^\W\d_]|\s*[€$£%])")
"""A number with a comma and a unit, as it stands in a sentence."""


class TableParser(Parser):
    """One line per row, each value with its column's name: `Name: Ada; Born: 1815`. So every chunk
    of a long table says what its values are, and a changed row changes one line. Without a header
    row, values are separated by ` | `. What stands above the table, such as its title, comes first.
    """

    media_types: ClassVar[tuple[str, ...]] = ("text/csv", "text/tab-separated-values")
    isolated: ClassVar[bool] = False
    revision: ClassVar[int] = 2

    def parse(self, data: bytes, media_type: str) -> Parsed:
        text = decode(data)[0]
        rows = [row for row in _rows(text, media_type) if any(row)]
        if not rows:
            raise DocumentError("the table has no rows")
        titles, rows = _parted(rows)
        names = rows[0] if has_header(rows) else None
        lines = [_named(names, row) for row in rows[1:]] if names else [*map(_plain, rows)]
        if names and _loses(rows):
            lines = [_plain(names), *lines]
        above = [" | ".join(filter(None, row)) for row in titles]
        return Parsed(
            text="\n".join([*above, *lines]),
            media_type=media_type,
            metadata={"rows": len(lines), "columns": names or []},
        )


def _rows(text: str, media_type: str) -> list[list[str]]:
    said = SAID.match(text)
    text = text[said.end() :] if said else text
    if said:
        separator = said[1]
    else:
        separator = "\t" if media_type == "text/tab-separated-values" else delimiter(text[:SAMPLE])
    try:
        csv.field_size_limit(MOST_CELL)
        return [
            [" ".join(cell.split()) for cell in row]
            for row in csv.reader(
                io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True
            )
        ]
    except csv.Error as error:
        raise DocumentError(
            f"the table cannot be read: {error}; a quotation mark may lack its partner"
        ) from error


def _parted(rows: list[list[str]]) -> tuple[list[list[str]], list[list[str]]]:
    """The lines above the table, such as its title and who made it, and the table. They have fewer
    cells than its rows.
    """
    widths = Counter(len(row) for row in rows[:JUDGED])
    usual = max(widths, key=lambda width: (widths[width], width))
    number = 0
    for row in rows[:MOST_TITLES]:
        alone = sum(map(bool, row)) <= 1 and (usual > 2 or bool(row[0]))
        if usual < 2 or not (alone or len(row) < usual - 1):
            break
        number += 1
    titles, table = rows[:number], rows[number:]
    if len(table) < 2:
        return [], rows
    named = has_header(table)
    short = all(len(row) == 1 for row in titles) and (usual > 2 or not named)
    return (titles, table) if short or (named and _is_certain(table)) else ([], rows)


def delimiter(sample: str) -> str:
    """The separator that cuts the first lines into the most equal number of cells; a comma where
    none does.
    """
    lines = [line for line in sample.splitlines()[:50] if line.strip()]
    with_comma = [line for line in lines if "," in line]
    decimal = all(len(DECIMAL.findall(line)) == line.count(",") for line in with_comma)
    marks = DELIMITERS.replace(",", "") if with_comma and decimal else DELIMITERS

    def steadiness(mark: str) -> tuple[float, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=mark)]
        usual = max(set(counts), key=counts.count, default=1)
        return (counts.count(usual) / len(counts), usual) if usual > 1 else (0.0, 0)

    try:
        return max(marks, key=steadiness)
    except csv.Error:
        return ","


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names columns: there are further rows, and its cells are distinct
    words, not values. Years, two equal names and an empty first cell are names too where values
    stand below names.
    """
    first = rows[0]
    while first and not first[-1]:
        first = first[:-1]
    if len(rows) < 2 or not first or (len(first) == 1 and DECIMAL.search(first[0])):
        return False
    certain, periods = _is_certain(rows), _periods(rows)
    if len(set(first)) == len(first) and not any(map(_is_value, first)):
        return certain or not _is_record(rows)
    names = first if first[0] else first[1:]
    words = [cell for cell in names if not _is_value(cell)]
    return (
        certain
        and bool(words or not first[0])
        and all(not _is_value(cell) or cell in periods for cell in names)
    )


def _columns(rows: list[list[str]]) -> Iterator[tuple[str, list[str]]]:
    """The first cell of each column, and the others that are filled."""
    for place, name in enumerate(rows[0]):
        yield name, [row[place] for row in rows[1:JUDGED] if len(row) > place and row[place]]


def _is_certain(rows: list[list[str]]) -> bool:
    """Whether there is a column of values below a word, or of other values below a year."""
    periods = _periods(rows)
    return any(
        below
        and sum(map(_is_value, below)) * 2 > len(below)
        and (name in periods or not _is_value(name))
        for name, below in _columns(rows)
    )


def _periods(rows: list[list[str]]) -> set[str]:
    """The years and months of the first row that name columns: those above other values."""
    named, alike = set[str](), set[str]()
    for name, below in _columns(rows):
        if PERIOD.match(name):
            is_same = sum(bool(PERIOD.match(each)) for each in below) * 2 > len(below)
            (alike if is_same else named).add(name)
    return named - alike


def _is_record(rows: list[list[str]]) -> bool:
    """Whether the first row is one like the others: half of its cells stand in their columns
    again.
    """
    others = [rows[0], *(row for row in rows[1:] if row != rows[0])]
    again = [name in below for name, below in _columns(others) if name]
    return sum(again) >= 2 and sum(again) * 2 >= len(again)


def _loses(rows: list[list[str]]) -> bool:
    """Whether a cell of the first row would stand nowhere, and may be no name but a value."""
    filled = {place for row in rows[1:] for place, cell in enumerate(row) if cell}
    nowhere = any(cell and place not in filled for place, cell in enumerate(rows[0]))
    return nowhere and not _is_certain(rows)


def _is_value(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell[0] in "+-$€" or "@" in cell or len(cell) > 120


def _plain(row: list[str]) -> str:
    return " | ".join(row)


def _named(names: list[str], row: list[str]) -> str:
    extra = [""] * max(0, len(row) - len(names))
    pairs = zip([*names, *extra], row, strict=False)
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)
