"""Which passages of an answer people opened."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0009", "0008"
branch_labels = depends_on = None


def upgrade() -> None:
    op.create_table(
        "clicks",
        sa.Column("trace_id", sa.String(35), primary_key=True),
        sa.Column("person", sa.String(64), primary_key=True),
        sa.Column("chunk_id", sa.String(32), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("clicks_of_person", "clicks", ["person"])
    op.create_index("clicks_of_chunk", "clicks", ["chunk_id"])
