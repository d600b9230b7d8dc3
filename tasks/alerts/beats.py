"""Who watches says that it is alive, and what it remembers from one look to the next: so that it is
missed when it falls silent, whether it has ended or hangs.
"""

import os
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from llmops.tasks.ledger import Ledger, open_ledger, upsert
from llmops.tasks.ledger.alerting import beats

ALERTER = "alerter"
SILENT_LOOKS = 5
"""So many looks without a beat, and whoever watches is silent."""
MOMENT = timedelta(minutes=1)


class Beat(BaseModel):
    """A sign of life. `every_seconds`: until the next one; `uptime`: of the machine, in seconds, by
    a clock that nobody sets, None where there is none; `boot`: which start of the machine that
    counts from; `ended`: in order, so that nobody misses it; `memory`: what the next look wants to
    know of this one.
    """

    model_config = ConfigDict(frozen=True)
    at: datetime
    every_seconds: float
    pid: int = Field(default_factory=os.getpid)
    host: str = Field(default_factory=socket.gethostname)
    uptime: float | None = None
    boot: str = ""
    ended: bool = False
    memory: Mapping[str, object] = Field(default_factory=dict)

    def silent(self, at: datetime) -> bool:
        """Whether it is missed at that time. A clock that was set back makes nobody silent."""
        allowed = SILENT_LOOKS * timedelta(seconds=self.every_seconds) + MOMENT
        return not self.ended and at - self.at > allowed


def beat(home: Path, sign: Beat, name: str = ALERTER) -> None:
    """Say it. Raises Unavailable where the ledger cannot be written."""
    row = {"name": name, "at": sign.at, "detail": sign.model_dump(mode="json", exclude={"at"})}
    with open_ledger(home).write() as connection:
        upsert(connection, beats, [row])


def last_beat(ledger: Ledger, name: str = ALERTER) -> Beat | None:
    """The last sign of life; None where nobody has ever watched."""
    with ledger.read() as connection:
        row = connection.execute(select(beats).where(beats.c.name == name)).one_or_none()
    if row is None:
        return None
    at = row.at if row.at.tzinfo else row.at.replace(tzinfo=UTC)
    return Beat.model_validate({**row.detail, "at": at})


def silence(ledger: Ledger, at: datetime) -> str:
    """What to say of an alerter that fell silent; "" where there is none, or it is alive."""
    last = last_beat(ledger)
    if last is None or not last.silent(at):
        return ""
    return (
        f"the alerter is silent since {last.at:%Y-%m-%d %H:%M} UTC (process {last.pid} on "
        f"{last.host}): nobody is told of what goes wrong"
    )


SILENCE_HINT = "`llmops up` runs it, or `llmops alerts watch`"


def uptime() -> float | None:
    """Seconds since the machine started, sleep included; None where no clock tells."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return None if clock is None else time.clock_gettime(clock)


def boot() -> str:
    """Which start of the machine this is; "" where nobody says."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
