"""The alerts of a project: its one config, or none, and what a look at it needs."""

from pathlib import Path

from llmops.configs.alerts import AlertsConfig
from llmops.configs.reading import load_yaml, read
from llmops.deployments.project import Project
from llmops.tasks.alerts.looking import AlertPlan
from llmops.tasks.alerts.names import WATCHED
from llmops.tasks.alerts.policy import AlertPolicy
from llmops.tasks.errors import ConfigError, Mistake, UsageError

FLOW = "alerts"


def alerts_file(project: Project) -> Path | None:
    """The config with `flow: alerts` of a project; None where there is none. Raises ConfigError for
    two: each would end what the other found.
    """
    files = [file for file in project.files() if _flow(file) == FLOW]
    if len(files) > 1:
        names = ", ".join(file.relative_to(project.folder).as_posix() for file in files)
        hint = "put their rules and senders into one"
        raise ConfigError([Mistake(f"two configs of alerts: {names}", str(files[1]), hint)])
    return files[0] if files else None


def _flow(file: Path) -> object:
    try:
        return load_yaml(file).get("flow")
    except ConfigError:
        return None  # told by whoever reads the project


def rule_names(home: Path) -> tuple[str, ...]:
    """What is watched, and the rules of the project in this folder; without the latter where there
    is no project, or its config cannot be read: `check` says why.
    """
    try:
        file = alerts_file(Project.at(None, home))
        rules = read(file, AlertsConfig).rules if file else ()
    except (UsageError, ConfigError):
        return WATCHED
    return (*WATCHED, *(each.name for each in rules))


def alert_plan(home: Path, config: Path | None) -> tuple[AlertPlan, AlertsConfig | None]:
    """Of a config, else of the project in this folder, else of nothing: then nobody is told, and
    alerts are listed. Raises ConfigError.
    """
    folder = config.absolute().parent if config else None
    try:
        project = Project.at(folder, home)
    except UsageError:
        if config is None:
            raise
        project = None
    file = config or (alerts_file(project) if project else None)
    name = project.name if project else ""
    if file is None:
        return AlertPlan(AlertPolicy(project=name)), None
    found = read(file, AlertsConfig)
    return found.plan(name), found
