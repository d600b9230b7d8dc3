"""What a served application remembers, and what people said of its answers, without what quotes an
erased document.
"""

from collections.abc import Collection

from sqlalchemy import Connection, delete, select, update

from llmops.tasks.ledger import now
from llmops.tasks.ledger.application import answers, clicks, curated, feedback
from llmops.tasks.ledger.review import preferences, review_items, review_leases, reviews
from llmops.tasks.ledger.tables import chunks
from llmops.tasks.maintenance.redaction import Redactor

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


def forget_clicks(connection: Connection, kb: str, doc_ids: Collection[str]) -> int:
    """That people opened passages of these documents; called while their chunks are known."""
    theirs = select(chunks.c.chunk_id).where(chunks.c.kb == kb, chunks.c.doc_id.in_(doc_ids))
    return connection.execute(delete(clicks).where(clicks.c.chunk_id.in_(theirs))).rowcount
