"""The alerter of a home and its project: what is watched, told as the project's config says, with a
sign of life after each look. Whatever goes wrong, it goes on.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from llmops.deployments.alerting.events import SENDER, PrefectEventSender, wanted
from llmops.deployments.alerting.heartbeat import Heartbeat
from llmops.deployments.alerting.house import HouseWatch, Watched
from llmops.tasks.alerts.beats import beat
from llmops.tasks.alerts.looking import Alerter, AlertPlan, LookResult
from llmops.tasks.alerts.policy import Recipient
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import now

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AlertSetup:
    """What a config says: who is told of what, how bad it is, and where the heartbeat goes. Without
    a config nobody is told: alerts stand in `llmops status` and `llmops alerts list`.
    """

    plan: AlertPlan = field(default_factory=AlertPlan)
    watch: Watched = field(default_factory=dict)
    heartbeat: str = field(default="", repr=False)


def with_events(plan: AlertPlan, home: Path) -> AlertPlan:
    """The same, and each alert is an event at the home's Prefect server, where there is any."""
    if not wanted(home):
        return plan
    recipients = (*plan.policy.recipients, Recipient(sender=SENDER, always=True))
    policy = plan.policy.model_copy(update={"recipients": recipients})
    return replace(
        plan, policy=policy, senders={**plan.senders, SENDER: PrefectEventSender(home=home)}
    )


class HouseAlerter:
    """`setup`: asked before each look, since configs change."""

    def __init__(self, house: HouseWatch, setup: Callable[[], AlertSetup]) -> None:
        self.house, self.home = house, house.home
        self._setup = setup
        self._alerter = Alerter(self.home, AlertPlan(), (house,))
        self._heartbeat, self._address = Heartbeat(""), ""
        self._problems: tuple[str, ...] = ()

    @property
    def every_seconds(self) -> float:
        return self.house.every_seconds

    def look(self, at: datetime | None = None, *, once: bool = False) -> LookResult:
        """One look. Never raises. `once`: nobody will miss the next one."""
        moment = at or now()
        setup = self._setup()
        plan = self._alerter.plan = with_events(setup.plan, self.home)
        self.house.watch = setup.watch
        self.house.every_seconds = plan.policy.every.total_seconds()
        if setup.heartbeat != self._address:
            self._heartbeat, self._address = Heartbeat(setup.heartbeat), setup.heartbeat
        looked = self._alerter.look(moment)
        alive = "" if once else self._beat(moment, ended=False)
        self._heartbeat(well=not alive and "" not in looked.observation.unknown)
        self._say((*looked.problems, *([alive] if alive else [])), looked.observation.young)
        return looked

    def _beat(self, at: datetime, *, ended: bool) -> str:
        """The sign of life; why it could not be given."""
        try:
            beat(self.home, self.house.beat(at, ended=ended))
        except LlmopsError as error:
            return f"the sign of life cannot be written: {error.message}"
        return ""

    def _say(self, problems: tuple[str, ...], young: tuple[str, ...]) -> None:
        """Into the log, each once as long as it lasts."""
        for each in problems:
            if each not in self._problems:
                logger.log(logging.INFO if each in young else logging.WARNING, "%s", each)
        self._problems = problems

    def end(self, at: datetime | None = None) -> None:
        """In order: nobody misses it. What waits to be sent is for the next one."""
        if told := self._beat(at or now(), ended=True):
            logger.warning("%s", told)
        self._heartbeat.wait()
