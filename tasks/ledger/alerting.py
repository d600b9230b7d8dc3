"""The tables of alerts, of what people are told of them, and of who is alive."""

from sqlalchemy import JSON, Column, DateTime, Float, Index, Integer, String, Table, Text

from llmops.tasks.ledger.tables import metadata

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("key", Text, nullable=False),
    Column("owner", String(63), nullable=False),
    Column("rule", String(63), nullable=False),
    Column("subject", Text, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("value", Float),
    Column("links", JSON, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("returns", Integer, nullable=False),
    Column("lasted_seconds", Float, nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    Column("looked_at", DateTime(timezone=True), nullable=False),
    Column("missed_at", DateTime(timezone=True)),
    Column("fired_at", DateTime(timezone=True)),
    Column("resolved_at", DateTime(timezone=True)),
    Column("muted_until", DateTime(timezone=True)),
    Index("alerts_of_key", "key", "resolved_at"),
    Index("alerts_began", "began_at"),
)
"""What was wrong, and when. `owner`: whose looks found it, and find that it is over; `looks`: how
often it was seen; `seen_at`: last; `looked_at`: when its owner last could look, as the clock was
then; `missed_at`: since when it is no longer seen, while nobody knows yet whether it is over;
`lasted_seconds`: how long it was seen without a gap, once `missed_at` is set how long it was not;
`returns`: how often it came back soon after it was over; `fired_at`: when it counted as an alert,
None while it may be a moment's; `resolved_at`: None while it goes on. At most one open row a key.
"""

notices = Table(
    "notices",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("alert_id", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("sender", String(63), nullable=False),
    Column("content", JSON, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("claimed_until", DateTime(timezone=True)),
    Column("sent_at", DateTime(timezone=True)),
    Index("notices_due", "status", "due_at"),
    Index("notices_of_alert", "alert_id"),
)
"""What is to be sent, by whom: written with the change of the alert, in one transaction. `status`:
waiting, sent, dropped (nobody needs it any more) or dead (it never will go); `due_at`: not before,
also because of quiet hours; `claimed_until`: somebody is sending it.
"""

beats = Table(
    "beats",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("detail", JSON, nullable=False),
)
"""Who is alive: whoever watches something says so here, and is missed by others."""

mutes = Table(
    "mutes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("until", DateTime(timezone=True), nullable=False),
)
"""What nobody is to be told of for a while. `name`: a rule, or the key of an alert."""
