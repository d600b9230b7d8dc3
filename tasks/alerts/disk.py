"""Room on the disk of the home: what is full fails in many places, with many words."""

import os
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from llmops.tasks.alerts.condition import Condition, Observation

RULE, SUBJECT = "disk-low", "home"
MOST_WANTED, SHARE = 2_000_000_000, 0.05
"""Bytes that are wanted free, or the share of a small disk."""
CRITICAL = 10
"""A tenth of what is wanted is critical."""
FILES_SHARE = 0.01


class Room(NamedTuple):
    """Of a disk: bytes that are free, of how many; files that still fit on it, of how many, 0 where
    it does not count them.
    """

    free: float
    size: float
    files_free: int
    files: int


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
    block = found.f_frsize
    room = Room(found.f_bavail * block, found.f_blocks * block, found.f_favail, found.f_files)
    low = low_room(home, room)
    return Observation(conditions=(low,) if low else ())


def low_room(home: Path, room: Room) -> Condition | None:
    """What is wrong with so much room; None where there is enough."""
    wanted = min(MOST_WANTED, SHARE * room.size)
    files = room.files_free / room.files if room.files else 1.0
    if room.free >= wanted and files >= FILES_SHARE:
        return None
    short = room.free < wanted / CRITICAL or files < FILES_SHARE / CRITICAL
    said = f"{room.free / 1e6:,.0f} MB are free, {wanted / 1e6:,.0f} MB are wanted"
    if room.free >= wanted:
        said = f"{room.files_free:,} files more fit on it"
    return Condition(
        rule=RULE,
        subject=SUBJECT,
        severity="critical" if short else "warning",
        message=f"the disk of {home} is nearly full: {said}",
        hint="`llmops maintain` frees old versions; free some space, or move LLMOPS_HOME",
        value=float(room.free),
    )
