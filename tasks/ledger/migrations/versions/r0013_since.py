"""Rows of versions after a given one are looked for without reading all others."""

from alembic import op

revision, down_revision = "0013", "0012"
branch_labels = depends_on = None


def upgrade() -> None:
    for table in ("documents", "chunks"):
        op.create_index(f"{table}_since", table, ["kb", "valid_from"], if_not_exists=True)
