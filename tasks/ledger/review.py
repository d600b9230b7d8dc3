"""The tables of what people make of answers: the review queue, who has what in hand, reviews, votes
between answers, sign-ins to the page, and files that are written from all of it.
"""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from llmops.tasks.ledger.tables import metadata

review_items = Table(
    "review_items",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("app", String(63), nullable=False),
    Column("queue", String(63), nullable=False),
    Column("trace_id", String(35), nullable=False),
    Column("key_id", String(12), nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("priority", Float, nullable=False),
    Column("note", Text, nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Column("reopened_at", DateTime(timezone=True)),
    UniqueConstraint("queue", "trace_id", name="review_items_once"),
    Index("review_items_of_state", "app", "queue", "state", "priority", "created_at", "id"),
    Index("review_items_of_queue", "app", "queue", "priority", "created_at", "id"),
    Index("review_items_of_trace", "trace_id"),
)
"""Answers that somebody should look at. `key_id`: of the key that asked; `reasons`: why each was
chosen; `wanted`: so many reviewers; `state`: open, done, disputed or discarded; `verdict`: what it
came to, "" while it is open or disputed. `asked_by`: pseudonym of whoever wanted a person, with
their `note`; `reopened_at`: what was said before holds no more."""

review_leases = Table(
    "review_leases",
    metadata,
    Column("item_id", String(12), primary_key=True),
    Column("reviewer", String(64), primary_key=True),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("draft", JSON),
    Column("drafted_at", DateTime(timezone=True)),
    Column("put_back_at", DateTime(timezone=True)),
    Index("review_leases_of_reviewer", "reviewer"),
)
"""Who has an item in hand, and until when; what they have typed so far outlives the lease.
`put_back_at`: when they let it go for another one; it comes to them last."""

reviews = Table(
    "reviews",
    metadata,
    Column("item_id", String(12), primary_key=True),
    Column("reviewer", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("app", String(63), nullable=False),
    Column("queue", String(63), nullable=False),
    Column("trace_id", String(35), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("correction", Text, nullable=False),
    Column("relevant", JSON, nullable=False),
    Column("comment", Text, nullable=False),
    Column("adjudicates", Boolean, nullable=False),
    Column("latest", Boolean, nullable=False),
    Column("agrees", Boolean),
    Column("seconds", Float, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("stored_at", DateTime(timezone=True)),
    Index("reviews_of_trace", "trace_id"),
    Index(
        "reviews_of_reviewer",
        *("app", "queue", "latest", "reviewer", "created_at"),
        *("verdict", "adjudicates", "agrees", "item_id"),
    ),
    Index("reviews_to_store", "stored_at"),
)
"""What a reviewer has said of an item, from 1 on; the numbers are its history. An adjudication
stands beside the review of the same person: `latest` marks the one of each kind that holds.
`verdict`: good, bad, discard, or withdrawn. `relevant`: passages that answer the question, as
golden sets name them. `agrees`: whether the item came to the same, None while it came to nothing.
`stored_at`: when MLflow had it as an assessment of the trace."""

preferences = Table(
    "preferences",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("app", String(63), nullable=False),
    Column("trace_id", String(35), nullable=False),
    Column("person", String(64), nullable=False),
    Column("question", Text, nullable=False),
    Column("chosen", JSON, nullable=False),
    Column("rejected", JSON, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index("preferences_of_app", "app", "created_at"),
    Index("preferences_of_trace", "trace_id"),
)
"""Which of two answers to a question somebody liked better. Each side: messages, answer, prompt,
model, knowledge base and version. `trace_id`: of the question, "" for one that was typed."""

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("key_id", String(12), nullable=False),
    Column("name", String(200), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("sessions_of_key", "key_id"),
)
"""Who is signed in to the page. `hash`: SHA-256 of what the browser's cookie holds; `key_id`: ""
where nobody needs a key; `name`: as they call themselves."""

written_files = Table(
    "written_files",
    metadata,
    Column("path", Text, primary_key=True),
    Column("app", String(63), nullable=False),
    Column("queue", String(63), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("written_at", DateTime(timezone=True), nullable=False),
)
"""Files of golden questions, cases and training rows that were written from reviews: where a trace
is deleted, its rows leave them."""

triaged = Table(
    "triaged",
    metadata,
    Column("trace_id", String(35), primary_key=True),
    Column("app", String(63), nullable=False),
    Column("embedder", String(16), nullable=False),
    Column("grounded", Float),
    Column("vector", LargeBinary),
    Column("topic", Boolean, nullable=False),
    Column("alike", Integer, nullable=False),
    Column("looked_at", DateTime(timezone=True), nullable=False),
    Index("triaged_of_app", "app"),
)
"""Traces that were looked at for review. `grounded`: the share of the answer's sentences that its
passages support; `vector`: of the question, by the embedder of that fingerprint, where it is like
none before it; `topic`: it stands for a topic, and for `alike` questions with it.
"""
