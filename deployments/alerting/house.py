"""All that is watched of a home and its project, as one observation: what follows from something
else is left out, and what somebody could not look at is unknown.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from llmops.deployments.alerting.deployed import moment
from llmops.deployments.alerting.flows import Memory, flow_facts, flow_observation
from llmops.deployments.alerting.parts import PartsWatch, server_conditions, servers
from llmops.deployments.alerting.stores import StoresWatch
from llmops.deployments.alerting.surveying import ProjectSurvey, ProjectWatch
from llmops.deployments.prefect_api import SECONDS, PrefectApi, api_of
from llmops.deployments.spending import month_spend, over_budget
from llmops.deployments.up import record
from llmops.deployments.up.record import UpRecord
from llmops.flows.server.used import UsedServer
from llmops.tasks.alerts.answers import answers_observation
from llmops.tasks.alerts.beats import Beat, boot, last_beat, uptime
from llmops.tasks.alerts.causes import FLOWS, Cause, explained, told_causes
from llmops.tasks.alerts.clock import clock_observation
from llmops.tasks.alerts.condition import Condition, Observation, Severity, joined
from llmops.tasks.alerts.disk import disk_observation
from llmops.tasks.alerts.history import RunHistory
from llmops.tasks.alerts.waiting import waiting_observation
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import Ledger, existing_ledger

RULES = (
    *("flow-failed", "flow-blocked", "flow-late", "flow-missing", "config-wrong"),
    *("source-incomplete", "part-down", "tracking-down", "store-down", "endpoint-down"),
    *("disk-low", "clock", "spend"),
)
FLOW_RULES = (
    *("flow-failed/", "flow-blocked/", "flow-late/", "flow-missing/"),
    *("config-wrong/", "source-incomplete/"),
)
Watched = Mapping[str, Severity | Literal["off"]]
SCHEDULES = "schedules"


@dataclass
class HouseWatch:
    """Looks at a home again and again. `folder`: of the project, None for that of the `up` that
    runs; `watch`: rules that are told with another severity, or not at all; `every_seconds`:
    between two looks; `uptime`: of the machine, see `beats.uptime`; `memory`: of schedules, as the
    Prefect server said last.
    """

    home: Path
    folder: Path | None = None
    watch: Watched = field(default_factory=dict)
    every_seconds: float = 60.0
    uptime: Callable[[], float | None] = uptime
    memory: Memory = field(default_factory=dict)
    stores: StoresWatch = field(default_factory=StoresWatch)
    _parts: PartsWatch = field(default_factory=PartsWatch)
    _history: RunHistory = field(default_factory=RunHistory)
    _project: ProjectWatch | None = None
    _failed: frozenset[tuple[str, float | None]] = frozenset()
    _looked: bool = False

    def __call__(self, at: datetime) -> Observation:
        """One look. Never raises."""
        return guarded("", look=lambda: self._look(at))

    def beat(self, at: datetime, *, ended: bool = False) -> Beat:
        """The sign of life after a look, with what the next one wants to know."""
        return Beat(
            at=at,
            every_seconds=self.every_seconds,
            uptime=self.uptime(),
            boot=boot(),
            ended=ended,
            memory={SCHEDULES: self.memory},
        )

    def _look(self, at: datetime) -> Observation:
        ledger = existing_ledger(self.home)
        before = last_beat(ledger)
        if before is not None and not self._looked:
            known = before.memory.get(SCHEDULES)
            self.memory.update(known if isinstance(known, Mapping) else {})
        self._looked = True
        up, told = record.running(self.home), told_causes(self.home, at)
        asked = servers(self.home, SECONDS)
        api = self._api(asked)
        flows = guarded(*FLOW_RULES, look=lambda: self._flows(ledger, api, up, told, at))
        bad = frozenset((each.key, each.value) for each in flows.conditions if each.rule in FLOWS)
        new, self._failed = bad - self._failed, bad
        seen = [
            guarded("part-down/", look=lambda: self._servers(asked, up, at)),
            guarded("disk-low/", look=lambda: disk_observation(self.home, at)),
            guarded("store-down/", look=lambda: self._stores(at, reason=bool(new))),
            guarded("clock/", look=lambda: self._clock(before, api, at)),
            flows,
            guarded("tracking-down/", look=lambda: waiting_observation(self.home, at)),
            guarded("endpoint-down/", look=lambda: answers_observation(self.home, at)),
            guarded("spend/", look=lambda: self._spend(ledger, at)),
        ]
        return explained(self._as_wanted(joined(seen)), told, at)

    def _servers(
        self, asked: Sequence[UsedServer], up: UpRecord | None, at: datetime
    ) -> Observation:
        mine = self._parts.conditions(self.home, up, at)
        return Observation(conditions=(*mine, *server_conditions(asked)))

    def _stores(self, at: datetime, *, reason: bool) -> Observation:
        return self.stores.observation(self.home, at, reason=reason)

    def _api(self, asked: Sequence[UsedServer]) -> PrefectApi | None:
        """The Prefect server, where it answers."""
        prefect = next(each for each in asked if each.name == "prefect")
        return api_of(self.home) if prefect.healthy else None

    def _flows(
        self,
        ledger: Ledger,
        api: PrefectApi | None,
        up: UpRecord | None,
        told: Sequence[Cause],
        at: datetime,
    ) -> Observation:
        survey = self.survey(up)
        facts = flow_facts(ledger, self._history, _within(api), survey.tags)
        since_up = None
        if up is not None and self._project and up.folder == str(self._project.folder):
            since_up = moment(up.started_at)
        return flow_observation(ledger, facts, survey, told, self.memory, since_up, at)

    @property
    def project_folder(self) -> Path | None:
        """Of the project that was looked at; None where there is none."""
        return self._project.folder if self._project else None

    def survey(self, up: UpRecord | None = None) -> ProjectSurvey:
        """Of the project; empty where there is none. Raises LlmopsError where its configs cannot be
        looked at.
        """
        up = up or record.running(self.home)
        folder = self.folder or (Path(up.folder) if up and up.folder else None)
        if folder is None:
            return ProjectSurvey()
        if self._project is None or self._project.folder != folder:
            self._project = ProjectWatch(folder, self.home)
        return self._project.survey()

    def _clock(self, before: Beat | None, api: PrefectApi | None, at: datetime) -> Observation:
        within = _within(api)
        there = within.clock() if within is not None else None
        return clock_observation(before, self.beat(at), there)

    def _spend(self, ledger: Ledger, at: datetime) -> Observation:
        spent = month_spend(ledger, at)
        message = over_budget(spent)
        if not message:
            return Observation()
        return Observation(
            conditions=(
                Condition(
                    rule="spend",
                    subject=spent["month"],
                    severity="warning",
                    message=message,
                    hint="`llmops cost` says by flow, model and day what was paid",
                    value=spent["usd"],
                ),
            )
        )

    def _as_wanted(self, observation: Observation) -> Observation:
        """With the severities of the config, without what it does not want to know."""
        kept = []
        for each in observation.conditions:
            wanted = self.watch.get(each.rule)
            if wanted == "off":
                continue
            kept.append(each.model_copy(update={"severity": wanted}) if wanted else each)
        return observation.model_copy(update={"conditions": tuple(kept)})


def _within(api: PrefectApi | None) -> PrefectApi | None:
    """For the next few seconds: a server that is slow holds up no look for long."""
    return api._replace(deadline=time.monotonic() + SECONDS) if api else None


def guarded(*unknown: str, look: Callable[[], Observation]) -> Observation:
    """A look; where it fails, nobody knows of what begins with `unknown`, and why is said."""
    try:
        return look()
    except LlmopsError as error:
        return Observation(unknown=unknown, problems=(str(error),))
    except Exception as error:  # noqa: BLE001 - whoever watches must not die of what it looks at
        said = f"unexpected, while looking: {type(error).__name__}: {error}"
        return Observation(unknown=unknown, problems=(said,))
