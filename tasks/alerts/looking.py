"""A look at a home: what is wrong is found, written down and told. Nothing of it raises: whoever
looks again and again has to go on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from llmops.tasks.alerts.condition import Observation, joined
from llmops.tasks.alerts.direct import send_all
from llmops.tasks.alerts.outbox import Delivered, deliver
from llmops.tasks.alerts.policy import AlertPolicy
from llmops.tasks.alerts.rules import rule_observation
from llmops.tasks.alerts.ruling import AlertRule
from llmops.tasks.alerts.state import Taken, take
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import now
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.senders import Notice, NoticeKind, Sender

Watcher = Callable[[datetime], Observation]
"""Looks at something at a time. Never raises."""
LOST = "whatever else is wrong meanwhile is not told"
UNUSABLE, PATIENCE = "ledger-down", 3
"""So many looks in a row that could not be written down are told past the outbox."""


@dataclass(frozen=True)
class AlertPlan:
    """What a config comes to: when something counts, rules, and senders by their names."""

    policy: AlertPolicy = field(default_factory=AlertPolicy)
    rules: Sequence[AlertRule] = ()
    senders: Mapping[str, Sender] = field(default_factory=dict)


@dataclass(frozen=True)
class LookResult:
    """What came of a look. `problems`: what could not be looked at, written down or sent;
    `unwritten`: why nothing could be written down, "" where it was.
    """

    observation: Observation
    taken: Taken = field(default_factory=Taken)
    delivered: Delivered = field(default_factory=Delivered)
    problems: tuple[str, ...] = ()
    unwritten: str = ""


def look_once(
    home: Path, plan: AlertPlan, watchers: Sequence[Watcher] = (), at: datetime | None = None
) -> LookResult:
    """Look at everything, write down what changed, send what is due. Never raises."""
    moment = at or now()
    observations = [_asked(watcher, moment) for watcher in watchers]
    seen = joined([*observations, rule_observation(home, plan.rules, moment)])
    try:
        taken, failed = take(home, seen, plan.policy, moment), ""
    except LlmopsError as error:
        taken, failed = Taken(), f"what was found cannot be written down: {error.message}"
    except Exception as error:  # noqa: BLE001 - the next look may go well, a dead alerter never does
        taken, failed = Taken(), f"unexpected: {type(error).__name__}: {error}"
    delivered = deliver(home, plan.senders, moment)
    problems = (*seen.problems, *([failed] if failed else []), *delivered.problems)
    return LookResult(seen, taken, delivered, problems, failed)


def _asked(watcher: Watcher, at: datetime) -> Observation:
    try:
        return watcher(at)
    except Exception as error:  # noqa: BLE001 - one that fails hides nothing of the others
        told = f"unexpected, while looking: {type(error).__name__}: {error}"
        return Observation(unknown=("",), problems=(told,))


@dataclass
class Alerter:
    """Looks again and again. What cannot be written down for PATIENCE looks, because the ledger
    cannot be used, is told by its senders at once: by this process, which remembers no longer than
    it lives.
    """

    home: Path
    plan: AlertPlan
    watchers: Sequence[Watcher] = ()
    _failures: int = 0
    _since: datetime | None = None
    _told: bool = False

    def look(self, at: datetime | None = None) -> LookResult:
        """One look. Never raises."""
        moment = at or now()
        looked = look_once(self.home, self.plan, self.watchers, moment)
        if looked.unwritten:
            self._failures += 1
            self._since = self._since or moment
            if self._failures >= PATIENCE and not self._told:
                self._told = True
                self._past("fired", looked.unwritten, self._since, moment)
        elif self._since is not None:
            if self._told:
                self._past("resolved", "the ledger can be used again", self._since, moment)
            self._failures, self._since, self._told = 0, None, False
        return looked

    def _past(self, kind: NoticeKind, message: str, since: datetime, at: datetime) -> None:
        subject = self.plan.policy.project or self.home.name
        first = digest(UNUSABLE, str(self.home), since.isoformat())
        notice = Notice(
            id=first if kind == "fired" else digest(first, kind),
            kind=kind,
            key=f"{UNUSABLE}/{subject}",
            rule=UNUSABLE,
            subject=subject,
            severity="critical",
            message=message,
            began_at=since,
            at=at,
            project=self.plan.policy.project,
            thread=first,
            note=LOST if kind == "fired" else "",
        )
        send_all(self.plan.senders, notice)
