"""What a look at an application came to: the object that `llmops monitor --json` prints."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from llmops.tasks.monitoring.analysing import Analysed
from llmops.tasks.monitoring.bases import BaseLook
from llmops.tasks.monitoring.collecting import CollectedTraffic, MonitorSpec
from llmops.tasks.monitoring.figures import Monitored

Status = Literal["ok", "drifted", "too_little", "incomplete"]


class MonitorOutcome(Monitored):
    """`exchanges`: of the window; `report`: the file of the report, "" where it could not be
    written. `status`: drifted, where questions or answers are unlike those of before, or a topic is
    new; incomplete, where something could not be read; too_little, where nothing can be told of a
    change.
    """

    flow: Literal["monitor"] = "monitor"
    status: Status
    headline: str
    exchanges: int
    cost_usd: float = 0.0
    report: str = ""
    seconds: float = 0.0
    prefect_run_id: str | None = None
    mlflow_run_id: str | None = None
    links: dict[str, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)

    @property
    def name(self) -> str:
        return self.app

    @property
    def failed(self) -> str | None:
        return None

    @property
    def completed(self) -> str:
        return {"incomplete": "Incomplete", "drifted": "Drifted"}.get(self.status, "Completed")

    @property
    def monitored(self) -> Monitored:
        """What a report is made of."""
        return Monitored.model_validate({name: getattr(self, name) for name in MONITORED})

    def warned(self, *warnings: str) -> "MonitorOutcome":
        return self.model_copy(update={"warnings": [*self.warnings, *warnings]})

    def linked(self, links: dict[str, str]) -> "MonitorOutcome":
        return self.model_copy(update={"links": links})

    def public(self) -> Mapping[str, object]:
        """The JSON object."""
        return self.model_dump(mode="json")


MONITORED = tuple(Monitored.model_fields)


def monitor_outcome(
    spec: MonitorSpec,
    collected: CollectedTraffic,
    bases: BaseLook,
    analysed: Analysed,
    run_id: str | None,
    seconds: float,
) -> MonitorOutcome:
    """Of what the steps of the flow found."""
    monitored = Monitored(
        app=spec.app,
        since=collected.since,
        until=collected.until,
        days=spec.days,
        reference_windows=collected.reference_windows,
        kpis=(*collected.kpis, *bases.kpis),
        drifts=analysed.drifts,
        new_topics=analysed.new_topics,
        recommendations=analysed.recommendations,
    )
    status = _status(monitored, collected, whole=collected.whole and analysed.whole)
    return MonitorOutcome(
        **{name: getattr(monitored, name) for name in MONITORED},
        status=status,
        headline=_headline(monitored, collected.exchanges, status),
        exchanges=collected.exchanges,
        cost_usd=analysed.cost_usd,
        seconds=seconds,
        prefect_run_id=run_id,
        warnings=[*collected.remarks, *bases.remarks, *analysed.remarks],
    )


def _status(monitored: Monitored, collected: CollectedTraffic, *, whole: bool) -> Status:
    if monitored.new_topics or any(each.status == "drifted" for each in monitored.drifts):
        return "drifted"
    if not whole:
        return "incomplete"
    known = any(each.status != "unknown" for each in monitored.drifts)
    return "ok" if known and collected.exchanges else "too_little"


def _headline(monitored: Monitored, exchanges: int, status: Status) -> str:
    """What an alert says, in a line."""
    days = f"{monitored.days:g} day{'' if monitored.days == 1 else 's'}"
    asked = _counted(exchanges, "request") if exchanges else "no request"
    parts = [f"{monitored.app}: {asked} in {days}"]
    drifted = [each.what for each in monitored.drifts if each.status == "drifted"]
    parts += [f"{' and '.join(drifted)} unlike those of before"] if drifted else []
    parts += [_counted(len(monitored.new_topics), "new topic")] if monitored.new_topics else []
    parts += ["not everything could be read"] if status == "incomplete" else []
    parts += ["too few to tell a change"] if status == "too_little" and exchanges else []
    parts += ["nothing has drifted"] if status == "ok" else []
    return "; ".join([*parts, *_to_do(monitored)])


def _to_do(monitored: Monitored) -> Sequence[str]:
    found = monitored.recommendations
    counts = {
        "question without an answer in the documents": len(found.unanswered),
        "passage marked bad": len(found.bad_passages),
    }
    return [_counted(count, what) for what, count in counts.items() if count]


def _counted(count: int, what: str) -> str:
    noun, _, rest = what.partition(" ")
    if what.startswith("new "):
        noun, rest = what, ""
    plural = noun if count == 1 else f"{noun}s"
    return f"{count:,} {' '.join(filter(None, (plural, rest)))}"
