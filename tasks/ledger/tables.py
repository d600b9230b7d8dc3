"""The tables of the ledger; those of the served application are in application.py, those of reviews
in review.py. Everything that decides what a reader sees is here; texts are in the lake, vectors in
the store.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

knowledge_bases = Table(
    "knowledge_bases",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("live", Integer),
    Column("next_version", Integer, nullable=False, default=1),
    Column("config_path", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("ranking", Integer),
)

rankings = Table(
    "rankings",
    metadata,
    Column("kb", String(63), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("status", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("embedder", String(16), nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("weight", Float),
    Column("model", Text),
    Column("model_sha256", String(64)),
    Column("dataset_sha256", String(64), nullable=False),
    Column("parent", Integer),
    Column("decision", JSON, nullable=False),
    Column("mlflow_run_id", String(64)),
    Column("prefect_run_id", String(64)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("promoted_at", DateTime(timezone=True)),
)
"""What was trained on top of the vectors of a knowledge base, whose column `ranking` says which one
is live, NULL for none. `version`: the knowledge version that it was trained on; `model`: the
adapter's file in the lake; `parent`: what was live before it.
"""

versions = Table(
    "versions",
    metadata,
    Column("kb", String(63), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("status", String(16), nullable=False),
    Column("parent", Integer),
    Column("collection", String(80), nullable=False),
    Column("snapshot", String(80)),
    Column("weight", Float),
    Column("documents", Integer),
    Column("chunks", Integer),
    Column("added", Integer),
    Column("retired", Integer),
    Column("gate", JSON),
    Column("config", JSON),
    Column("config_sha256", String(64)),
    Column("mlflow_run_id", String(64)),
    Column("prefect_run_id", String(64)),
    Column("cleared", Boolean, nullable=False, default=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("published_at", DateTime(timezone=True)),
)

documents = Table(
    "documents",
    metadata,
    Column("kb", String(63), primary_key=True),
    Column("doc_id", String(32), primary_key=True),
    Column("valid_from", Integer, primary_key=True),
    Column("valid_to", Integer),
    Column("source", String(63), nullable=False),
    Column("uri", Text, nullable=False),
    Column("title", Text),
    Column("media_type", Text, nullable=False),
    Column("language", String(8)),
    Column("content_hash", String(64), nullable=False),
    Column("text_hash", String(64), nullable=False),
    Column("revision", Text, nullable=False),
    Column("text_stage", String(16), nullable=False),
    Column("check_stage", String(16), nullable=False),
    Column("chunk_stage", String(16), nullable=False),
    Column("metadata", Text, nullable=False),
    Column("fetched_at", DateTime(timezone=True), nullable=False),
    Column("characters", BigInteger, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("shard", Text, nullable=False),
    Column("shard_sha256", String(64), nullable=False),
    Column("shard_row", Integer, nullable=False),
    Index("documents_open", "kb", "valid_to"),
    Index("documents_since", "kb", "valid_from"),
)
"""A document is in version v when valid_from <= v and not valid_to <= v. `shard` and `shard_row`
say where its text is in the lake.
"""

chunks = Table(
    "chunks",
    metadata,
    Column("kb", String(63), primary_key=True),
    Column("chunk_id", String(32), primary_key=True),
    Column("valid_from", Integer, primary_key=True),
    Column("valid_to", Integer),
    Column("doc_id", String(32), nullable=False),
    Column("row_hash", String(32), nullable=False),
    Column("text_hash", String(64), nullable=False),
    Column("shard", Text, nullable=False, server_default=""),
    Index("chunks_open", "kb", "valid_to"),
    Index("chunks_since", "kb", "valid_from"),
    Index("chunks_of_document", "kb", "doc_id"),
)
"""`text_hash`: of what the embedder sees, the key of the embedding; `row_hash`: of all that the
store holds beside the vector. `shard`: the file of the lake that holds the chunk (its name is its
SHA-256), so that a store can be mended without chunking again."""

sketches = Table(
    "sketches",
    metadata,
    Column("kb", String(63), primary_key=True),
    Column("cleaner", String(16), primary_key=True),
    Column("doc_id", String(32), primary_key=True),
    Column("source", String(63), nullable=False),
    Column("uri", Text, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("revision", Text, nullable=False),
    Column("sketch", LargeBinary, nullable=False),
    Column("verdict", Text, nullable=False),
)
"""What a cleaner that compares documents remembers of each: a sketch of its text, and what followed
from all sketches together.
"""

erased = Table(
    "erased",
    metadata,
    Column("kb", String(63), primary_key=True),
    Column("uri_hash", String(64), primary_key=True),
    Column("erased_at", DateTime(timezone=True), nullable=False),
    Column("counts", JSON, nullable=False),
    Column("lifted_at", DateTime(timezone=True)),
)
"""Documents that were erased for good, by the hash of their uri; later builds skip them until
they are lifted.
"""

calls = Table(
    "calls",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("owner", String(32), nullable=False, default=""),
    Column("reply", Text, nullable=False),
    Column("tokens", Integer, nullable=False, default=0),
    Column("cost_usd", Float, nullable=False, default=0.0),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("detail", JSON),
    Index("calls_of", "owner"),
)
"""Answers of language models, by a hash of model, parameters and messages; `owner`: the document
that was asked about. `detail`: the whole reply, where an evaluation asked."""

shown = Table(
    "shown",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("kb", String(63), primary_key=True),
    Column("doc_id", String(32), primary_key=True),
    Index("shown_document", "kb", "doc_id"),
)
"""The documents whose passages stood in the messages of a call: an erased document takes the
replies to it along.
"""

costs = Table(
    "costs",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("flow", String(16), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("model", String(200), primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("cost_usd", Float, nullable=False),
    Column("unpriced", BigInteger, nullable=False, server_default="0"),
    Column("unpriced_tokens", BigInteger, nullable=False, server_default="0"),
)
"""What was paid on a day (UTC, `2026-11-29`), by flow, name of the config, and model; each "" where
it was not written down then. `unpriced`: how many of the calls nobody knew the price of, and their
tokens; `cost_usd` is without them.
"""

decisions = Table(
    "decisions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(63), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("record", JSON, nullable=False),
    Column("mlflow_run_id", String(64)),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index("decisions_of", "name", "created_at"),
)
"""The decision records of evaluations, whole, as this home made them."""

moves = Table(
    "moves",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("prompt", String(200), nullable=False),
    Column("alias", String(63), nullable=False),
    Column("from_version", Integer),
    Column("to_version", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("decision", String(64)),
    Column("decision_sha256", String(64)),
    Column("who", Text, nullable=False),
    Column("moved_at", DateTime(timezone=True), nullable=False),
    Index("moves_of", "prompt", "alias", "moved_at"),
)
"""Where an alias of a prompt went, and by which decision. `kind`: first, promote, rollback."""

calibrations = Table(
    "calibrations",
    metadata,
    Column("judge", String(16), primary_key=True),
    Column("labels_sha256", String(64), primary_key=True),
    Column("metric", String(63), nullable=False),
    Column("result", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)
"""How far a judge, by its fingerprint, agrees with people's labels."""

embeddings = Table(
    "embeddings",
    metadata,
    Column("model", String(16), primary_key=True),
    Column("text_hash", String(64), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

parsed = Table(
    "parsed",
    metadata,
    Column("parser", String(16), primary_key=True),
    Column("content_hash", String(64), primary_key=True),
    Column("shard", Text, nullable=False),
    Column("shard_sha256", String(64), nullable=False),
    Column("shard_row", Integer, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("kb", String(63), nullable=False),
    Column("source", String(63), nullable=False),
    Column("uri", Text, nullable=False),
    Column("doc_id", String(32), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("error", String(120), nullable=False),
    Column("reason", Text, nullable=False),
    Column("retryable", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("revision", Text, nullable=False),
    Column("stages", String(64), nullable=False),
    Column("first_seen", DateTime(timezone=True), nullable=False),
    Column("last_seen", DateTime(timezone=True), nullable=False),
    Column("unforeseen", Boolean, nullable=False, server_default=false()),
    Column("content_hash", String(64), nullable=False, server_default=""),
    Index("quarantine_of", "kb", "doc_id"),
)

leases = Table(
    "leases",
    metadata,
    Column("kb", String(63), primary_key=True),
    Column("owner", String(120), nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", Float, nullable=False),
    Column("run_id", String(64)),
    Column("acquired_at", DateTime(timezone=True), nullable=False),
    Column("heartbeat_at", DateTime(timezone=True), nullable=False),
)

listings = Table(
    "listings",
    metadata,
    Column("kb", String(63), primary_key=True),
    Column("source", String(63), primary_key=True),
    Column("completed_at", DateTime(timezone=True), nullable=False),
    Column("documents", Integer, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kb", String(63), nullable=False),
    Column("outcome", JSON, nullable=False),
    Column("finished_at", DateTime(timezone=True), nullable=False),
)

slots = Table(
    "slots",
    metadata,
    Column("flow", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("run_id", String(64), nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", Float, nullable=False),
)
