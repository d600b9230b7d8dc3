"""The tasks of the monitor flow, and the steps of its end."""

from collections.abc import Callable
from pathlib import Path

from prefect import task

from llmops.tasks import artifacts, progress
from llmops.tasks.errors import LlmopsError
from llmops.tasks.finish import prefect_url, tell, telling
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.ledger import now
from llmops.tasks.ledger.leases import holder
from llmops.tasks.maintenance.verify import examine
from llmops.tasks.monitoring import analysing, collecting, lines
from llmops.tasks.monitoring.analysing import Analysed
from llmops.tasks.monitoring.bases import BaseLook, HeldRows, base_look
from llmops.tasks.monitoring.collecting import CollectedTraffic, MonitorSpec
from llmops.tasks.monitoring.monitor_outcome import MonitorOutcome
from llmops.tasks.monitoring.monitor_plots import plots
from llmops.tasks.monitoring.monitor_summary import monitor_markdown
from llmops.tasks.monitoring.report import report_html
from llmops.tasks.monitoring.reports import stem, write_report
from llmops.tasks.tracking import LiveRecord, attach_live, record_live, run_url
from llmops.tasks.tracking.live import LOOKED


@task(name="collect", task_run_name="collect")
def collect(home: Path, spec: MonitorSpec, run: str) -> CollectedTraffic:
    """The traffic of all windows: its numbers, and files of its texts."""
    with progress.stage("collect"):
        return telling(collecting.collect(home, spec, run), lines.collected)


@task(name="knowledge bases", task_run_name="knowledge bases")
def bases(home: Path, collected: CollectedTraffic) -> BaseLook:
    """How fresh, large and sound each of them is."""
    with progress.stage("knowledge bases"):
        looks = [looked(home, name, collected) for name in collected.knowledge_bases]
        return telling(together(looks), lines.bases)


@task(name="analyse", task_run_name="analyse")
def analyse(home: Path, spec: MonitorSpec, collected: CollectedTraffic) -> Analysed:
    """Drift, new topics, and what people have to do."""
    with progress.stage("analyse"):
        return telling(analysing.analyse(home, spec, collected), lines.analysed)


def drop(collected: CollectedTraffic) -> None:
    """The texts of the windows are gone."""
    collecting.dropped(collected)


def looked(home: Path, name: str, collected: CollectedTraffic) -> BaseLook:
    """One knowledge base; what its store holds is asked of the store."""
    return base_look(home, name, collected.since, collected.until, now(), held(home, name))


def held(home: Path, name: str) -> HeldRows:
    """What `llmops kb verify` would find: rows in the live snapshot that the ledger does not know,
    or more than once, and while nobody builds, rows that a broken-off build has left behind.
    """
    kb = Handle(home=home, name=name)
    live = kb.live()
    if live is None:
        return HeldRows(None)
    try:
        found = examine(kb, live)
    except LlmopsError as error:
        return HeldRows(None, problem=str(error))
    left = 0 if holder(kb.ledger, name) else found.unpublished
    if found.lost:
        return HeldRows(None, problem=found.lost)
    return HeldRows(len(found.orphans) + found.surplus + left, len(found.missing))


def together(looks: list[BaseLook]) -> BaseLook:
    """Several knowledge bases as one."""
    return BaseLook(
        kpis=tuple(kpi for look in looks for kpi in look.kpis),
        remarks=tuple(remark for look in looks for remark in look.remarks),
    )


def recorded(home: Path) -> Callable[[MonitorOutcome], MonitorOutcome]:
    """The step that adds a point to each figure's curve in MLflow."""

    def step(outcome: MonitorOutcome) -> MonitorOutcome:
        record = LiveRecord(
            app=outcome.app,
            about="monitor",
            numbers=numbers(outcome),
            headline=outcome.headline,
            prefect_url=prefect_url(),
            at=outcome.until,
        )
        run = record_live(home, record)
        links = outcome.links | {"mlflow": run_url(home, run)}
        return outcome.model_copy(update={"mlflow_run_id": run, "links": links})

    return step


def numbers(outcome: MonitorOutcome) -> dict[str, object]:
    """The figures by their names, as MLflow's records take them."""
    found = outcome.recommendations
    return {
        **{each.name: {"value": each.value, "interval": each.interval} for each in outcome.kpis},
        "drift": {
            each.what: {"distance": each.distance, "usual": each.usual, "p": each.p}
            for each in outcome.drifts
        },
        "found": {
            "new_topics": len(outcome.new_topics),
            "unanswered": len(found.unanswered),
            "bad_passages": len(found.bad_passages),
            "unused": sum(found.unused_count.values()),
        },
    }


def reported(home: Path) -> Callable[[MonitorOutcome], MonitorOutcome]:
    """The step that writes the report."""

    def step(outcome: MonitorOutcome) -> MonitorOutcome:
        page = report_html(outcome.monitored, outcome.headline, outcome.warnings, outcome.links)
        return outcome.model_copy(
            update={"report": str(write_report(home, outcome.monitored, page))}
        )

    return step


def attached(home: Path) -> Callable[[MonitorOutcome], MonitorOutcome]:
    """The step that puts report and pictures beside the curves in MLflow."""

    def step(outcome: MonitorOutcome) -> MonitorOutcome:
        if outcome.mlflow_run_id is None:
            return outcome
        monitored = outcome.monitored
        files = {LOOKED: monitored.model_dump_json(indent=1).encode(), **plots(monitored)}
        if outcome.report:
            files["report.html"] = Path(outcome.report).read_bytes()
        attach_live(home, outcome.mlflow_run_id, stem(monitored), files)
        return outcome

    return step


def shown(outcome: MonitorOutcome) -> MonitorOutcome:
    """The figures as an artifact, and the headline in the log."""
    tell(outcome.headline)
    link = outcome.links.get("mlflow", "")
    summary = monitor_markdown(outcome.monitored, outcome.headline, outcome.warnings)
    artifacts.monitor(outcome.app, summary, outcome.headline, link)
    return outcome
