"""What is to be done with runs that were cut, are late, or never came about: decided here, of facts
alone, and done in catchup.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from llmops.deployments.times import Cron, last_time

SLACK = timedelta(hours=1)
"""A time that the spring change skips, Prefect and we may put an hour apart."""
SKEW = timedelta(seconds=30)
Fate = Literal["running", "cut", "cancelling", "waiting", "due", "ended"]


@dataclass(frozen=True)
class KnownRun:
    """What is known of a flow run; `began` is None for one that never ran, `scheduled`: by its
    schedule, not by somebody.
    """

    id: str
    name: str
    fate: Fate
    expected: datetime
    began: datetime | None = None
    scheduled: bool = True
    rerun: bool = False


@dataclass(frozen=True)
class KnownDeployment:
    """What is known of a deployment: its schedule (None: none, or switched off), since when it has
    that, and its runs.
    """

    id: str
    name: str
    when: Cron | None
    since: datetime
    runs: Sequence[KnownRun] = ()


@dataclass(frozen=True)
class CatchUpStep:
    """One thing to do. `crash`, `cancel`, `miss`: a state of the run `run`; `rerun`: a run more, in
    the place of `run`; `start`: a run more, for the time `slot`.
    """

    what: Literal["crash", "cancel", "miss", "rerun", "start"]
    deployment: KnownDeployment
    why: str
    run: KnownRun | None = None
    slot: datetime | None = None

    @property
    def key(self) -> str:
        """The same for the same step, so that the server makes no second run of it."""
        if self.run:
            return f"llmops-{self.what}-{self.run.id}"
        return f"llmops-{self.what}-{self.deployment.id}-{self.slot:%Y%m%dT%H%M}"

    def __str__(self) -> str:
        about = f" {self.run.name}" if self.run else ""
        return f"{self.deployment.name}{about}: {self.why}"


def steps_for(deployment: KnownDeployment, now: datetime) -> Iterator[CatchUpStep]:
    """What is to be done for one deployment, so that at most one run catches up with everything."""
    cut = [run for run in deployment.runs if run.fate == "cut"]
    due = sorted(
        (run for run in deployment.runs if run.fate == "due" and run.scheduled),
        key=lambda run: run.expected,
    )
    for run in deployment.runs:
        if run.fate == "cancelling":
            yield CatchUpStep(
                "cancel", deployment, "was being cancelled when its worker ended", run
            )
    busy = any(run.fate == "running" for run in deployment.runs)
    first_tries = [run for run in cut if not run.rerun]
    again = first_tries[-1] if first_tries and not (due or busy) else None
    for run in cut:
        why = f"was cut: its worker ended before it did; {_then(again, due, busy)}"
        yield CatchUpStep("crash", deployment, why, run)
    if busy:
        kept, why = None, "a run is going on"
    elif due:
        kept, why = due[-1], f"one run catches up: {due[-1].name}"
    elif again:
        yield CatchUpStep("rerun", deployment, "is run again, once", again)
        return
    else:
        kept, why = None, ""
    for run in due:
        if run is not kept:
            yield CatchUpStep(
                "miss", deployment, f"was missed at {run.expected:%Y-%m-%d %H:%M} UTC; {why}", run
            )
    if not due and not busy and (slot := missed(deployment, now)):
        yield CatchUpStep(
            "start", deployment, f"was missed at {slot:%Y-%m-%d %H:%M} UTC; runs now", slot=slot
        )


def _then(again: KnownRun | None, due: Sequence[KnownRun], busy: bool) -> str:
    if busy:
        return "another run is going on"
    if due:
        return f"{due[-1].name} takes its place"
    if again:
        return "it is run again"
    return "it was a second try already, and waits for its next time"


def missed(deployment: KnownDeployment, now: datetime) -> datetime | None:
    """The last time of the schedule, where nothing has begun for it; None where something has."""
    if deployment.when is None:
        return None
    slot = last_time(deployment.when, now)
    begun = [run.began for run in deployment.runs if run.began]
    waiting = [run.expected for run in deployment.runs if run.fate not in ("waiting", "ended")]
    covered = max([deployment.since, *begun, *waiting])
    return slot if slot and slot > covered + SLACK else None


def skewed(there: datetime, here: datetime, url: str) -> Iterator[str]:
    """What to say of two clocks that differ."""
    if abs(there - here) > SKEW:
        way = "ahead of" if there > here else "behind"
        seconds = abs((there - here).total_seconds())
        yield (
            f"the clock of the Prefect server {url} is {seconds:,.0f} s {way} this machine's: "
            "schedules go by the server's; set both clocks by NTP"
        )
