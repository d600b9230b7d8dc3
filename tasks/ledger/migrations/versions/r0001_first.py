"""The ledger of release 0.1: knowledge bases, versions, documents, chunks, caches, quarantine,
leases.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None
branch_labels = depends_on = None


def upgrade() -> None:
    _chunks()
    _documents()
    _embeddings()
    _knowledge_bases()
    _leases()
    _listings()
    _meta()
    _parsed()
    _quarantine()
    _runs()
    _versions()


def _chunks() -> None:
    op.create_table(
        "chunks",
        sa.Column("kb", sa.String(63), nullable=False),
        sa.Column("chunk_id", sa.String(32), nullable=False),
        sa.Column("valid_from", sa.Integer(), nullable=False),
        sa.Column("valid_to", sa.Integer()),
        sa.Column("doc_id", sa.String(32), nullable=False),
        sa.Column("row_hash", sa.String(32), nullable=False),
        sa.Column("text_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("kb", "chunk_id", "valid_from"),
    )
    op.create_index("chunks_of_document", "chunks", ["kb", "doc_id"])
    op.create_index("chunks_open", "chunks", ["kb", "valid_to"])


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("kb", sa.String(63), nullable=False),
        sa.Column("doc_id", sa.String(32), nullable=False),
        sa.Column("valid_from", sa.Integer(), nullable=False),
        sa.Column("valid_to", sa.Integer()),
        sa.Column("source", sa.String(63), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("title", sa.Text()),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("language", sa.String(8)),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("text_hash", sa.String(64), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("text_stage", sa.String(16), nullable=False),
        sa.Column("check_stage", sa.String(16), nullable=False),
        sa.Column("chunk_stage", sa.String(16), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("characters", sa.BigInteger(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("shard_sha256", sa.String(64), nullable=False),
        sa.Column("shard_row", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kb", "doc_id", "valid_from"),
    )
    op.create_index("documents_open", "documents", ["kb", "valid_to"])


def _embeddings() -> None:
    op.create_table(
        "embeddings",
        sa.Column("model", sa.String(16), nullable=False),
        sa.Column("text_hash", sa.String(64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("model", "text_hash"),
    )


def _knowledge_bases() -> None:
    op.create_table(
        "knowledge_bases",
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("live", sa.Integer()),
        sa.Column("next_version", sa.Integer(), nullable=False),
        sa.Column("config_path", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("kb", sa.String(63), nullable=False),
        sa.Column("owner", sa.String(120), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_started", sa.Float(), nullable=False),
        sa.Column("run_id", sa.String(64)),
        sa.Column("acquired_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kb"),
    )


def _listings() -> None:
    op.create_table(
        "listings",
        sa.Column("kb", sa.String(63), nullable=False),
        sa.Column("source", sa.String(63), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kb", "source"),
    )


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )


def _parsed() -> None:
    op.create_table(
        "parsed",
        sa.Column("parser", sa.String(16), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("shard_sha256", sa.String(64), nullable=False),
        sa.Column("shard_row", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("parser", "content_hash"),
    )


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", sa.String(12), nullable=False),
        sa.Column("kb", sa.String(63), nullable=False),
        sa.Column("source", sa.String(63), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.String(32), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("error", sa.String(120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("retryable", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("stages", sa.String(64), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("quarantine_of", "quarantine", ["kb", "doc_id"])


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kb", sa.String(63), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("kb", sa.String(63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("parent", sa.Integer()),
        sa.Column("collection", sa.String(80), nullable=False),
        sa.Column("snapshot", sa.String(80)),
        sa.Column("weight", sa.Float()),
        sa.Column("documents", sa.Integer()),
        sa.Column("chunks", sa.Integer()),
        sa.Column("added", sa.Integer()),
        sa.Column("retired", sa.Integer()),
        sa.Column("gate", sa.JSON()),
        sa.Column("config", sa.JSON()),
        sa.Column("config_sha256", sa.String(64)),
        sa.Column("mlflow_run_id", sa.String(64)),
        sa.Column("prefect_run_id", sa.String(64)),
        sa.Column("cleared", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("kb", "version"),
    )
