"""The embedding of a batch: every text is paid for once, whoever owns it, also when the run dies in
between.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

from llmops.tasks import progress
from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.knowledge.caches import EmbeddingPayer, known_embeddings, unpaid
from llmops.tasks.knowledge.claims import Claims
from llmops.tasks.knowledge.quarantine import Failure, one_document, put
from llmops.tasks.knowledge.transform import Row, rows_of, without
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.schemas import embedded_text, sha256

CLAIMS = Claims()


def text_hash(row: Mapping[str, Any]) -> str:
    """The key of a chunk's embedding."""
    return sha256(embedded_text(row))


def embed(build: Build, embedder: Embedder, batch: Batch) -> Batch:
    """Compute what the ledger does not have yet, and remember it call by call."""
    rows = rows_of(build, batch.chunks) if batch.chunks else []
    owners = {text_hash(row): row for row in rows}
    failures: list[Failure] = []
    paid: list[str] = []
    bad: set[str] = set()
    texts = {key: embedded_text(row) for key, row in owners.items()}
    with (
        progress.stage("embed", len(rows), "chunks") as step,
        closing(_claimed(build, texts, embedder.texts_per_call)) as portions,
    ):
        for portion in portions:
            done = _paid(build, embedder, portion, owners, failures)
            paid += done
            bad |= portion.keys() - set(done)
            step(len(portion))
        step(len(rows) - len(paid) - len(bad))  # known already, or the same text
    tokens = sum(owners[key]["tokens"] for key in paid)
    dropped = {row["doc_id"] for row in rows if text_hash(row) in bad}
    put(build.handle, _named(build, batch, failures), build.fingerprints.all)
    return without(build, batch, dropped).model_copy(
        update={
            "computed": len(paid),
            "tokens": batch.tokens + tokens,
            "cost_usd": batch.cost_usd + tokens * embedder.price / 1e6,
        }
    )


def _claimed(build: Build, texts: Mapping[str, str], per_call: int) -> Generator[dict[str, str]]:
    """The texts (hash -> text) that are not paid for, in portions of one call each, which no other
    part of the build pays for meanwhile. Those that another part is paying for come last, where it
    did not succeed.
    """
    model, left = build.fingerprints.model, texts
    while left:
        others: dict[str, str] = {}
        for portion in unpaid(build.ledger, model, left.values(), per_call):
            with CLAIMS.claimed((model, key) for key in portion) as held:
                own = [key for key in portion if (model, key) in held]
                since = known_embeddings(build.ledger, model, own)
                others |= {key: portion[key] for key in portion.keys() - {*own}}
                if missing := {key: portion[key] for key in own if key not in since}:
                    yield missing
        CLAIMS.wait((model, key) for key in others)
        left = others


def _paid(
    build: Build,
    embedder: Embedder,
    texts: Mapping[str, str],
    owners: Mapping[str, Row],
    failures: list[Failure],
) -> list[str]:
    """One call for all; when it fails for a reason of the texts, one call each. Returns the hashes
    of those that did not fail.
    """
    together: list[Failure] = []
    paying = EmbeddingPayer(build.ledger, build.fingerprints.model, embedder, build.payer)
    with one_document(together, source="", uri="", stage="embed"):
        paying.pay(texts, sum(owners[key]["tokens"] for key in texts))
    if not together:
        return list(texts)
    paid = []
    for key, text in texts.items():
        with one_document(failures, source="", uri=owners[key]["doc_id"], stage="embed"):
            paying.pay({key: text}, owners[key]["tokens"])
            paid.append(key)
    return paid


def _named(build: Build, batch: Batch, failures: Sequence[Failure]) -> list[Failure]:
    """Failures of texts become failures of the documents that own them."""
    if not failures:
        return []
    rows = {row["doc_id"]: row for row in rows_of(build, batch.documents)}
    known = ("source", "uri", "revision", "content_hash")
    return [
        failure.model_copy(update={name: rows[failure.uri][name] for name in known})
        for failure in failures
    ]
