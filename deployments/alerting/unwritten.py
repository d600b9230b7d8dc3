"""When the ledger cannot be written, no alert can be kept: people are told of that directly, and
what happened is entered once it can be.
"""

import logging
import threading
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from llmops.tasks.alerts.condition import Condition
from llmops.tasks.alerts.policy import AlertPolicy
from llmops.tasks.alerts.record import begun, save
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins.senders import Notice, NoticeKind, Sender

RULE, SUBJECT = "ledger-down", "home"
SECONDS = 30.0
SAID = {"rule", "subject", "severity", "message", "hint"}
HINT = "is the disk full, or the database down? what is wrong meanwhile is told when it is back"
logger = logging.getLogger(__name__)


class UnwrittenAlert:
    """One trouble with the ledger, from the first look that could not write to the first that can.
    It lives in this process: another one tells anew.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._condition: Condition | None = None
        self._fired: datetime | None = None
        self._heard: set[str] = set()

    @property
    def goes_on(self) -> bool:
        return self._condition is not None

    def told(
        self, error: LlmopsError, senders: Mapping[str, Sender], policy: AlertPolicy, at: datetime
    ) -> None:
        """Whoever does not know yet is told."""
        if self._condition is None:
            self._fired = at
            self._condition = Condition(
                rule=RULE,
                subject=SUBJECT,
                severity="critical",
                message=f"the ledger cannot be written: {error.message}",
                hint=error.hint or HINT,
                since=at,
            )
        silent = {name: each for name, each in senders.items() if name not in self._heard}
        self._heard |= self._send("fired", silent, policy, at)

    def over(self, senders: Mapping[str, Sender], policy: AlertPolicy, at: datetime) -> None:
        """It can be written again: entered as an alert that is over; whoever heard is told. Raises
        LlmopsError where it cannot be written after all.
        """
        if self._condition is None:
            return
        row = begun(self._condition, policy.owner, self._fired or at)
        ended = row.model_copy(update={"fired_at": self._fired, "resolved_at": at})
        with open_ledger(self._home).write() as connection:
            save(connection, [ended])
        knowing = {name: each for name, each in senders.items() if name in self._heard}
        self._send("resolved", knowing, policy, at)
        self._condition, self._fired, self._heard = None, None, set()

    def _send(
        self, kind: NoticeKind, senders: Mapping[str, Sender], policy: AlertPolicy, at: datetime
    ) -> set[str]:
        """By all at the same time. Returns who has."""
        assert self._condition is not None
        notice = Notice(
            id=uuid.uuid4().hex[:16],
            kind=kind,
            key=self._condition.key,
            at=at,
            began_at=self._fired or at,
            project=policy.project,
            **self._condition.model_dump(
                include={"rule", "subject", "severity", "message", "hint"}
            ),
        )
        done = set[str]()

        def send(name: str, sender: Sender) -> None:
            try:
                sender.send(notice)
                done.add(name)
            except Exception as error:  # noqa: BLE001 - of any library; it is tried at the next look
                logger.warning("%s cannot tell of the ledger: %s", name, type(error).__name__)

        threads = [
            threading.Thread(target=send, args=pair, daemon=True) for pair in senders.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS / len(threads))
        return set(done)
