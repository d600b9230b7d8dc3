"""What other processes do with alerts in tests. It imports no more than that: each of them starts
afresh.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from llmops.tasks.alerts.condition import Condition, Observation
from llmops.tasks.alerts.outbox import deliver
from llmops.tasks.alerts.policy import AlertPolicy, Recipient
from llmops.tasks.alerts.state import take
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.senders import Notice, Sender

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = AlertPolicy(recipients=(Recipient(sender="file"),))
WRONG = Observation(
    conditions=tuple(
        Condition(rule="store-down", subject=f"base-{n}", severity="critical", message="gone")
        for n in range(3)
    )
)
LOOKS = [WRONG, WRONG, Observation(), Observation(), Observation()]


class SlowSender(Sender):
    """Says that it has sent, and takes its time to come back."""

    path: Path

    def send(self, notice: Notice) -> None:
        with self.path.open("a") as file:
            file.write(f"{notice.kind} {notice.id}\n")
        time.sleep(60)


def look(home: Path, ready: Path) -> None:
    """Look five times at the same minutes as everybody else, and send."""
    sender = Spec(name="log", options={"path": str(home / "sent.jsonl")}).build(Sender)
    for number, observation in enumerate(LOOKS):
        (ready / f"{number}-{os.getpid()}").touch()
        while len(list(ready.glob(f"{number}-*"))) < 3:
            time.sleep(0.001)
        take(home, observation, POLICY, NOON + number * MINUTE)
        deliver(home, {"file": sender}, NOON + number * MINUTE)


def send_slowly(home: Path, file: Path) -> None:
    """Send, and be killed before that is written down."""
    take(home, WRONG, POLICY, NOON)
    deliver(home, {"file": SlowSender(path=file)}, NOON)
