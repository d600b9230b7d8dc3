"""Parts of `up` that are down or had to be started again and again, and servers of the user that do
not answer.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from llmops.deployments.up.ailing import MANY_RESTARTS, down, restarted
from llmops.deployments.up.record import PartRecord, UpRecord
from llmops.flows import server
from llmops.flows.server.used import UsedServer, used
from llmops.tasks.alerts.condition import Condition

RULE = "part-down"
LATELY = timedelta(hours=1)
START = timedelta(minutes=2)
"""What a part may take to come up, after `up` started or the part ended."""
ME = "alerts"


class PartsWatch:
    """Remembers, for an hour, how often each part was started, and since when one is down."""

    def __init__(self) -> None:
        self._restarts: dict[str, deque[tuple[datetime, int]]] = {}
        self._down: dict[str, datetime] = {}

    def conditions(self, home: Path, up: UpRecord | None, at: datetime) -> Iterable[Condition]:
        """Of the `up` that runs."""
        for part in up.parts if up else ():
            if part.name == ME or part.yours:  # a user's server is asked by `servers`
                continue
            again = self._again(part, at)
            if part.healthy:
                self._down.pop(part.name, None)
            since = self._down.setdefault(part.name, at) if not part.healthy else at
            if at - since >= START:
                yield _condition(part.name, down(part, home), since)
            elif again >= MANY_RESTARTS:
                yield _condition(part.name, f"{restarted(again, home)}, within an hour", None)

    def _again(self, part: PartRecord, at: datetime) -> int:
        """How often it was started again within the last hour."""
        seen = self._restarts.setdefault(part.name, deque())
        if seen and part.restarts < seen[-1][1]:
            seen.clear()  # another `up`
        seen.append((at, part.restarts))
        while at - seen[0][0] > LATELY and len(seen) > 1:
            seen.popleft()
        return part.restarts - seen[0][1]


def servers(home: Path, seconds: float) -> list[UsedServer]:
    """Prefect's and MLflow's, asked anew."""
    server.reached.cache_clear()  # it answered once
    return used(home, seconds)


def server_conditions(asked: Iterable[UsedServer]) -> Iterable[Condition]:
    """Of the user's servers: the home's own are parts, or nobody needs them now."""
    for each in asked:
        if each.problem and not each.own:
            yield _condition(each.name, f"{each.problem} ({each.why})", None, each.hint)


def _condition(name: str, message: str, since: datetime | None, hint: str = "") -> Condition:
    return Condition(
        rule=RULE,
        subject=name,
        severity="critical",
        message=f"{name} {message}" if since else message,
        hint=hint or "`llmops status` shows it, the log says why",
        since=since,
    )
