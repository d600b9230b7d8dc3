"""The configs of a project, as whoever watches wants them: read in a process of its own, when a
file has changed, since reading them takes the libraries of all plugins.

`python -m llmops.deployments.alerting.surveying FOLDER HOME` prints a `ProjectSurvey` as JSON.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from llmops.configs.reading import named_in
from llmops.configs.section import Schedule
from llmops.deployments.project import ConfigSurvey, Project, Scheduled
from llmops.deployments.times import Cron, cron_for
from llmops.deployments.up.registering import child
from llmops.deployments.up.watching import Seen, configs_seen
from llmops.tasks.errors import LlmopsError

MODULE = "llmops.deployments.alerting.surveying"


class WatchedConfig(BaseModel):
    """A config of the project. `parts`: of a night, the configs that it lists, as keys."""

    model_config = ConfigDict(frozen=True)
    flow: str
    name: str
    file: str
    schedule: Schedule | None = None
    parts: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.flow}/{self.name}"

    @property
    def when(self) -> Cron | None:
        return cron_for(self.schedule) if self.schedule else None


class WrongConfig(BaseModel):
    """A config that cannot be read, with its first mistake. `name`: what it is probably about."""

    model_config = ConfigDict(frozen=True)
    file: str
    name: str
    message: str
    hint: str = ""
    flow: str = ""


class ProjectSurvey(BaseModel):
    """What is in the folder of a project."""

    model_config = ConfigDict(frozen=True)
    name: str = ""
    tags: tuple[str, ...] = ()
    configs: tuple[WatchedConfig, ...] = ()
    wrong: tuple[WrongConfig, ...] = ()

    @property
    def scheduled(self) -> dict[str, WatchedConfig]:
        """Those with a schedule, by key."""
        return {each.key: each for each in self.configs if each.schedule}

    @property
    def watched(self) -> set[str]:
        """What runs without anybody: what has a schedule, and the parts of such nights."""
        scheduled = self.scheduled
        return {*scheduled, *(part for each in scheduled.values() for part in each.parts)}


class ProjectWatch:
    """Reads the configs again when a file of them has changed."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home = folder, home
        self._seen: Seen | None = None
        self._survey = ProjectSurvey()

    def survey(self) -> ProjectSurvey:
        """The configs as they are now. Raises LlmopsError where they cannot be looked at."""
        seen = configs_seen(self.folder, self.home)
        if seen != self._seen:
            given = {"LLMOPS_HOME": str(self.home)}
            ended = child(
                "the configs", ["-m", MODULE, str(self.folder), str(self.home)], given, self.folder
            )
            try:
                self._survey = ProjectSurvey.model_validate_json(ended.stdout.splitlines()[-1])
            except (ValidationError, LookupError) as error:
                raise LlmopsError(f"the configs could not be read: {error!r}") from error
            self._seen = seen
        return self._survey


def surveyed(project: Project) -> ProjectSurvey:
    """Reads them; none where the folder has none."""
    survey = project.survey() if list(project.files()) else ConfigSurvey()
    keys = {each.file: each.key for each in survey.usable}
    first = dict(reversed(survey.mistakes))
    return ProjectSurvey(
        name=project.name,
        tags=project.tags,
        configs=tuple(_config(project, each, keys) for each in survey.usable),
        wrong=tuple(
            WrongConfig(
                file=file,
                name=survey.names.get(file, keys.get(file, file)),
                message=mistake.message,
                hint=mistake.hint,
                flow=named_in(project.folder / file)[0] or "",
            )
            for file, mistake in sorted(first.items())
        ),
    )


def _config(project: Project, config: Scheduled, keys: Mapping[str, str]) -> WatchedConfig:
    files = project.parts_of(config) if config.flow == "nightly" else []
    return WatchedConfig(
        flow=config.flow,
        name=config.name,
        file=config.file,
        schedule=config.schedule,
        parts=tuple(_part(keys, file) for file in files if file in keys),
    )


def _part(keys: Mapping[str, str], file: str) -> str:
    """An application is listed to be pruned."""
    flow, _, name = keys[file].partition("/")
    return f"prune/{name}" if flow == "serve" else keys[file]


if __name__ == "__main__":
    project = Project.at(Path(sys.argv[1]), Path(sys.argv[2]))
    sys.stdout.write(f"{surveyed(project).model_dump_json()}\n")
