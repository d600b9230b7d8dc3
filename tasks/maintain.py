"""The tasks of the maintain flow, and the step of its end."""

from pathlib import Path

from prefect import task

from llmops.tasks import artifacts
from llmops.tasks.finish import tell
from llmops.tasks.maintenance import house
from llmops.tasks.maintenance.house import MaintainOutcome, MaintainPart
from llmops.tasks.maintenance.retention.policy import RetentionPolicy


@task(name="free", task_run_name="free {name}")
def free(home: Path, name: str, paid: bool) -> MaintainPart:
    """What no kept version of a knowledge base needs."""
    return _told(house.free(home, name, paid=paid))


@task(name="forget", task_run_name="forget {what}")
def forget(home: Path, what: str, policy: RetentionPolicy) -> MaintainPart:
    """One kind of thing that is old, and that nothing kept needs."""
    return _told(house.forget(home, what, policy))


@task(name="backup", task_run_name="backup")
def backup(home: Path, place: str, keep: int) -> MaintainPart:
    """A copy of the home, elsewhere."""
    return _told(house.back_up(home, place, keep))


def _told(part: MaintainPart) -> MaintainPart:
    tell(f"{part.what}: {part.status}: {part.told}")
    return part


def shown(outcome: MaintainOutcome) -> MaintainOutcome:
    """The parts as an artifact, and the headline in the log."""
    tell(outcome.headline)
    rows = [
        "| part | status | what came of it | MB | s |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {part.what} | {part.status} | {' '.join(part.told.split()).replace('|', '/')} | "
            f"{part.bytes / 1e6:.1f} | {part.seconds:.1f} |"
            for part in outcome.parts
        ),
    ]
    text = "\n".join([f"# {outcome.headline}\n", *rows, f"\nThe home has {_size(outcome.size)}."])
    artifacts.maintenance(outcome.name, text, outcome.headline)
    return outcome


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
