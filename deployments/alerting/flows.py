"""Flows that failed, were blocked, are late or missing: by the ledger, by the Prefect server where
it answers, and by the clock.

A config is looked at when it runs by itself: it has a schedule, or a night with one lists it. For
what a person starts, a person watches.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from llmops.deployments.alerting.deployed import DeployedConfig, deployed_configs, moment
from llmops.deployments.alerting.schedules import ScheduleFacts, late, missing
from llmops.deployments.alerting.surveying import ProjectSurvey, WatchedConfig
from llmops.deployments.prefect_api import PrefectApi
from llmops.tasks.alerts.causes import FLOWS, Cause, excused
from llmops.tasks.alerts.condition import Condition, Observation
from llmops.tasks.alerts.cut import begun, without
from llmops.tasks.alerts.history import EndedRun, Name, RunHistory
from llmops.tasks.alerts.listings import incomplete
from llmops.tasks.errors import Unavailable
from llmops.tasks.ledger import Ledger

LENGTH = 500
CUT = "was cut: its process ended before it did"
AGAIN = "it is run again when `llmops up` starts; `llmops status` shows it"
Memory = dict[str, object]


@dataclass(frozen=True)
class FlowFacts:
    """What one look found of all flows. `asked`: the Prefect server said what it holds."""

    history: Mapping[Name, Sequence[EndedRun]]
    began: Mapping[Name, datetime]
    deployed: Mapping[str, DeployedConfig] = field(default_factory=dict)
    going_on: Collection[Name] = ()
    asked: bool = False
    problem: str = ""

    def running(self, key: str) -> bool:
        """Whether somebody works on it, as Prefect says or the ledger."""
        there = self.deployed.get(key)
        flow, _, name = key.partition("/")
        return (flow, name) in self.going_on or (there is not None and there.running)


def flow_facts(
    ledger: Ledger, history: RunHistory, api: PrefectApi | None, tags: Sequence[str]
) -> FlowFacts:
    """Look. Where Prefect does not answer, the ledger knows enough. Raises LlmopsError where the
    ledger cannot be read.
    """
    deployed, asked, problem = dict[str, DeployedConfig](), False, ""
    if api is not None and tags:
        try:
            deployed, asked = deployed_configs(api, tags), True
        except Unavailable as error:
            problem = error.message
    runs = {of: list(ended) for of, ended in history.by_config(ledger).items()}
    known = {run.id for ended in runs.values() for run in ended}
    cancelled = {run for each in deployed.values() for run in each.cancelled}
    for config in deployed.values():
        new = [run for run in config.runs if run.id not in known]
        known |= {run.id for run in new}
        runs.setdefault(config.of, []).extend(new)
    ledgers = begun(ledger)
    for cut in without(ledgers.cut, known | cancelled):
        said = EndedRun(cut.run_id, cut.of, cut.began, cut.began, "failed", CUT, AGAIN)
        runs.setdefault(cut.of, []).append(said)
    newest = {of: sorted(ended, key=_ended, reverse=True) for of, ended in runs.items()}
    last = _began(ledgers.last, newest, deployed.values())
    return FlowFacts(newest, last, deployed, ledgers.running, asked, problem)


def _ended(run: EndedRun) -> datetime:
    return run.ended


def _began(
    last: Mapping[Name, datetime],
    history: Mapping[Name, Sequence[EndedRun]],
    deployed: Iterable[DeployedConfig],
) -> dict[Name, datetime]:
    """When the last run of each config began, whoever knows of it."""
    found = dict(last)
    told = [(run.of, run.began) for ended in history.values() for run in ended]
    told += [(each.of, each.began) for each in deployed if each.began is not None]
    for of, at in told:
        found[of] = max(at, found.get(of, at))
    return found


def failures(facts: FlowFacts, survey: ProjectSurvey, told: Sequence[Cause]) -> Iterable[Condition]:
    """Of each config, the runs that failed since the last good one, as one: its first error. What
    belongs to something that was told already is left out.
    """
    for of, ended in facts.history.items():
        if "/".join(of) not in survey.watched:
            continue
        bad: list[EndedRun] = []
        for run in ended:
            if run.result == "good":
                break
            rule = "flow-blocked" if run.result == "blocked" else "flow-failed"
            if not excused(told, rule, run.message, run.ended):
                bad.append(run)
        if bad:
            yield _failure("/".join(of), bad)


def _failure(key: str, bad: Sequence[EndedRun]) -> Condition:
    """`bad`: the newest first."""
    first, last = bad[-1], bad[0]
    said = first.message
    if len(bad) > 1:
        other = f": {last.message}" if last.message != first.message else ""
        said += f"; {len(bad) - 1} more since, the last at {last.ended:%Y-%m-%d %H:%M} UTC{other}"
    return Condition(
        rule="flow-blocked" if first.result == "blocked" else "flow-failed",
        subject=key,
        severity="warning" if first.result == "blocked" else "critical",
        message=said[:LENGTH],
        hint=first.hint,
        value=float(len(bad)),
        since=first.ended,
        links={name: url for name, url in last.links.items() if url.startswith("http")},
    )


def schedules(
    facts: FlowFacts, survey: ProjectSurvey, memory: Memory, since_up: datetime | None, at: datetime
) -> Iterable[Condition]:
    """What is late or missing. `memory`: what the Prefect server said last of each schedule, for
    when it does not answer; `since_up`: since when an `up` of the project runs, which registers
    them all.
    """
    for key, config in survey.scheduled.items():
        if facts.asked:
            there = facts.deployed.get(key)
            memory[key] = there.since.isoformat() if there and there.since else None
        remembered = memory.get(key)
        since = moment(remembered) if isinstance(remembered, str) else None
        if key not in memory:
            since = since_up
        standing = _standing(facts, config, since)
        if standing is None:
            continue
        if found := late(standing, at) or missing(standing, at):
            yield found
    for key in set(memory) - set(survey.scheduled):
        del memory[key]


def _standing(
    facts: FlowFacts, config: WatchedConfig, since: datetime | None
) -> ScheduleFacts | None:
    if config.when is None:
        return None
    of = (config.flow, config.name)
    good = [run.began for run in facts.history.get(of, ()) if run.result == "good"]
    return ScheduleFacts(
        config.key,
        config.when,
        since,
        facts.began.get(of),
        max(good, default=None),
        facts.running(config.key),
    )


def flow_observation(
    ledger: Ledger,
    facts: FlowFacts,
    survey: ProjectSurvey,
    told: Sequence[Cause],
    memory: Memory,
    since_up: datetime | None,
    at: datetime,
) -> Observation:
    """All of it. Raises LlmopsError where the ledger cannot be read."""
    watched = {key.partition("/")[2] for key in survey.watched if key.startswith("index/")}
    wrong = (
        Condition(
            rule="config-wrong",
            subject=each.file,
            severity="warning",
            message=each.message[:LENGTH],
            hint=each.hint,
        )
        for each in survey.wrong
    )
    listed = incomplete(ledger, facts.history)
    failed = list(failures(facts, survey, told))
    open_yet = [key for key in survey.watched if facts.running(key)]
    return Observation(
        conditions=(
            *failed,
            *schedules(facts, survey, memory, since_up, at),
            *(each for each in listed if each.subject in watched),
            *wrong,
        ),
        # what a run that goes on will come to: one that was cut is over when it was run again
        unknown=tuple(f"{rule}/{key}" for key in open_yet for rule in FLOWS),
        problems=(facts.problem,) if facts.problem else (),
    )
