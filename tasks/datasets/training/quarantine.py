"""Rows that were rejected, with stage and reason: beside the versions of the data set, never in
them.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llmops.tasks.datasets.training.row import Row
from llmops.tasks.datasets.training.shards import appearing

FOLDER = "quarantine"
SHOWN = 5


class RejectedRow(BaseModel):
    """`row`: as it was, None where it could not be read, or may not be kept. `stage`: collect,
    erased, check, expectation or scrub; `kinds`: reasons to count, without what they quote.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    stage: str
    reasons: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    row: Row | None = None


class RejectedRows(BaseModel):
    """A file of them; `reasons`: how many rows were rejected for each."""

    model_config = ConfigDict(frozen=True)
    path: Path | None = None
    rows: int = 0
    reasons: dict[str, int] = {}


def write_rejected(path: Path, rejected: Iterable[RejectedRow]) -> RejectedRows:
    """Write what was rejected; no file where nothing was."""
    count, reasons = 0, dict[str, int]()
    with appearing(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        for each in rejected:
            said = each.model_dump(mode="json", exclude_defaults=True)
            file.write(json.dumps(said, ensure_ascii=False) + "\n")
            count += 1
            for reason in each.kinds or each.reasons:
                key = f"{each.stage}: {reason}"[:200]
                reasons[key] = reasons.get(key, 0) + 1
    if not count:
        path.unlink()
        return RejectedRows()
    return RejectedRows(path=path, rows=count, reasons=dict(sorted(reasons.items())))


def together(path: Path, parts: Iterable[RejectedRows]) -> RejectedRows:
    """All of them in one file, in order."""
    given = [each for each in parts if each.path is not None]
    if not given:
        path.unlink(missing_ok=True)
        return RejectedRows()
    reasons: dict[str, int] = {}
    with appearing(path) as partial, partial.open("wb") as file:
        for each in given:
            file.writelines(_lines(each.path))
            for reason, count in each.reasons.items():
                reasons[reason] = reasons.get(reason, 0) + count
    rows = sum(each.rows for each in given)
    return RejectedRows(path=path, rows=rows, reasons=dict(sorted(reasons.items())))


def _lines(path: Path | None) -> Iterator[bytes]:
    if path is not None:
        with path.open("rb") as file:
            yield from file
