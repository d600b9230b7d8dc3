"""What repair, erasure and comparing cleaners need: where a chunk lies in the lake, sketches,
erased uris, answers of models.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"
branch_labels = depends_on = None


def upgrade() -> None:
    _calls()
    _erased()
    _sketches()
    op.add_column("chunks", sa.Column("shard", sa.Text(), nullable=False, server_default=""))


def _calls() -> None:
    op.create_table(
        "calls",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("calls_of", "calls", ["owner"])


def _erased() -> None:
    op.create_table(
        "erased",
        sa.Column("kb", sa.String(63), nullable=False),
        sa.Column("uri_hash", sa.String(64), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("kb", "uri_hash"),
    )


def _sketches() -> None:
    op.create_table(
        "sketches",
        sa.Column("kb", sa.String(63), nullable=False),
        sa.Column("cleaner", sa.String(16), nullable=False),
        sa.Column("doc_id", sa.String(32), nullable=False),
        sa.Column("source", sa.String(63), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("sketch", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kb", "cleaner", "doc_id"),
    )
