"""What a served application remembers, and what people said of its answers, without what quotes an
erased document.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update

from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.application import answers, clicks, curated, feedback
from llmops.tasks.ledger.review import preferences, review_items, review_leases, reviews
from llmops.tasks.ledger.runs import evaluations_recorded
from llmops.tasks.ledger.tables import chunks
from llmops.tasks.maintenance.redaction import Redactor, redact_files
from llmops.tasks.traces.written import redact as redact_rows
from llmops.tasks.tracking import place_of, without_login
from llmops.tasks.tracking.evaluated import forget_quoting
from llmops.tasks.tracking.leftovers import compact_store

SAID = (
    (feedback, ("comment", "correction")),
    (review_items, ("note",)),
    (review_leases, ("draft",)),
    (reviews, ("comment", "correction", "relevant")),
    (preferences, ("question", "chosen", "rejected", "comment")),
)


def redact_said(connection: Connection, redactor: Redactor) -> int:
    """Remembered answers of an application that quote it or cite it go; curated ones are blacked
    out and given no more; and so is what people said of answers, also in MLflow.
    """
    changed = 0
    for row in connection.execute(select(answers)).all():
        said = row.answer.replace("\\n", "\n").replace('\\"', '"')  # it is JSON
        if redactor.quoted_in(said) or redactor.quoted_in(row.question):
            changed += connection.execute(delete(answers).where(answers.c.key == row.key)).rowcount
    for row in connection.execute(select(curated)).all():
        new = {name: redactor.black_out(row._mapping[name]) for name in ("question", "answer")}
        if any(new[name] != row._mapping[name] for name in new):
            gone = {**new, "retired_at": row.retired_at or now()}
            mine = update(curated).where(curated.c.id == row.id)
            changed += connection.execute(mine.values(**gone)).rowcount
    for table, columns in SAID:
        for row in connection.execute(select(table)).all():
            texts = {name: row._mapping[name] for name in columns}
            new = {name: redactor.redacted(text) for name, text in texts.items()}
            if new != texts:
                key = [column == row._mapping[column.name] for column in table.primary_key]
                again = {"stored_at": None} if "stored_at" in table.c else {}
                clean = update(table).where(*key).values(**new, **again)
                changed += connection.execute(clean).rowcount
    return changed


class CopiesCleaned(NamedTuple):
    """`changed`: records and files; `left`: files that quote it and cannot be changed;
    `outstanding`: what could not be reached; `notes`: what is for others to do.
    """

    changed: int
    left: list[str]
    outstanding: list[str]
    notes: list[str]


def redact_copies(home: Path, redactor: Redactor) -> CopiesCleaned:
    """Black it out in the files of the home, and take it out of rows that were written elsewhere
    and of evaluations in a MLflow of others. Raises Unavailable as `redact_files` does.
    """
    redacted, left = redact_files(home, redactor)
    rows, unreached = redact_rows(home, redactor.quoted_in)
    traced, outstanding, notes = forget_in_mlflow(home, redactor.quoted_in)
    return CopiesCleaned(redacted + rows + traced, [*left, *unreached], outstanding, notes)


def forget_in_mlflow(home: Path, quotes: Callable[[str], bool]) -> tuple[int, list[str], list[str]]:
    """Traces and cases of evaluations that quote it, in a store that others keep; the home's own is
    blacked out as all its files are. Returns how many went, what could not be reached, and what is
    left for others to do.
    """
    place = place_of(home)
    names = evaluations_recorded(open_ledger(home))
    if place.own or not names:
        return 0, [], []
    where = f"MLflow at {without_login(place.uri)}"
    files = (
        f"{where}: files of evaluations' runs there (results, report, cases) are yours to remove"
    )
    try:
        count = forget_quoting(home, names, quotes)
        remark = compact_store(home) if count else ""
        return count, [], [files, *filter(None, [remark])]
    except LlmopsError as error:
        return 0, [f"{where}: {error}"], [files]


def forget_clicks(connection: Connection, kb: str, doc_ids: Collection[str]) -> int:
    """That people opened passages of these documents; called while their chunks are known."""
    theirs = select(chunks.c.chunk_id).where(chunks.c.kb == kb, chunks.c.doc_id.in_(doc_ids))
    return connection.execute(delete(clicks).where(clicks.c.chunk_id.in_(theirs))).rowcount
