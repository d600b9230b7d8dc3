"""What becomes of the deployments of a project at a Prefect server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from llmops.deployments.alerting.automations import AutomationChange
from llmops.deployments.pools import Pool
from llmops.deployments.project import Project
from llmops.deployments.times import Cron

Action = Literal["create", "update", "remove", "unchanged"]


class Wanted(NamedTuple):
    """A deployment as it should be; its fields are compared with what the server has."""

    version: str
    parameters: dict[str, object]
    tags: list[str]
    schedule: Cron
    entrypoint: str
    work_pool_name: str
    job_variables: dict[str, object]


@dataclass(frozen=True)
class Change:
    """What becomes of one deployment. `changes`: field -> (before, after), for an update."""

    action: Action
    flow: str
    name: str
    config: str
    schedule: Cron | None
    changes: Mapping[str, tuple[object, object]] = field(default_factory=dict)
    paused: bool = False
    id: str | None = None

    def public(self) -> dict[str, object]:
        """For `--json`."""
        when = self.schedule._asdict() if self.schedule else None
        pairs = {key: list(pair) for key, pair in self.changes.items()}
        shown = {"flow": self.flow, "name": self.name, "config": self.config}
        return {
            "action": self.action,
            **shown,
            "schedule": when,
            "changes": pairs,
            "paused": self.paused,
        }


@dataclass(frozen=True)
class Deployed:
    """What was found and done; with `planned`, only found."""

    project: Project
    pool: Pool
    url: str
    changes: Sequence[Change]
    pool_created: bool
    planned: bool
    warnings: Sequence[str] = ()
    automations: Sequence[AutomationChange] = ()

    def public(self) -> dict[str, object]:
        """For `--json`."""
        kinds: tuple[Action, ...] = ("create", "update", "remove", "unchanged")
        return {
            "project": self.project.name,
            "folder": str(self.project.folder),
            "prefect": self.url,
            "pool": {"name": self.pool.name, "type": self.pool.type, "created": self.pool_created},
            "planned": self.planned,
            "deployments": [change.public() for change in self.changes],
            "counts": {kind: sum(c.action == kind for c in self.changes) for kind in kinds},
            "automations": [change.public() for change in self.automations],
            "warnings": list(self.warnings),
        }
