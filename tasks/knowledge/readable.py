"""Which documents somebody may read as things stand now, whatever they were shown before."""

import json
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import select

from llmops.tasks.errors import DocumentError
from llmops.tasks.filters import PUBLIC
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.tables import documents, knowledge_bases, versions


def readable(home: Path, kb: str, doc_id: str, labels: Collection[str]) -> bool:
    """Whether these labels open a document in its newest form: the live one, or the last that was.
    One that was erased, or whose labels cannot be read, nobody may read.
    """
    newest = (
        select(documents, versions.c.config)
        .join(knowledge_bases, knowledge_bases.c.name == documents.c.kb)
        .join(
            versions,
            (versions.c.kb == documents.c.kb) & (versions.c.version == knowledge_bases.c.live),
        )
        .where(documents.c.kb == kb, documents.c.doc_id == doc_id)
        .where(documents.c.valid_from <= knowledge_bases.c.live)
        .order_by(documents.c.valid_from.desc())
        .limit(1)
    )
    with existing_ledger(home).read() as connection:
        row = connection.execute(newest).mappings().first()
    if row is None:
        return False
    schema = MetadataSchema.model_validate((row["config"] or {}).get("facts", {}))
    try:
        wanted = schema.labels(row["source"], json.loads(row["metadata"]))
    except DocumentError:
        return False
    return not {PUBLIC, *labels}.isdisjoint(wanted)
