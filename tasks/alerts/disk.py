"""Room on the disk of the home: what is full fails in many places, with many words."""

import os
from datetime import datetime
from pathlib import Path

from llmops.tasks.alerts.condition import Condition, Observation

RULE, SUBJECT = "disk-low", "home"
MOST_WANTED, SHARE = 2_000_000_000, 0.05
"""Bytes that are wanted free, or the share of a small disk."""
CRITICAL = 10
"""A tenth of what is wanted is critical."""
FILES_SHARE = 0.01


def disk_observation(home: Path, at: datetime) -> Observation:
    """Whether there is room for tables and traces. The home may be the folder that is not there
    yet: then of the nearest one that is.
    """
    del at
    place = next(each for each in (home, *home.parents) if each.exists())
    try:
        found = os.statvfs(place)
    except OSError as error:
        told = f"the disk of {home} cannot be looked at: {error.strerror}"
        return Observation(unknown=(f"{RULE}/{SUBJECT}",), problems=(told,))
    free, size = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    wanted = min(MOST_WANTED, SHARE * size)
    files = found.f_favail / found.f_files if found.f_files else 1.0
    if free >= wanted and files >= FILES_SHARE:
        return Observation()
    short = free < wanted / CRITICAL or files < FILES_SHARE / CRITICAL
    room = f"{free / 1e6:,.0f} MB are free, {wanted / 1e6:,.0f} MB are wanted"
    if free >= wanted:
        room = f"{found.f_favail:,} files more fit on it"
    return Observation(
        conditions=(
            Condition(
                rule=RULE,
                subject=SUBJECT,
                severity="critical" if short else "warning",
                message=f"the disk of {home} is nearly full: {room}",
                hint="`llmops maintain` frees old versions; free some space, or move LLMOPS_HOME",
                value=float(free),
            ),
        )
    )
