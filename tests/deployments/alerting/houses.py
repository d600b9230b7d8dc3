"""A home and a project as an alerter looks at them, at times that a test gives."""

import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from sqlalchemy import delete, insert, update

from llmops.configs.section import Schedule
from llmops.deployments.alerting.alerter import AlertSetup, HouseAlerter
from llmops.deployments.alerting.house import HouseWatch
from llmops.deployments.alerting.stores import StoresWatch
from llmops.deployments.alerting.surveying import ProjectSurvey, WatchedConfig
from llmops.tasks.alerts.looking import AlertPlan
from llmops.tasks.alerts.policy import AlertPolicy, Recipient
from llmops.tasks.ledger import Ledger, open_ledger
from llmops.tasks.ledger.runs import save_outcome
from llmops.tasks.ledger.tables import runs, slots
from tests.alerts.looks import KeepingSender

MIDNIGHT = datetime(2026, 6, 10, 0, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
AT_THREE = Schedule(cron="0 3 * * *", timezone="UTC")
INDEX = WatchedConfig(flow="index", name="handbook", file="handbook.yaml", schedule=AT_THREE)
NONE = StoresWatch(lambda _home: {})
"""Of homes without a knowledge base."""
SURVEY = ProjectSurvey(name="desk", tags=("llmops", "project:desk"), configs=(INDEX,))


def ran(home: Path, run_id: str, ended: datetime, **outcome: object) -> None:
    """A run of the handbook's build that ended at that time."""
    known = {"flow": "index", "status": "published", "seconds": 60.0}
    with_ended(open_ledger(home), run_id, ended, {**known, **outcome})


def with_ended(ledger: Ledger, run_id: str, ended: datetime, outcome: Mapping[str, object]) -> None:
    save_outcome(ledger, run_id, str(outcome.get("name", "handbook")), dict(outcome))
    with ledger.write() as connection:
        connection.execute(update(runs).where(runs.c.id == run_id).values(finished_at=ended))


def claimed(home: Path, run_id: str, began: datetime, *, dead: bool) -> None:
    """A run of its schedule that began."""
    process = {"host": socket.gethostname(), "pid": os.getpid()}
    created = 0.0 if dead else psutil.Process().create_time()
    row = {"flow": "index", "name": "handbook", "run_id": run_id, "began_at": began}
    with open_ledger(home).write() as connection:
        connection.execute(delete(slots))
        connection.execute(insert(slots), {**row, **process, "process_started": created})


class Watchman:
    """An alerter with one sender, that looks every minute by a clock of the test's."""

    def __init__(
        self, home: Path, at: datetime, folder: Path | None = None, stores: StoresWatch = NONE
    ) -> None:
        self.home, self.at, self.up_seconds = home, at, 10_000.0
        self.sender = KeepingSender()
        policy = AlertPolicy(recipients=(Recipient(sender="me"),), project="desk")
        self.setup = AlertSetup(AlertPlan(policy, (), {"me": self.sender}))
        self.house = HouseWatch(home, folder, uptime=lambda: self.up_seconds, stores=stores)
        self.alerter = HouseAlerter(self.house, lambda: self.setup)

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.last = self.alerter.look(self.at)
            self.at += MINUTE
            self.up_seconds += 60

    def until(self, at: datetime, looks: int = 3) -> None:
        """Sleep until then, and look; nobody sets the clock meanwhile."""
        self.up_seconds += (at - self.at).total_seconds()
        self.at = at
        self.look(looks)

    @property
    def told(self) -> list[tuple[str, str]]:
        """(kind, key) of what people were told, in its order."""
        return [(each.kind, each.key) for each in self.sender.notices]
