"""When the feedback flow brings more answers to the review queue of an application."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from llmops.configs.feedback import FeedbackConfig
from llmops.configs.nightly import NightlyConfig
from llmops.configs.reading import named_in, read
from llmops.configs.section import Schedule
from llmops.deployments.app.page.workplace import Workplace
from llmops.deployments.project import Project
from llmops.deployments.times import cron_for, next_time
from llmops.tasks.errors import ConfigError
from llmops.tasks.ledger import now


class Coming(NamedTuple):
    """`command`: what looks at new answers; `at`: when a schedule starts it next, None for none."""

    command: str
    at: datetime | None = None


def coming(place: Workplace, app: str) -> Coming:
    """By the project's configs; those that cannot be read are left out."""
    kinds: dict[str, list[Path]] = {"feedback": [], "nightly": []}
    for path in Project(place.folder, place.home, "page").files():
        flow, _ = named_in(path)
        kinds.get(flow or "", []).append(path)
    mine = {path.resolve(): config for path, config in _feedback(kinds["feedback"], app)}
    schedules = [config.schedule for config in mine.values()]
    schedules += [each for path in kinds["nightly"] for each in _night(path, set(mine))]
    times = [next_time(cron_for(each), now()) for each in schedules if each]
    first = next(iter(mine), None)
    name = first.relative_to(place.folder.resolve()).as_posix() if first else "feedback.yaml"
    return Coming(f"llmops feedback {name}", min((at for at in times if at), default=None))


def _feedback(files: list[Path], app: str) -> list[tuple[Path, FeedbackConfig]]:
    """Those of the application that fill its own queue."""
    found = []
    for path in files:
        try:
            config = read(path, FeedbackConfig)
        except ConfigError:
            continue
        if config.app == app and config.queue == app:
            found.append((path, config))
    return found


def _night(path: Path, mine: set[Path]) -> list[Schedule | None]:
    try:
        config = read(path, NightlyConfig)
    except ConfigError:
        return []
    listed = {file.resolve() for _, file in config.listed()}
    return [config.schedule] if listed & mine else []
