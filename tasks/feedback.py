"""The tasks of the feedback flow, and the steps of its end."""

from collections.abc import Callable
from pathlib import Path

from prefect import task

from llmops.tasks import artifacts
from llmops.tasks.datasets import lines
from llmops.tasks.datasets import project as projecting
from llmops.tasks.datasets.outcome import FeedbackOutcome, ReviewCounts, TriageCounts
from llmops.tasks.datasets.project import Projected, ProjectSpec
from llmops.tasks.datasets.standing import standing
from llmops.tasks.datasets.summary import feedback_markdown
from llmops.tasks.errors import LlmopsError
from llmops.tasks.finish import prefect_url, tell, telling
from llmops.tasks.plugins import Spec
from llmops.tasks.traces.applications import unasked
from llmops.tasks.tracking import LiveRecord, record_live, run_url
from llmops.tasks.triage import choose as choosing
from llmops.tasks.triage import look as looking
from llmops.tasks.triage.elsewhere import Synchronised, synchronise
from llmops.tasks.triage.look import Looked
from llmops.tasks.triage.signals import TriageRules


@task(name="look", task_run_name="look")
def look(home: Path, app: str, days: float, embed: Spec, topics: int) -> Looked:
    """What is new is read once."""
    looked = looking.look(home, app, days, embed, topics)
    tell(lines.looked(looked.new, looked.waiting, looked.topics))
    return looked


@task(name="triage", task_run_name="triage")
def triage(
    home: Path, spec: ProjectSpec, days: float, rules: TriageRules, wanted: int, looked: Looked
) -> TriageCounts:
    """What people should look at is in the queue."""
    found = choosing.triage(home, spec.app, spec.queue, days, rules, wanted)
    counts = TriageCounts(
        looked=looked.new,
        waiting=looked.waiting,
        topics=looked.topics,
        added=found.added,
        left=found.left,
        reasons=found.by_reason(),
    )
    return telling(counts, lines.triaged)


@task(name="mlflow queue", task_run_name="mlflow queue")
def exchange(home: Path, spec: ProjectSpec) -> Synchronised | str:
    """The queue and MLflow's are of one mind; else why they are not."""
    try:
        done = synchronise(home, spec.app, spec.queue)
    except LlmopsError as error:
        return telling(str(error), str)
    return telling(done, lambda both: lines.exchanged(*both))


def remarks(home: Path, app: str, exchanged: Synchronised | str | None) -> list[str]:
    """What else somebody should know: a name that is no application's, a queue out of reach."""
    told = (unasked(home, app), exchanged if isinstance(exchanged, str) else "")
    return [each for each in told if each]


@task(name="agreement", task_run_name="agreement")
def agreement(home: Path, spec: ProjectSpec, exchanged: Synchronised | str | None) -> ReviewCounts:
    """How the queue stands, and how far its reviewers agree."""
    counts = standing(home, spec.app, spec.queue)
    if isinstance(exchanged, Synchronised):
        counts = counts.model_copy(update={"mlflow": exchanged._asdict()})
    return telling(counts, lines.standing)


@task(name="write", task_run_name="write")
def write(home: Path, spec: ProjectSpec) -> Projected:
    """Files and curated answers follow what people said."""
    return telling(projecting.project(home, spec), lines.written)


def recorded(home: Path) -> Callable[[FeedbackOutcome], FeedbackOutcome]:
    """The step that adds a point to each count's curve in MLflow."""

    def step(outcome: FeedbackOutcome) -> FeedbackOutcome:
        written, review = outcome.written, outcome.review
        record = LiveRecord(
            app=outcome.app,
            about="feedback",
            numbers={
                "triage": outcome.triage.model_dump(),
                "queue": review.states,
                "settled": written.settled,
                "corrections": written.corrections,
                "rows": {each.kind: each.rows for each in written.files},
                "curated": written.curated.model_dump() if written.curated else {},
                **({} if review.agreement is None else {"agreement": review.agreement}),
            },
            headline=outcome.headline,
            prefect_url=prefect_url(),
        )
        run = record_live(home, record)
        links = outcome.links | {"mlflow": run_url(home, run)}
        return outcome.model_copy(update={"mlflow_run_id": run, "links": links})

    return step


def shown(outcome: FeedbackOutcome) -> FeedbackOutcome:
    """The counts as an artifact, and the headline in the log."""
    tell(outcome.headline)
    link = outcome.links.get("mlflow", "")
    artifacts.feedback(outcome.name, feedback_markdown(outcome), outcome.headline, link)
    return outcome
