"""Reviews as rows, for files: JSON lines, and CSV that a spreadsheet takes for text alone."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llmops.tasks.audit.people import names
from llmops.tasks.errors import UsageError
from llmops.tasks.lake import write_atomically
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.review.items import ReviewItem
from llmops.tasks.traces import spool
from llmops.tasks.traces.records import as_trace
from llmops.tasks.traces.trace import Trace
from llmops.tasks.tracking.traces import trace_store

BATCH = 100
FORMULA = "=+-@\t\r\n＝＋－＠|%"
"""What a cell of a spreadsheet begins with where it is no text."""
MARK = "\ufeff"
"""Spreadsheets read UTF-8 as such where this stands first."""


class ExportRow(BaseModel):
    """A review that stands, or an item without any. `outcome`: what the item came to; `reviewer`:
    their name, or the pseudonym of one who was erased.
    """

    model_config = ConfigDict(frozen=True)
    item: str
    queue: str
    trace_id: str
    state: str
    outcome: str
    reasons: tuple[str, ...]
    note: str
    question: str
    answer: str
    reviewer: str = ""
    verdict: str = ""
    correction: str = ""
    relevant: tuple[str, ...] = ()
    comment: str = ""
    adjudicates: bool = False
    seconds: float | None = None
    reviewed_at: datetime | None = None


def rows(
    home: Path, items: Sequence[ReviewItem], may: Callable[[Trace], bool] = lambda _: True
) -> Iterator[ExportRow]:
    """With questions and answers, where the traces have them. `may`: whether a trace may be seen;
    an item of another one is left out. Raises Unavailable where MLflow does not answer.
    """
    with existing_ledger(home).read() as connection:
        said = {each.reviewer for item in items for each in item.reviews}
        called = names(connection, said)
    for start in range(0, len(items), BATCH):
        part = items[start : start + BATCH]
        texts = traces_of(home, [item.trace_id for item in part])
        for item in part:
            trace = texts.get(item.trace_id)
            if trace is None or may(trace):
                yield from _rows(item, trace, called)


def traces_of(home: Path, ids: Sequence[str]) -> dict[str, Trace]:
    """Those that are there, waiting or stored, by id."""
    found = {each: trace for each in ids if (trace := spool.waiting(home, each))}
    if missing := [each for each in ids if each not in found]:
        with trace_store(home) as store:
            found |= {key: as_trace(record) for key, record in store.read(missing).items()}
    return found


def as_json_lines(made: Iterable[ExportRow]) -> Iterator[str]:
    for row in made:
        yield json.dumps(row.model_dump(mode="json"), ensure_ascii=False) + "\n"


def as_csv(made: Iterable[ExportRow]) -> Iterator[str]:
    """With a header; lists are joined by a line feed."""
    yield MARK + _line(list(ExportRow.model_fields))
    for row in made:
        yield _line([plain(value) for value in row.model_dump(mode="json").values()])


def write(path: Path, made: Iterable[ExportRow]) -> int:
    """A file of them, its kind by its name. Returns how many rows. Raises UsageError for a kind
    that is not known, and where it cannot be written.
    """
    kinds = {".jsonl": as_json_lines, ".csv": as_csv}
    if (kind := kinds.get(path.suffix)) is None:
        told = f"allowed: {', '.join(kinds)}"
        raise UsageError(f"got a file that ends in {path.suffix!r}", where=str(path), hint=told)
    rows_made = list(made)
    try:
        write_atomically(path, "".join(kind(rows_made)).encode())
    except OSError as error:
        told = f"it cannot be written: {error.strerror or error}"
        raise UsageError(told, where=str(path), hint="choose another --out") from error
    return len(rows_made)


def plain(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, list):
        value = "\n".join(map(str, value))
    if not isinstance(value, str):
        return "" if value is None else value
    return f"'{value}" if value.lstrip(" ")[:1] and value.lstrip(" ")[0] in FORMULA else value


def _line(cells: Sequence[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()


def _rows(item: ReviewItem, trace: Trace | None, called: dict[str, str]) -> Iterator[ExportRow]:
    bare = ExportRow(
        item=item.id,
        queue=item.queue,
        trace_id=item.trace_id,
        state=item.state,
        outcome=item.verdict,
        reasons=item.reasons,
        note=item.note,
        question=trace.question if trace else "",
        answer=trace.answer if trace else "",
    )
    standing = [each for each in item.reviews if each.verdict != "withdrawn"]
    for each in standing:
        said = each.model_dump(
            include={"verdict", "correction", "relevant", "comment", "adjudicates", "seconds"}
        )
        who = {"reviewer": called.get(each.reviewer, each.reviewer), "reviewed_at": each.created_at}
        yield bare.model_copy(update={**said, **who})
    if not standing:
        yield bare
