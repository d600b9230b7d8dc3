"""What Prefect does when a rule fires: an automation for each rule that names a deployment to run
or to pause. `llmops deploy` makes, changes and removes them; those of others are left alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from llmops.deployments.alerting.events import FIRED, PROJECT, RESOURCE, RULE
from llmops.tasks.errors import ConfigError, Mistake, did_you_mean

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import Automation, AutomationCore

PAGE = 200
Verb = Literal["run", "pause"]
Step = tuple[str, str]
"""What is done, and the id of the deployment."""


class WantedAutomation(NamedTuple):
    """A rule that makes Prefect do something. `steps`: what, with the key of the deployment, such
    as ("run", "index/handbook"); `where`: in which config it stands.
    """

    rule: str
    steps: Sequence[tuple[Verb, str]]
    where: str


@dataclass(frozen=True)
class AutomationChange:
    """What becomes of one automation."""

    action: Literal["create", "update", "remove", "unchanged"]
    name: str
    id: "UUID | None" = None
    content: "AutomationCore | None" = None

    def public(self) -> dict[str, str]:
        """For `--json`."""
        return {"action": self.action, "name": self.name}


def name_of(project: str, rule: str) -> str:
    return f"{_prefix(project)}{rule}"


def _prefix(project: str) -> str:
    return f"llmops {project}: "


def unknown(wanted: Sequence[WantedAutomation], keys: Sequence[str]) -> list[Mistake]:
    """Steps that name no config with a schedule: only those are deployed."""
    return [
        Mistake(
            f"{key!r} is no config with a schedule",
            f"{each.where}: rules.{each.rule}.{verb}",
            did_you_mean(key, keys) or f"there are: {', '.join(sorted(keys)) or 'none'}",
        )
        for each in wanted
        for verb, key in each.steps
        if key not in keys
    ]


def automation_changes(
    client: "SyncPrefectClient",
    project: str,
    wanted: Sequence[WantedAutomation],
    deployments: Mapping[str, "UUID"],
) -> list[AutomationChange]:
    """What it takes. `deployments`: key -> id; one that is only to be made has none yet, and its
    automation counts as one to make.
    """
    there = {each.name: each for each in _all(client) if each.name.startswith(_prefix(project))}
    changes = [
        _change(project, each, deployments, there.pop(name_of(project, each.rule), None))
        for each in wanted
    ]
    gone = [AutomationChange("remove", name, each.id) for name, each in sorted(there.items())]
    return [*changes, *gone]


def apply_automations(client: "SyncPrefectClient", changes: Sequence[AutomationChange]) -> None:
    """Do it. A switch that somebody has turned off in Prefect's pages stays off."""
    for change in changes:
        if change.action == "create" and change.content is not None:
            client.create_automation(change.content)
        elif change.action == "update" and change.content is not None and change.id is not None:
            client.update_automation(change.id, change.content)
        elif change.action == "remove" and change.id is not None:
            client.delete_automation(change.id)


def _all(client: "SyncPrefectClient") -> "list[Automation]":
    found: list[Automation] = []
    while True:
        page = client.read_automations(limit=PAGE, offset=len(found))
        found += page
        if len(page) < PAGE:
            return found


def _change(
    project: str,
    wanted: WantedAutomation,
    deployments: Mapping[str, "UUID"],
    there: "Automation | None",
) -> AutomationChange:
    name = name_of(project, wanted.rule)
    if any(key not in deployments for _, key in wanted.steps):
        return AutomationChange("create", name)
    content = _content(project, wanted, deployments, enabled=there is None or there.enabled)
    if there is None:
        return AutomationChange("create", name, content=content)
    same = _shape(there) == _shape(content)
    return AutomationChange("unchanged" if same else "update", name, there.id, content)


def _content(
    project: str,
    wanted: WantedAutomation,
    deployments: Mapping[str, "UUID"],
    *,
    enabled: bool,
) -> "AutomationCore":
    from prefect.events.actions import PauseDeployment, RunDeployment
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    kinds = {"run": RunDeployment, "pause": PauseDeployment}
    match = {"prefect.resource.id": f"{RESOURCE}*", RULE: wanted.rule, PROJECT: project}
    return AutomationCore(
        name=name_of(project, wanted.rule),
        description=f"`{wanted.where}`, registered by `llmops deploy`.",
        enabled=enabled,
        trigger=EventTrigger(
            expect={FIRED},
            match=match,
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[
            kinds[verb](source="selected", deployment_id=deployments[key])
            for verb, key in wanted.steps
        ],
    )


def _shape(automation: "AutomationCore") -> tuple[object, ...]:
    """What is compared: the trigger and the actions, as plain values."""
    trigger = automation.trigger.model_dump(mode="json", include={"match", "expect", "posture"})
    actions = [(each.type, str(getattr(each, "deployment_id", ""))) for each in automation.actions]
    return trigger, actions, automation.description


def refuse_unknown(wanted: Sequence[WantedAutomation], keys: Sequence[str]) -> None:
    """Raises ConfigError with every step that names nothing."""
    if mistakes := unknown(wanted, keys):
        raise ConfigError(mistakes)
