"""Tables in text: comma- or tab-separated values."""

import csv
import io
from typing import ClassVar

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.texts.charset import decode

DELIMITERS = ",;\t|"
SAMPLE = 64 * 1024
MOST_CELL = 10_000_000


class TableParser(Parser):
    """One line per row, each value with its column's name: `Name: Ada; Born: 1815`. So every chunk
    of a long table says what its values are, and a changed row changes one line. Without a header
    row, values are separated by ` | `."""

    media_types: ClassVar[tuple[str, ...]] = ("text/csv", "text/tab-separated-values")
    isolated: ClassVar[bool] = False

    def parse(self, data: bytes, media_type: str) -> Parsed:
        text = decode(data)[0]
        rows = [row for row in _rows(text, media_type) if any(row)]
        if not rows:
            raise DocumentError("the table has no rows")
        names = rows[0] if has_header(rows) else None
        lines = (
            [_named(names, row) for row in rows[1:]] if names else [" | ".join(row) for row in rows]
        )
        return Parsed(
            text="\n".join(lines),
            media_type=media_type,
            metadata={"rows": len(lines), "columns": names or []},
        )


def _rows(text: str, media_type: str) -> list[list[str]]:
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


def delimiter(sample: str) -> str:
    """The separator that cuts the first lines into the most equal number of cells; a comma where
    none does.
    """
    lines = [line for line in sample.splitlines()[:50] if line.strip()]

    def steadiness(mark: str) -> tuple[float, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=mark)]
        usual = max(set(counts), key=counts.count, default=1)
        return (counts.count(usual) / len(counts), usual) if usual > 1 else (0.0, 0)

    try:
        return max(DELIMITERS, key=steadiness)
    except csv.Error:
        return ","


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names columns: there are further rows, and its cells are distinct
    words, not values.
    """
    first = rows[0]
    while first and not first[-1]:
        first = first[:-1]
    distinct = len(set(first)) == len(first)
    return len(rows) > 1 and bool(first) and distinct and not any(map(_is_value, first))


def _is_value(cell: str) -> bool:
    return not cell or cell[0].isdigit() or cell[0] in "+-$€" or "@" in cell or len(cell) > 120


def _named(names: list[str], row: list[str]) -> str:
    extra = [""] * max(0, len(row) - len(names))
    pairs = zip([*names, *extra], row, strict=False)
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)
