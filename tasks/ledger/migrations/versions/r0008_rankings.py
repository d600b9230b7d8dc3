"""Trained rankings of knowledge bases, and which of them is live."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0008", "0007"
branch_labels = depends_on = None


def upgrade() -> None:
    op.create_table(
        "rankings",
        sa.Column("kb", sa.String(63), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("embedder", sa.String(16), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Float()),
        sa.Column("model", sa.Text()),
        sa.Column("model_sha256", sa.String(64)),
        sa.Column("dataset_sha256", sa.String(64), nullable=False),
        sa.Column("parent", sa.Integer()),
        sa.Column("decision", sa.JSON(), nullable=False),
        sa.Column("mlflow_run_id", sa.String(64)),
        sa.Column("prefect_run_id", sa.String(64)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promoted_at", sa.DateTime(timezone=True)),
    )
    op.add_column("knowledge_bases", sa.Column("ranking", sa.Integer()))
