"""Reading the files that Dify exports."""

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from llmops.tasks.errors import UsageError

GUARDED = re.compile("'(?=[=+\\-@\t\r])")
"""Dify puts an apostrophe before what a spreadsheet would take for a formula."""
LARGEST_CELL = 1 << 24


def csv_rows(path: Path, *wanted: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Place and cells by small names of columns. Raises UsageError where a column is missing, or
    the file is no CSV in UTF-8.
    """
    try:
        yield from _csv_rows(path, *wanted)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{path} cannot be read: {error}", hint="a CSV file in UTF-8 is wanted, as Dify has it"
        ) from error


def _csv_rows(path: Path, *wanted: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    csv.field_size_limit(LARGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        names = [each.strip().lower() for each in next(reader, [])]
        if missing := sorted(set(wanted) - set(names)):
            raise UsageError(
                f"{path} has no column {', '.join(missing)}; got {', '.join(names) or 'nothing'}",
                hint=f"an export of Dify is wanted, with the columns {', '.join(wanted)}",
            )
        for cells in reader:
            if any(cells):
                yield f"{path.name}:{reader.line_num}", dict(zip(names, cells, strict=False))


def unguarded(text: str) -> str:
    """A cell as it was before Dify guarded spreadsheets against it."""
    return GUARDED.sub("", text, count=1) if GUARDED.match(text) else text
