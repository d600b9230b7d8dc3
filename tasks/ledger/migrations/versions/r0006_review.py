"""What people make of answers: the review queue, leases, reviews, votes, sign-ins, and the files
that are written from all of it.
"""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0006", "0005"
branch_labels = depends_on = None


def upgrade() -> None:
    _queue()
    _reviews()
    _page()


def _queue() -> None:
    op.create_table(
        "review_items",
        sa.Column("id", sa.String(12), primary_key=True),
        sa.Column("app", sa.String(63), nullable=False),
        sa.Column("queue", sa.String(63), nullable=False),
        sa.Column("trace_id", sa.String(35), nullable=False),
        sa.Column("key_id", sa.String(12), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("priority", sa.Float(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("queue", "trace_id", name="review_items_once"),
    )
    order = ["priority", "created_at", "id"]
    op.create_index("review_items_of_state", "review_items", ["app", "queue", "state", *order])
    op.create_index("review_items_of_queue", "review_items", ["app", "queue", *order])
    op.create_index("review_items_of_trace", "review_items", ["trace_id"])
    op.create_table(
        "review_leases",
        sa.Column("item_id", sa.String(12), primary_key=True),
        sa.Column("reviewer", sa.String(64), primary_key=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("draft", sa.JSON()),
        sa.Column("drafted_at", sa.DateTime(timezone=True)),
        sa.Column("put_back_at", sa.DateTime(timezone=True)),
    )
    op.create_index("review_leases_of_reviewer", "review_leases", ["reviewer"])


def _reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("item_id", sa.String(12), primary_key=True),
        sa.Column("reviewer", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("app", sa.String(63), nullable=False),
        sa.Column("queue", sa.String(63), nullable=False),
        sa.Column("trace_id", sa.String(35), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("correction", sa.Text(), nullable=False),
        sa.Column("relevant", sa.JSON(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("adjudicates", sa.Boolean(), nullable=False),
        sa.Column("latest", sa.Boolean(), nullable=False),
        sa.Column("agrees", sa.Boolean()),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True)),
    )
    op.create_index("reviews_of_trace", "reviews", ["trace_id"])
    op.create_index(
        "reviews_of_reviewer",
        "reviews",
        [
            *("app", "queue", "latest", "reviewer", "created_at"),
            *("verdict", "adjudicates", "agrees", "item_id"),
        ],
    )
    op.create_index("reviews_to_store", "reviews", ["stored_at"])
    op.create_table(
        "preferences",
        sa.Column("id", sa.String(12), primary_key=True),
        sa.Column("app", sa.String(63), nullable=False),
        sa.Column("trace_id", sa.String(35), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("chosen", sa.JSON(), nullable=False),
        sa.Column("rejected", sa.JSON(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("preferences_of_app", "preferences", ["app", "created_at"])
    op.create_index("preferences_of_trace", "preferences", ["trace_id"])


def _page() -> None:
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("key_id", sa.String(12), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("sessions_of_key", "sessions", ["key_id"])
    op.create_table(
        "written_files",
        sa.Column("path", sa.Text(), primary_key=True),
        sa.Column("app", sa.String(63), nullable=False),
        sa.Column("queue", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
    )
