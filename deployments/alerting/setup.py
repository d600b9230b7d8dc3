"""What the config of a project says of its alerts, read again when its file has changed."""

import logging
from pathlib import Path

from llmops.configs.alerts import AlertsConfig
from llmops.configs.reading import read
from llmops.deployments.alerting.alerter import AlertSetup
from llmops.deployments.alerting.house import HouseWatch
from llmops.deployments.alerting.surveying import ProjectSurvey
from llmops.tasks.alerts.looking import AlertPlan
from llmops.tasks.alerts.policy import AlertPolicy
from llmops.tasks.errors import LlmopsError

FLOW = "alerts"
logger = logging.getLogger(__name__)


class ProjectSetup:
    """The one config of the project that `house` looks at, or `config`, where that is given. A
    change is taken up at the next look; where it is wrong the alerter goes on as it was.
    """

    def __init__(self, house: HouseWatch, config: Path | None = None) -> None:
        self._house, self._config = house, config
        self._seen: tuple[str, int, int] | None = None
        self._setup = AlertSetup()
        self._told = ""

    def __call__(self) -> AlertSetup:
        try:
            self._look()
        except (LlmopsError, OSError) as error:
            self._say(f"the config of alerts goes on as it was: {error}")
        return self._setup

    def _look(self) -> None:
        survey, folder = self._house.survey(), self._house.project_folder
        files = [each.file for each in survey.configs if each.flow == FLOW]
        if self._config is not None:
            files = [self._config.name]
        wrong = [each for each in survey.wrong if each.flow == FLOW]
        if folder is None:
            return
        if wrong and not files:
            self._say(f"the config of alerts goes on as it was: {wrong[0].message}")
            return
        if not files:
            self._setup, self._seen = _nobody(survey), None
            return
        if len(files) > 1:
            self._say(f"of several configs of alerts {files[0]} counts: put them into one")
        file = folder / files[0] if self._config is None else self._config
        found = file.stat()
        seen = (files[0], found.st_mtime_ns, found.st_size)
        if seen != self._seen:
            self._setup, self._seen = _read(file, survey), seen
            self._told = ""
            logger.info("alerts are told as %s says", files[0])

    def _say(self, text: str) -> None:
        if text != self._told:
            logger.warning("%s", text)
        self._told = text


def _read(file: Path, survey: ProjectSurvey) -> AlertSetup:
    """Raises ConfigError."""
    config = read(file, AlertsConfig)
    url = config.heartbeat_url()
    return AlertSetup(config.plan(survey.name), config.watch, url.get_secret_value() if url else "")


def _nobody(survey: ProjectSurvey) -> AlertSetup:
    return AlertSetup(AlertPlan(AlertPolicy(project=survey.name)))
