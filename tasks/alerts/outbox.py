"""Notices that wait are sent: each by its sender, apart from the others, tried again while that
fails. What goes wrong with it is written down, and stops nobody.
"""

import logging
import random
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr
from sqlalchemy import ColumnElement, select, update

from llmops.tasks.alerts.telling import NoticeRecord
from llmops.tasks.errors import ConfigError, LlmopsError, Unavailable
from llmops.tasks.ledger import Ledger, existing_ledger, open_ledger
from llmops.tasks.ledger.alerting import notices
from llmops.tasks.plugins.senders import Later, Sender

SECONDS = 60.0
"""For all that one sender has to send at once; one that takes longer is cut."""
LEASE = timedelta(minutes=5)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
LONGEST_ASKED = timedelta(days=1)
GIVEN_UP, ATTEMPTS = timedelta(hours=48), 20
"""A notice is dead after both: so a clock that jumps kills none."""
AT_ONCE = 50
SENDING: dict[tuple[Path, str], threading.Thread] = {}
"""Who is sending, by home and sender: one that hangs is not asked again meanwhile."""
logger = logging.getLogger(__name__)


class Delivered(BaseModel):
    """What came of a delivery. `failed`: tried again later; `dead`: never tried again; `problems`:
    a sentence for each sender that failed.
    """

    model_config = ConfigDict(frozen=True)
    sent: int = 0
    failed: int = 0
    dead: int = 0
    problems: tuple[str, ...] = ()


def deliver(
    home: Path, senders: Mapping[str, Sender], at: datetime, *, seconds: float = SECONDS
) -> Delivered:
    """Send what is due. Never raises: what fails is in `problems`, and waits in the ledger."""
    at = at.astimezone(UTC)
    try:
        if not _anything(existing_ledger(home), senders, at):
            return Delivered()
        batches = [
            _Batch(home, name, sender, at)
            for name, sender in senders.items()
            if not _hangs(home, name)
        ]
    except LlmopsError as error:
        return Delivered(problems=(error.message,))
    for batch in batches:
        batch.start()
    deadline = time.monotonic() + seconds
    for batch in batches:
        batch.wait(deadline - time.monotonic())
    hanging = tuple(f"{name}: still hangs" for name in senders if _hangs(home, name))
    ends = [batch.end(seconds) for batch in batches]
    return Delivered(
        sent=sum(each.sent for each in ends),
        failed=sum(each.failed for each in ends),
        dead=sum(each.dead for each in ends),
        problems=(*(told for each in ends for told in each.problems), *hanging),
    )


def _hangs(home: Path, name: str) -> bool:
    thread = SENDING.get((home, name))
    return thread is not None and thread.is_alive()


def _anything(ledger: Ledger, senders: Mapping[str, Sender], at: datetime) -> bool:
    """Asked without waiting for a writer."""
    with ledger.read() as connection:
        ready = notices.c.sender.in_(senders) & _ready(at)
        return connection.scalar(select(notices.c.id).where(ready).limit(1)) is not None


def _ready(at: datetime) -> ColumnElement[bool]:
    """What is due and in nobody's hands. Times that lie further ahead than they can are those of a
    clock that was set back since; whoever looked a little later is a little ahead.
    """
    due = (notices.c.due_at <= at) | (notices.c.created_at > at + LEASE)
    claimed = notices.c.claimed_until
    free = claimed.is_(None) | (claimed <= at) | (claimed > at + 2 * LEASE)
    return (notices.c.status == "waiting") & due & free


def claim(ledger: Ledger, sender: str, at: datetime) -> NoticeRecord | None:
    """Take the next notice of a sender in hand; None where nothing is to be sent. What was written
    later of an alert waits for what was written before.
    """
    of_sender = (notices.c.sender == sender) & (notices.c.status == "waiting")
    with ledger.write() as connection:
        ready = set(connection.scalars(select(notices.c.id).where(of_sender & _ready(at))))
        order = (notices.c.created_at, notices.c.id)
        started: set[str] = set()
        for row in connection.execute(select(notices).where(of_sender).order_by(*order)):
            if row.id in ready and row.alert_id not in started:
                values = {"claimed_until": at + LEASE, "attempts": row.attempts + 1}
                connection.execute(update(notices).where(notices.c.id == row.id).values(**values))
                return NoticeRecord.model_validate({**row._mapping, **values})
            started.add(row.alert_id)
    return None


class _Batch:
    """What one sender has to send, in a thread of its own: none waits for another."""

    def __init__(self, home: Path, name: str, sender: Sender, at: datetime) -> None:
        self._home, self._name, self._sender, self._at = home, name, sender, at
        self._ledger = open_ledger(home)
        self._lock, self._ended = threading.Lock(), False
        self._in_hand: NoticeRecord | None = None
        self._sent = self._failed = self._dead = 0
        self._problems: list[str] = []
        self._thread = threading.Thread(target=self._run, name=f"sender {name}", daemon=True)

    def start(self) -> None:
        SENDING[self._home, self._name] = self._thread
        self._thread.start()

    def wait(self, seconds: float) -> None:
        self._thread.join(max(0.0, seconds))

    def end(self, seconds: float) -> Delivered:
        """What came of it until now; what is still in hand has failed."""
        with self._lock:
            self._ended = True
            cut = self._in_hand
        if cut is not None:
            told = f"it took longer than {seconds:g} s and was cut"
            try:
                self._failure(cut, Unavailable(told))
            except LlmopsError as error:
                self._problems.append(error.message)
        return Delivered(
            sent=self._sent,
            failed=self._failed,
            dead=self._dead,
            problems=tuple(f"{self._name}: {each}" for each in self._problems),
        )

    def _run(self) -> None:
        try:
            for _ in range(AT_ONCE):
                if not self._one():
                    return
        except LlmopsError as error:  # of the ledger: what is in hand is sent again later
            self._problems.append(error.message)
            self._in_hand = None

    def _one(self) -> bool:
        """Send one notice; whether to go on with the next."""
        with self._lock:
            if self._ended:
                return False
            self._in_hand = notice = claim(self._ledger, self._name, self._at)
        if notice is None:
            return False
        try:
            self._sender.send(notice.content)
        except LlmopsError as error:
            failure: LlmopsError | None = error
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; it may hold secrets
            failure = LlmopsError(f"{type(error).__name__} in the sender")
        else:
            failure = None
        with self._lock:
            late, self._in_hand = self._ended, None
        if failure is None:
            self._settle(notice, status="sent", sent_at=self._at, error="", claimed_until=None)
            self._sent += 1
        elif not late:  # else it has been counted as a failure already
            self._failure(notice, failure)
        return failure is None or isinstance(failure, ConfigError)

    def _failure(self, notice: NoticeRecord, error: LlmopsError) -> None:
        told = hidden(self._sender, error)
        never = isinstance(error, ConfigError)
        spent = self._at - notice.created_at >= GIVEN_UP and notice.attempts >= ATTEMPTS
        dead = never or spent
        due = self._at + pause(notice.attempts, error)
        status = "dead" if dead else "waiting"
        self._settle(notice, status=status, due_at=due, error=told, claimed_until=None)
        self._dead += dead
        self._failed += not dead
        self._problems.append(told)
        logger.warning("a notice of %s did not go by %s: %s", notice.content.key, self._name, told)

    def _settle(self, notice: NoticeRecord, **values: object) -> None:
        mine = (notices.c.id == notice.id) & (notices.c.status == "waiting")
        with self._ledger.write() as connection:
            connection.execute(update(notices).where(mine).values(**values))


def pause(attempts: int, error: LlmopsError) -> timedelta:
    """Until the next attempt: twice as long each time, not the same for all that failed together;
    as long as the other side asks for, where that is longer.
    """
    grown: timedelta = min(FIRST_PAUSE * 2 ** min(attempts - 1, 10), LONGEST_PAUSE)
    grown *= random.uniform(0.8, 1.2)
    asked = error.after if isinstance(error, Later) else 0.0  # inf and nan are no span of time
    return max(grown, timedelta(seconds=max(0.0, min(LONGEST_ASKED.total_seconds(), asked))))


def hidden(sender: Sender, error: LlmopsError) -> str:
    """What went wrong, in a line that holds none of the sender's secrets."""
    told = " ".join(str(error).split())
    for secret in sorted(_secrets(dict(sender)), key=len, reverse=True):
        told = told.replace(secret, "…")
    return told[:500]


def _secrets(value: object) -> Sequence[str]:
    if isinstance(value, SecretStr):
        return [value.get_secret_value()] if value.get_secret_value() else []
    if isinstance(value, Mapping):
        return [each for inner in value.values() for each in _secrets(inner)]
    if isinstance(value, list | tuple):
        return [each for inner in value for each in _secrets(inner)]
    return []
