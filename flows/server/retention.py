"""How long the home's own Prefect server keeps what ran: its database stays as large as so many
days make it, for Prefect's vacuum frees the pages that later runs use.
"""

import os

from llmops.tasks.errors import UsageError

KEEP_DAYS = 30.0
EVENT_DAYS = 7.0
"""Events feed the timelines of Prefect's pages, and are most of the rows."""
DAY_SECONDS = 86_400
LEAST_DAYS = 1.0


def keep_days() -> float:
    """LLMOPS_KEEP_RUNS_DAYS. Raises UsageError."""
    given = os.environ.get("LLMOPS_KEEP_RUNS_DAYS") or str(KEEP_DAYS)
    try:
        days = float(given)
    except ValueError:
        days = -1.0
    if not LEAST_DAYS <= days <= 36_500:
        raise UsageError(
            f"got {given!r}, allowed is a number of days from {LEAST_DAYS:.0f}",
            where="LLMOPS_KEEP_RUNS_DAYS",
            hint=f"unset it for {KEEP_DAYS:.0f}",
        )
    return days


def settings() -> dict[str, str]:
    """For Prefect's server: runs with their tasks, logs and artifacts, and events, by their age."""
    days = keep_days()
    return {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs,orphans",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": f"{days * DAY_SECONDS:.0f}",
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"PT{min(days, EVENT_DAYS) * DAY_SECONDS:.0f}S",
    }
