"""The rooms of the house, and which of them may import which. `test_layout.py` holds them to it."""

FAMILIES = (
    *("sources", "parsers", "cleaners", "chunkers", "embedders", "rerankers"),
    *("stores", "llms", "scorers", "collectors", "scrubbers", "exporters", "trainers", "senders"),
)
GROUND = (
    *("errors", "schemas", "lake", "yaml_files", "rows"),
    *("stopping", "progress", "running", "hashing", "pictures"),
    *("postponed", "processes", "empty_databases", "user_cache"),
)
PURE = ("statistics", "filters", "texts", "endpoints")
"""Rooms that plugins may use too: they know no plugin and no other room."""
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "statistics": (),
    "filters": (),
    "texts": (),
    "endpoints": (),
    "tracking": (),
    "traces": ("ledger", "tracking", "audit"),
    "ledger": (),
    "validation": (),
    "calls": ("ledger",),
    "audit": ("ledger",),
    "access": ("ledger", "audit", "calls"),
    "retrieval": (),
    "knowledge": ("ledger", "audit", "calls", "retrieval", "validation"),
    "maintenance": (
        *("ledger", "audit", "knowledge", "retrieval", "traces"),
        *("tracking", "validation", "models"),
    ),
    "prompts": ("tracking", "ledger", "audit"),
    "models": ("tracking", "ledger", "audit"),
    "evaluation": ("ledger", "calls", "knowledge", "retrieval", "prompts", "models"),
    "decisions": ("ledger", "audit", "evaluation", "prompts", "tracking", "traces"),
    "review": ("ledger", "audit", "traces", "tracking"),
    "nights": ("knowledge",),
    "monitoring": (
        *("ledger", "calls", "evaluation", "traces", "tracking"),
        *("knowledge", "retrieval"),
    ),
    "alerts": ("ledger", "audit", "monitoring", "traces"),
    "triage": (
        *("ledger", "audit", "traces", "tracking", "review"),
        *("evaluation", "monitoring"),
    ),
    "datasets": (
        *("ledger", "audit", "traces", "tracking", "review", "retrieval"),
        *("evaluation", "monitoring", "chat", "access"),
        *("calls", "knowledge", "validation"),
    ),
    "training": (
        *("ledger", "calls", "knowledge", "retrieval", "datasets", "tracking", "models"),
        *("evaluation", "decisions", "traces"),
    ),
    "chat": (
        *("ledger", "calls", "knowledge", "retrieval", "prompts"),
        *("traces", "access", "audit", "models"),
    ),
}
"""Which other rooms a room may import, beside plugins, what is pure and the ground floor."""
