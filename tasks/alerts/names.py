"""What is watched of every home, without a rule: what it is called in a config."""

WATCHED = (
    *("flow-failed", "flow-blocked", "flow-late", "flow-missing"),
    *("config-wrong", "source-incomplete", "part-down", "tracking-down", "store-down"),
    *("endpoint-down", "disk-low", "clock", "spend"),
)
