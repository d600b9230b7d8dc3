"""Rows as a Markdown table."""

from collections.abc import Sequence


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is the header, without rows and columns that are empty throughout; ""
    where all are.
    """
    filled = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    filled = [row for row in filled if any(row)]
    width = max((len(row) for row in filled), default=0)
    padded = [row + [""] * (width - len(row)) for row in filled]
    kept = [column for column in range(width) if any(row[column] for row in padded)]
    lines = [f"| {' | '.join(row[column] for column in kept)} |" for row in padded]
    return "\n".join([*lines[:1], f"|{' --- |' * len(kept)}", *lines[1:]]) if lines else ""
