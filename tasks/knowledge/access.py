"""Documents whose access labels change: an old form that more people may see must not outlive a
failure of the new one.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from llmops.tasks.errors import DocumentError
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.ledger import live_at
from llmops.tasks.ledger.tables import documents, versions


def relabelled(build: Build, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """doc_id -> uri of those that are live under other labels than they have now, or than anybody
    can read.
    """
    if build.live is None:
        return {}
    with build.ledger.read() as connection:
        config = connection.scalar(
            select(versions.c.config).where(
                versions.c.kb == build.kb, versions.c.version == build.live
            )
        )
        schema = MetadataSchema.model_validate((config or {}).get("facts", {}))
        mine = (
            (documents.c.kb == build.kb)
            & live_at(documents, build.live)
            & documents.c.doc_id.in_([row["doc_id"] for row in rows])
        )
        before = {
            row.doc_id: _labels(schema, dict(row._mapping))
            for row in connection.execute(select(documents).where(mine))
        }
    return {
        row["doc_id"]: row["uri"]
        for row in rows
        if row["doc_id"] in before and before[row["doc_id"]] != _labels(build.metadata_schema, row)
    }


def _labels(schema: MetadataSchema, row: Mapping[str, Any]) -> list[str] | None:
    try:
        return schema.labels(row["source"], json.loads(row["metadata"]))
    except DocumentError:
        return None


def withdraw(build: Build, plan: Plan, batches: Sequence[Batch]) -> Plan:
    """The plan, in which relabelled documents that did not come through leave: they are not served
    in their last good form.
    """
    there = {
        key
        for batch in batches
        for key in batch.documents.table(build.lake, ["doc_id"])["doc_id"].to_pylist()
    }
    relabelled = {key: uri for batch in batches for key, uri in batch.relabelled.items()}
    gone = {
        key: uri for key, uri in relabelled.items() if key not in there and key not in plan.leaving
    }
    return plan.model_copy(update={"withdrawn": gone})


def withdrawal(plan: Plan) -> list[str]:
    """One warning for all of them."""
    some = ", ".join(sorted(plan.withdrawn.values())[:5]) + (
        ", …" if len(plan.withdrawn) > 5 else ""
    )
    return (
        [
            f"{len(plan.withdrawn)} documents are withdrawn, since their access labels "
            f"changed and their new form cannot be indexed: "
            f"{some}"
        ]
        if plan.withdrawn
        else []
    )
