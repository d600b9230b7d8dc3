"""The alerter: looks, enters what changed, tells, and says that it is alive. Whatever goes wrong,
it goes on.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from llmops.deployments.alerting.events import SENDER, PrefectEventSender, wanted
from llmops.deployments.alerting.heartbeat import Heartbeat
from llmops.deployments.alerting.house import HouseWatch, Watched
from llmops.deployments.alerting.unwritten import UnwrittenAlert
from llmops.tasks.alerts.beats import beat
from llmops.tasks.alerts.condition import Observation, joined
from llmops.tasks.alerts.outbox import Delivered, deliver
from llmops.tasks.alerts.policy import AlertPolicy, Recipient
from llmops.tasks.alerts.state import Taken, take
from llmops.tasks.errors import LlmopsError
from llmops.tasks.plugins.senders import Sender

EVERY_SECONDS = 60.0
logger = logging.getLogger(__name__)


def no_rules(_at: datetime) -> Observation:
    return Observation()


@dataclass(frozen=True)
class Telling:
    """What a config says: who is told, by which policy, what is looked at beside the house.
    Without a config nobody is told: alerts stand in `llmops status`.
    """

    policy: AlertPolicy
    senders: Mapping[str, Sender] = field(default_factory=dict)
    rules: Callable[[datetime], Observation] = no_rules
    watch: Watched = field(default_factory=dict)
    heartbeat: str = ""
    every_seconds: float = EVERY_SECONDS

    def with_prefect(self, home: Path) -> "Telling":
        """The same, and every alert is an event at the Prefect server, where there is any."""
        if not wanted(home):
            return self
        every = (*self.policy.recipients, Recipient(sender=SENDER, always=True))
        return Telling(
            policy=self.policy.model_copy(update={"recipients": every}),
            senders={**self.senders, SENDER: PrefectEventSender(home=home)},
            rules=self.rules,
            watch=self.watch,
            heartbeat=self.heartbeat,
            every_seconds=self.every_seconds,
        )


@dataclass(frozen=True)
class Looked:
    """What one look came to. `problem`: why the ledger could not be written; "" where it was."""

    observation: Observation
    taken: Taken = field(default_factory=Taken)
    delivered: Delivered = field(default_factory=Delivered)
    problem: str = ""


class Alerter:
    """`telling`: asked before each look: what it says may have changed."""

    def __init__(
        self, home: Path, folder: Path | None, telling: Callable[[], Telling], house: HouseWatch
    ) -> None:
        self.home, self.folder, self.house = home, folder, house
        self._telling = telling
        self._unwritten = UnwrittenAlert(home)
        self._heartbeat = Heartbeat("")
        self._address = ""
        self._problems: tuple[str, ...] = ()

    @property
    def every_seconds(self) -> float:
        return self.house.every_seconds

    def look(self, at: datetime) -> Looked:
        """Once. Never raises LlmopsError: a ledger that cannot be written is told by all senders
        directly.
        """
        telling = self._telling().with_prefect(self.home)
        self.house.watch, self.house.every_seconds = telling.watch, telling.every_seconds
        if telling.heartbeat != self._address:
            self._heartbeat, self._address = Heartbeat(telling.heartbeat), telling.heartbeat
        observation = joined([self.house(at), telling.rules(at)])
        looked = self._enter(observation, telling, at)
        self._heartbeat(well=not looked.problem and "" not in observation.unknown)
        self._tell_problems(looked)
        return looked

    def _enter(self, observation: Observation, telling: Telling, at: datetime) -> Looked:
        try:
            taken = take(self.home, observation, telling.policy, at)
            beat(self.home, self.house.beat(at))
            self._unwritten.over(telling.senders, telling.policy, at)
        except LlmopsError as error:
            self._unwritten.told(error, telling.senders, telling.policy, at)
            return Looked(observation, problem=str(error))
        return Looked(observation, taken, deliver(self.home, telling.senders, at))

    def _tell_problems(self, looked: Looked) -> None:
        """Into the log, each once."""
        said = (*looked.observation.problems, *looked.delivered.problems)
        said += (looked.problem,) if looked.problem else ()
        for each in said:
            if each not in self._problems:
                logger.warning("%s", each)
        self._problems = said

    def end(self, at: datetime) -> None:
        """In order: nobody misses it. What waits to be sent is taken up by the next one."""
        try:
            beat(self.home, self.house.beat(at, ended=True))
        except LlmopsError as error:
            logger.warning("the end could not be written down: %s", error)
        self._heartbeat.wait()
