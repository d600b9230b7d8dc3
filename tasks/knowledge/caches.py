"""What was paid for once: embeddings by text, parsed texts by content. Content-addressed, so that
sharing them is safe.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Row, select

from llmops.tasks import progress, stopping
from llmops.tasks.calls.costs import CostEntry, Payer, book
from llmops.tasks.errors import Damaged
from llmops.tasks.ledger import Ledger, upsert
from llmops.tasks.ledger.tables import embeddings, parsed
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.schemas import Shard, Vectors, sha256

KEYS_PER_QUERY = 500


def _slices(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), KEYS_PER_QUERY):
        yield keys[start : start + KEYS_PER_QUERY]


def known_embeddings(ledger: Ledger, model: str, hashes: Sequence[str]) -> set[str]:
    """Which of these texts have a vector of this model already."""
    with ledger.read() as connection:
        return {
            row.text_hash
            for part in _slices(hashes)
            for row in connection.execute(
                select(embeddings.c.text_hash).where(
                    embeddings.c.model == model, embeddings.c.text_hash.in_(part)
                )
            )
        }


def save_embeddings(
    ledger: Ledger,
    model: str,
    hashes: Sequence[str],
    vectors: Vectors,
    paid: CostEntry | None = None,
) -> None:
    """Remember vectors, and what they cost. Raises ValueError unless there is one finite row per
    text.
    """
    if len(hashes) != len(vectors) or not np.isfinite(vectors).all():
        raise ValueError(
            f"{len(hashes)} texts gave {len(vectors)} vectors, all of which must be finite"
        )
    rows = [
        {"model": model, "text_hash": key, "vector": vector.astype("<f4").tobytes()}
        for key, vector in zip(hashes, vectors, strict=True)
    ]
    with ledger.write() as connection:
        upsert(connection, embeddings, rows)
        book(connection, [paid] if paid else [])


def find_embeddings(ledger: Ledger, model: str, hashes: Sequence[str]) -> dict[str, bytes]:
    """text_hash -> vector (little-endian float32) of the texts that were paid for."""
    with ledger.read() as connection:
        return {
            row.text_hash: row.vector
            for part in _slices(sorted(set(hashes)))
            for row in connection.execute(
                select(embeddings.c.text_hash, embeddings.c.vector).where(
                    embeddings.c.model == model, embeddings.c.text_hash.in_(part)
                )
            )
        }


def load_embeddings(ledger: Ledger, model: str, hashes: Sequence[str], dimension: int) -> Vectors:
    """Vectors in the order of the hashes, shape (len(hashes), dimension). Raises Damaged when one
    is missing.
    """
    vectors = find_embeddings(ledger, model, hashes)
    missing = [key for key in hashes if key not in vectors]
    if missing:
        raise Damaged(
            f"{len(missing)} embeddings are missing from the ledger",
            hint="run the build again: they are computed anew",
        )
    return np.frombuffer(b"".join(vectors[key] for key in hashes), dtype="<f4").reshape(
        len(hashes), dimension
    )


def unpaid(
    ledger: Ledger, model: str, texts: Iterable[str], per_call: int
) -> Iterator[dict[str, str]]:
    """The texts that the ledger has no vector of, by hash, in portions of one call each."""
    by_hash = {sha256(text): text for text in texts}
    known = known_embeddings(ledger, model, list(by_hash))
    missing = [key for key in by_hash if key not in known]
    for start in range(0, len(missing), per_call):
        yield {key: by_hash[key] for key in missing[start : start + per_call]}


class EmbeddingPayer(NamedTuple):
    """Embeds for a build, with the ledger's note of what it cost. `model`: the fingerprint that
    vectors are remembered by.
    """

    ledger: Ledger
    model: str
    embedder: Embedder
    payer: Payer

    def pay(self, texts: Mapping[str, str], tokens: int) -> None:
        """Embed some texts (hash -> text) of so many tokens in one call, and remember that at once.
        Raises Damaged where the model's files are others by now: these vectors would be found under
        the name of those that were there before, for good.
        """
        cost = tokens * self.embedder.price / 1e6
        name = str(getattr(self.embedder, "model", type(self.embedder).__name__))
        known = self.embedder.priced
        paid = CostEntry(self.payer, name, tokens, cost, known) if cost or not known else None
        with stopping.call():
            vectors = self.embedder.embed(list(texts.values()))
            if self.embedder.fingerprint() != self.model:
                raise Damaged(
                    f"the files of the model {name} have changed since the build began",
                    hint="run again once nobody writes to them; nothing of the new ones was kept",
                )
            save_embeddings(self.ledger, self.model, list(texts), vectors, paid)
        progress.count("usd", cost)


class ParsedKey(NamedTuple):
    """A parsed text is of one parser, by its fingerprint, and of one content."""

    parser: str
    content_hash: str


def save_parsed(ledger: Ledger, places: Mapping[int, ParsedKey], shard: Shard) -> None:
    """Remember which parsed text each of these rows of the shard is."""
    rows = [
        {**key._asdict(), "shard": shard.path, "shard_sha256": shard.sha256, "shard_row": place}
        for place, key in places.items()
    ]
    with ledger.write() as connection:
        upsert(connection, parsed, rows)


def find_parsed(
    ledger: Ledger, parsers: Iterable[str], hashes: Sequence[str]
) -> dict[ParsedKey, Row[Any]]:
    """(shard, shard_sha256, shard_row) of the texts that these parsers made of these contents."""
    with ledger.read() as connection:
        return {
            ParsedKey(row.parser, row.content_hash): row
            for part in _slices(hashes)
            for row in connection.execute(
                select(parsed).where(parsed.c.parser.in_(parsers), parsed.c.content_hash.in_(part))
            )
        }
