"""The embedding of a batch: every text is paid for once, whoever owns it, also when the run dies in
between.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.knowledge.caches import known_embeddings, save_embeddings
from llmops.tasks.knowledge.paid import TEXTS_PER_CALL
from llmops.tasks.knowledge.quarantine import Failure, one_document, put
from llmops.tasks.knowledge.transform import Row, rows_of, without
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.schemas import embedded_text, sha256


def text_hash(row: Mapping[str, Any]) -> str:
    """The key of a chunk's embedding."""
    return sha256(embedded_text(row))


def embed(build: Build, embedder: Embedder, batch: Batch) -> Batch:
    """Compute what the ledger does not have yet, and remember it call by call."""
    rows = rows_of(build, batch.chunks) if batch.chunks else []
    owners = {text_hash(row): row for row in rows}
    known = known_embeddings(build.ledger, build.fingerprints.model, list(owners))
    missing = [key for key in owners if key not in known]
    failures: list[Failure] = []
    bad: set[str] = set()
    for start in range(0, len(missing), TEXTS_PER_CALL):
        bad |= _embed_some(
            build,
            embedder,
            [(key, owners[key]) for key in missing[start : start + TEXTS_PER_CALL]],
            failures,
        )
    tokens = sum(owners[key]["tokens"] for key in missing if key not in bad)
    dropped = {row["doc_id"] for row in rows if text_hash(row) in bad}
    put(build.ledger, build.kb, _named(build, batch, failures), build.fingerprints.all)
    return without(build, batch, dropped).model_copy(
        update={
            "computed": len(missing) - len(bad),
            "tokens": batch.tokens + tokens,
            "cost_usd": batch.cost_usd + tokens * embedder.price / 1e6,
        }
    )


def _embed_some(
    build: Build, embedder: Embedder, texts: Sequence[tuple[str, Row]], failures: list[Failure]
) -> set[str]:
    """One call for all; when it fails for a reason of the texts, one call each. Returns the hashes
    that failed.
    """
    together: list[Failure] = []
    with one_document(together, source="", uri="", stage="embed"):
        _pay(build, embedder, texts)
    if not together:
        return set()
    bad = set()
    for key, row in texts:
        before = len(failures)
        with one_document(failures, source="", uri=row["doc_id"], stage="embed"):
            _pay(build, embedder, [(key, row)])
        if len(failures) > before:
            bad.add(key)
    return bad


def _pay(build: Build, embedder: Embedder, texts: Sequence[tuple[str, Row]]) -> None:
    vectors = embedder.embed([embedded_text(row) for _, row in texts])
    save_embeddings(build.ledger, build.fingerprints.model, [key for key, _ in texts], vectors)


def _named(build: Build, batch: Batch, failures: Sequence[Failure]) -> list[Failure]:
    """Failures of texts become failures of the documents that own them."""
    if not failures:
        return []
    rows = {row["doc_id"]: row for row in rows_of(build, batch.documents)}
    return [
        failure.model_copy(
            update={name: rows[failure.uri][name] for name in ("source", "uri", "revision")}
        )
        for failure in failures
    ]
