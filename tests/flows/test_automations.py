"""A rule that makes Prefect do something, at a real server: an automation, and what it does."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from llmops.tasks.yaml_files import write_yaml
from tests.commandline import Office, environment, llmops, refused

pytestmark = pytest.mark.slow
NIGHTLY = {"cron": "0 3 1 1 *", "timezone": "UTC"}
SECONDS = 120.0


@pytest.fixture
def desk(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A project with one scheduled config, whose name nobody else has at the shared server."""
    monkeypatch.setenv("LLMOPS_PROJECT", f"desk-{uuid4().hex[:8]}")
    office.config(schedule=NIGHTLY)
    yield office
    (office.folder / "alerts.yaml").unlink(missing_ok=True)
    office.config()
    assert llmops("deploy", office.folder).code == 0


def rules(desk: Office, **more: object) -> None:
    rule = {"name": "old", "knowledge_base": desk.kb, "metric": "freshness_hours", "above": 30}
    config = {"flow": "alerts", "name": "alerts", "rules": [{**rule, **more}]}
    (desk.folder / "alerts.yaml").write_text(write_yaml(config))


def automations(desk: Office, *words: str) -> list[str]:
    said = llmops("deploy", desk.folder, "--json", *words)
    assert said.code == 0, said.out + said.err
    return [f"{each['action']} {each['name']}" for each in said.data["automations"]]


def test_an_automation_is_made_changed_and_removed_and_runs_what_the_rule_says(
    desk: Office,
) -> None:
    from llmops.deployments.project import Project

    name = f"llmops {Project.at(desk.folder).name}: old"
    key = f"index/{desk.kb}"
    rules(desk)
    assert automations(desk) == []
    rules(desk, run="index/nobody")
    refused(2, "'index/nobody' is no config with a schedule", "deploy", desk.folder)
    rules(desk, run=key)
    assert automations(desk, "--plan") == automations(desk) == [f"create {name}"]
    assert automations(desk) == [f"unchanged {name}"]
    assert fired(desk) == 1
    rules(desk, pause=key)
    assert automations(desk) == [f"update {name}"]
    rules(desk)
    assert automations(desk) == [f"remove {name}"]
    assert automations(desk) == []


def fired(desk: Office) -> int:
    """Tell Prefect of the alert, twice the same: how many runs that makes."""
    from llmops.deployments.alerting.events import PrefectEventSender
    from llmops.deployments.deploy import client_of, registered
    from llmops.deployments.project import Project
    from llmops.tasks.plugins.senders import Notice

    project, now = Project.at(desk.folder), datetime.now(UTC)
    notice = Notice(
        id=uuid4().hex[:16],
        kind="fired",
        key=f"old/{desk.kb}",
        rule="old",
        subject=desk.kb,
        severity="warning",
        message="was built 31 hours ago",
        began_at=now,
        at=now,
        project=project.name,
    )
    sender = PrefectEventSender(home=desk.home)
    for other in ({"rule": "another"}, {"project": "another"}, {}, {}):
        fresh = {"id": uuid4().hex[:16]} if other else {}
        sender.send(notice.model_copy(update={**other, **fresh}))
    with client_of(desk.home) as (client, _url):
        (deployment,) = registered(client, *project.tags)
        from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId

        of = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
        deadline, made = time.monotonic() + SECONDS, 0
        while not made and time.monotonic() < deadline:
            time.sleep(0.5)
            runs = client.read_flow_runs(deployment_filter=of)
            made = sum(not run.auto_scheduled for run in runs)
        time.sleep(3)
        runs = client.read_flow_runs(deployment_filter=of)
        return sum(not run.auto_scheduled for run in runs)


def test_the_run_of_a_schedule_says_that_the_alerter_is_silent(desk: Office) -> None:
    """As its worker runs it; a build that a person starts says nothing of it."""
    from llmops.deployments.deploy import client_of, registered
    from llmops.deployments.project import Project
    from llmops.flows import server
    from llmops.tasks.alerts.beats import Beat, beat
    from llmops.tasks.ledger import now, open_ledger
    from llmops.tasks.ledger.runs import saved_outcome

    desk.write("a.md", "# A\n\nThe library opens at nine.\n")
    desk.config(schedule=NIGHTLY)
    assert llmops("deploy", desk.folder).code == 0
    beat(desk.home, Beat(at=now() - timedelta(hours=3), every_seconds=60, pid=7))
    try:
        project, there = Project.at(desk.folder), server.find(desk.home)
        assert there is not None
        with client_of(desk.home) as (client, _url):
            (deployment,) = registered(client, *project.tags)
            run = client.create_flow_run_from_deployment(deployment.id)
        given = environment(desk.home) | server.client_settings(desk.home, there)
        ended = subprocess.run(
            [sys.executable, "-m", "llmops.deployments.flow_run"],
            env=given | {"PREFECT__FLOW_RUN_ID": str(run.id)},
            cwd=desk.folder,
            capture_output=True,
            text=True,
            timeout=200,
        )
        outcome = saved_outcome(open_ledger(desk.home), str(run.id))
        assert outcome is not None, ended.stderr[-2000:]
        (told,) = [each for each in outcome["warnings"] if "alerter" in each]
        assert "is silent since" in told
        assert desk.build().warnings == []
    finally:
        beat(desk.home, Beat(at=now(), every_seconds=60, ended=True))
