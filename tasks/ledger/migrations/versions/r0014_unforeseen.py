"""Documents in quarantine: whether somebody foresaw the error, and which content it was about."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0014", "0013"
branch_labels = depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("unforeseen", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("content_hash", sa.String(64), nullable=False, server_default=""),
    ):
        op.add_column("quarantine", column)
