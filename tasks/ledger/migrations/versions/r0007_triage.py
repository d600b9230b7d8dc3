"""Which traces were looked at for review, and which topics questions are of."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0007", "0006"
branch_labels = depends_on = None


def upgrade() -> None:
    op.create_table(
        "triaged",
        sa.Column("trace_id", sa.String(35), primary_key=True),
        sa.Column("app", sa.String(63), nullable=False),
        sa.Column("embedder", sa.String(16), nullable=False),
        sa.Column("grounded", sa.Float()),
        sa.Column("vector", sa.LargeBinary()),
        sa.Column("topic", sa.Boolean(), nullable=False),
        sa.Column("alike", sa.Integer(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("triaged_of_app", "triaged", ["app"])
