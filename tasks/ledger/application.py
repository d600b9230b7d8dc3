"""The tables of the served application: keys, traces by their ids, feedback, remembered and curated
answers, and the audit log.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
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
)

from llmops.tasks.ledger.tables import metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("name", String(63), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("role", String(16), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("usd_per_month", Float),
    Column("requests_per_minute", Integer),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
)
"""Keys of the served application. `hash`: SHA-256 of the key, which itself is nowhere. `labels`:
what its holder may read.
"""

spending = Table(
    "spending",
    metadata,
    Column("key_id", String(12), primary_key=True),
    Column("month", String(7), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("cost_usd", Float, nullable=False),
)
"""What a key has used up in a calendar month (`2026-11`, UTC)."""

traces = Table(
    "traces",
    metadata,
    Column("id", String(35), primary_key=True),
    Column("app", String(63), nullable=False),
    Column("conversation", String(64), nullable=False),
    Column("person", String(64), nullable=False),
    Column("key_id", String(12), nullable=False),
    Column("status", String(16), nullable=False),
    Column("cost_usd", Float, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("stored_at", DateTime(timezone=True)),
    Column("deleted_at", DateTime(timezone=True)),
    Column("latency_ms", Float),
    Index("traces_of_app", "app", "began_at"),
    Index("traces_of_conversation", "conversation", "began_at"),
    Index("traces_of_person", "person"),
)
"""Which traces there are, without what was said in them. `person`: pseudonym of whoever asked, ""
where nobody is named. `stored_at`: when MLflow had it, None while it waits in the spool.
`latency_ms`: from the question to the end of the answer, None where nobody measured it."""

feedback = Table(
    "feedback",
    metadata,
    Column("trace_id", String(35), primary_key=True),
    Column("person", String(64), primary_key=True),
    Column("rating", String(8)),
    Column("comment", Text, nullable=False),
    Column("correction", Text, nullable=False),
    Column("key_id", String(12), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("stored_at", DateTime(timezone=True)),
)
"""What people said of an answer, once per trace and person. `rating`: up, down, or None for one
that was withdrawn. `stored_at`: when MLflow had it as an assessment of the trace."""

clicks = Table(
    "clicks",
    metadata,
    Column("trace_id", String(35), primary_key=True),
    Column("person", String(64), primary_key=True),
    Column("chunk_id", String(32), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Index("clicks_of_person", "person"),
    Index("clicks_of_chunk", "chunk_id"),
)
"""Which passages of an answer people opened, once per trace, person and passage. `version`: of the
knowledge base that was asked."""

answers = Table(
    "answers",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("app", String(63), nullable=False),
    Column("scope", String(64), nullable=False),
    Column("question", Text, nullable=False),
    Column("vector", LargeBinary),
    Column("answer", Text, nullable=False),
    Column("trace_id", String(35), nullable=False),
    Column("person", String(64), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("hits", Integer, nullable=False),
    Index("answers_of_scope", "app", "scope"),
)
"""The answer cache of the served application. `scope`: a hash of all that an answer depends on
beside the question: key, labels, knowledge version, prompt, model.
"""

curated = Table(
    "curated",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("app", String(63), nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("threshold", Float),
    Column("trace_id", String(35), nullable=False),
    Column("person", String(64), nullable=False),
    Column("hits", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("retired_at", DateTime(timezone=True)),
    Index("curated_of_app", "app"),
)
"""Answers that a person has written for a question. `labels`: who may get it. `threshold`: how like
a question has to be, from 0 to 1; None: as the app says."""

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("person", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("subject", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
"""Every change of something live, from 1 on without gaps. `hash` covers all other columns, and so
the hash of the entry before.
"""

people = Table(
    "people",
    metadata,
    Column("pseudonym", String(64), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("secret", String(64), nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
)
"""Who a pseudonym stands for. It is HMAC-SHA256 of the name under `secret`: with the row, the way
back to the person is gone.
"""

live_scores = Table(
    "live_scores",
    metadata,
    Column("trace_id", String(35), primary_key=True),
    Column("metric", String(63), primary_key=True),
    Column("app", String(63), nullable=False),
    Column("scorer", String(16), nullable=False),
    Column("value", Float),
    Column("reason", Text, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("scored_at", DateTime(timezone=True), nullable=False),
    Column("stored_at", DateTime(timezone=True)),
    Index("live_scores_of_app", "app", "metric"),
)
"""What scorers, by their fingerprints, say of traces. `stored_at`: when MLflow had it as an
assessment of the trace.
"""
