"""What evaluation needs: the whole reply of a call and the documents it was shown, decisions, moves
of aliases, trust in judges.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"
branch_labels = depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("detail", sa.JSON()))
    _shown()
    _decisions()
    _moves()
    _calibrations()


def _shown() -> None:
    op.create_table(
        "shown",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("kb", sa.String(63), nullable=False),
        sa.Column("doc_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("key", "kb", "doc_id"),
    )
    op.create_index("shown_document", "shown", ["kb", "doc_id"])


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("mlflow_run_id", sa.String(64)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("decisions_of", "decisions", ["name", "created_at"])


def _moves() -> None:
    op.create_table(
        "moves",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("prompt", sa.String(200), nullable=False),
        sa.Column("alias", sa.String(63), nullable=False),
        sa.Column("from_version", sa.Integer()),
        sa.Column("to_version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("decision", sa.String(64)),
        sa.Column("decision_sha256", sa.String(64)),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("moves_of", "moves", ["prompt", "alias", "moved_at"])


def _calibrations() -> None:
    op.create_table(
        "calibrations",
        sa.Column("judge", sa.String(16), nullable=False),
        sa.Column("labels_sha256", sa.String(64), nullable=False),
        sa.Column("metric", sa.String(63), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("judge", "labels_sha256"),
    )
