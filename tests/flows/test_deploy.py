"""Deployments at a real Prefect server, and catching up with what was cut and missed there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.commandline import Office, llmops, refused
from tests.flows.leftovers import Runs

pytestmark = pytest.mark.slow
NIGHTLY = {"cron": "0 3 * * *", "timezone": "Europe/Berlin"}


@pytest.fixture
def desk(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A project with one scheduled config, whose name nobody else has at the shared server."""
    monkeypatch.setenv("LLMOPS_PROJECT", f"desk-{uuid4().hex[:8]}")
    office.config(schedule=NIGHTLY)
    yield office
    from llmops.deployments.deploy import client_of, registered
    from llmops.deployments.project import Project

    project = Project.at(office.folder)
    with client_of(office.home) as (client, _url):
        for found in registered(client, *project.tags):
            client.delete_deployment(found.id)


def deployed(office: Office, *words: str) -> Any:
    said = llmops("deploy", office.folder, *words, "--json")
    assert said.code == 0, said.out + said.err
    return said.data


def actions(found: Any) -> list[str]:
    return [f"{each['action']} {each['flow']}/{each['name']}" for each in found["deployments"]]


def test_the_difference_is_shown_then_made_and_then_there_is_none(desk: Office) -> None:
    planned = deployed(desk, "--plan")
    assert (planned["planned"], planned["pool"]["created"]) == (True, True)
    assert actions(planned) == actions(deployed(desk)) == [f"create index/{desk.kb}"]
    assert actions(deployed(desk)) == [f"unchanged index/{desk.kb}"]
    desk.config(schedule={"cron": "@hourly", "timezone": "Europe/Berlin"})
    (change,) = deployed(desk)["deployments"]
    assert change["action"] == "update"
    assert change["changes"]["schedule"] == [["0 3 * * *", "Europe/Berlin"], ["0 * * * *", "UTC"]]
    assert set(change["changes"]) == {"schedule", "version"}
    assert actions(deployed(desk, "--plan")) == [f"unchanged index/{desk.kb}"]


def test_what_is_registered_says_where_it_comes_from(desk: Office) -> None:
    from llmops.deployments.deploy import client_of

    found = deployed(desk)
    with client_of(desk.home) as (client, _url):
        there = client.read_deployment_by_name(f"index/{desk.kb}")
    project = f"project:{found['project']}"
    assert set(there.tags) == {"llmops", project, "flow:index", f"kb:{desk.kb}", "config:lab.yaml"}
    assert there.parameters == {"config": str(desk.folder / "lab.yaml"), "home": str(desk.home)}
    assert there.entrypoint == "llmops.flows.index.index"
    assert there.global_concurrency_limit is None
    assert there.version
    assert there.work_pool_name == f"llmops-{found['project']}"
    assert [getattr(each.schedule, "timezone", "") for each in there.schedules] == ["Europe/Berlin"]


def test_a_config_that_is_renamed_or_removed_takes_its_schedule_along(desk: Office) -> None:
    deployed(desk)
    old = desk.config(schedule=NIGHTLY)
    text = old.read_text()
    old.write_text(text.replace(desk.kb, f"{desk.kb}-new"))
    assert actions(deployed(desk)) == [f"create index/{desk.kb}-new", f"remove index/{desk.kb}"]
    old.write_text("flow: index\nknowledge_base: [\n")
    refused(2, "lab.yaml", "deploy", desk.folder)  # a broken config removes nothing
    desk.config()
    found = deployed(desk)
    assert actions(found) == [f"remove index/{desk.kb}-new"]
    assert "no config has a schedule" in found["warnings"][0]


def test_names_of_other_projects_and_of_people_are_left_alone(
    desk: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmops.deployments.deploy import client_of

    mine = deployed(desk)["project"]
    other = tmp_path / "other"
    other.mkdir()
    copy = other / "lab.yaml"
    copy.write_text((desk.folder / "lab.yaml").read_text())
    (other / "documents").mkdir()
    says = rf"'index/{desk.kb}' is deployed from .*/lab.yaml already[\s\S]*LLMOPS_PROJECT"
    refused(2, says, "deploy", other)
    monkeypatch.setenv("LLMOPS_PROJECT", "somebody-else")
    refused(2, f"belongs to the project '{mine}'[\\s\\S]*LLMOPS_PROJECT={mine}", "deploy", other)
    monkeypatch.setenv("LLMOPS_PROJECT", mine)
    with client_of(desk.home) as (client, _url):
        flow = client.create_flow_from_name("index")
        made = client.create_deployment(flow, f"{desk.kb}-by-hand")
        copy.write_text(copy.read_text().replace(desk.kb, f"{desk.kb}-by-hand"))
        refused(2, "a deployment .* that llmops did not make", "deploy", other)
        client.delete_deployment(made)


def test_pools_are_made_by_type_and_their_variables_are_known(desk: Office) -> None:
    from llmops.deployments.deploy import client_of

    docker = ("--pool-type", "docker", "--job-variable")
    found = deployed(desk, *docker, "image=registry.example/llmops:1")
    assert found["pool"]["type"] == "docker"
    with client_of(desk.home) as (client, _url):
        there = client.read_deployment_by_name(f"index/{desk.kb}")
        pool = client.read_work_pool(found["pool"]["name"])
    assert there.parameters == {"config": "lab.yaml"}
    assert there.job_variables == {"image": "registry.example/llmops:1"}
    assert "image" in pool.base_job_template["variables"]["properties"]
    says = r"knows no job variable imag[\s\S]*allowed: .*image"
    refused(2, says, "deploy", desk.folder, *docker, "imag=x")
    refused(2, "got 'vm', allowed: process, docker", "deploy", desk.folder, "--pool-type", "vm")
    refused(2, "wanted key=value", "deploy", desk.folder, "--job-variable", "image")
    says = "is of type docker, wanted: process"
    refused(2, says, "deploy", desk.folder, "--pool", found["pool"]["name"])


def test_what_is_switched_off_stays_off(desk: Office) -> None:
    from llmops.deployments.deploy import client_of

    deployed(desk)
    with client_of(desk.home) as (client, _url):
        client.pause_deployment(client.read_deployment_by_name(f"index/{desk.kb}").id)
        desk.config(schedule={"cron": "0 4 * * *"})
        found = deployed(desk)
        there = client.read_deployment_by_name(f"index/{desk.kb}")
    assert "is switched off in Prefect; it stays so" in found["warnings"][0]
    assert there.paused or not any(each.active for each in there.schedules)
    assert getattr(there.schedules[0].schedule, "cron", "") == "0 4 * * *"


def test_what_runs_twice_and_what_nothing_builds_any_more_is_said(desk: Office) -> None:
    from llmops.deployments.deploy import client_of

    desk.write("a.md", "# A\n\nThe library opens at nine.\n")
    assert llmops("index", desk.folder / "lab.yaml").code == 0
    night = desk.folder / "night.yaml"
    listed = f"flow: nightly\nname: {desk.kb}-night\nindex: [lab.yaml]\n"
    night.write_text(f"{listed}schedule: {{cron: '0 1 * * *'}}\n")
    assert deployed(desk)["warnings"] == [
        "lab.yaml has a schedule of its own, and night.yaml runs it too"
    ]
    night.unlink()
    file = desk.folder / "lab.yaml"
    file.write_text(file.read_text().replace(desk.kb, f"{desk.kb}-new"))
    (warning,) = deployed(desk)["warnings"]
    assert f"nothing builds the knowledge base '{desk.kb}' any more" in warning
    with client_of(desk.home) as (client, _url):
        client.read_deployment_by_name(f"index/{desk.kb}-new")


def test_cut_runs_are_marked_and_late_ones_become_one(desk: Office) -> None:
    from llmops.deployments.catchup import catch_up
    from llmops.deployments.deploy import client_of
    from llmops.deployments.project import Project

    project = Project.at(desk.folder)
    deployed(desk)
    with client_of(desk.home) as (client, _url):
        runs = Runs(desk, client)
        running, pending = runs.cut("RUNNING"), runs.cut("PENDING")
        cancelling = runs.cut("RUNNING", "CANCELLING")
        first = catch_up(project)
        assert [step.what for step in first.steps] == ["cancel", "crash", "crash", "rerun"] or {
            step.what for step in first.steps
        } == {"cancel", "crash", "rerun"}
        states = runs.states()
        assert states.pop(running) == states.pop(pending) == "Crashed"
        assert states.pop(cancelling) == "Cancelled"
        ((again, name),) = states.items()
        assert name == "Scheduled"
        assert "its worker ended before it did" in runs.state(running).message
        assert catch_up(project).steps == []  # once is enough
        late = [runs.late(days) for days in (5, 4, 3, 2, 1)]
        states = runs.states()
        catch_up(project)
        after = runs.states()
        assert [after[run] for run in late] == [*["Missed"] * 4, states[late[-1]]]
        assert after[again] == "Scheduled"  # somebody's, not the schedule's
        assert catch_up(project).steps == []


def test_a_second_try_that_is_cut_is_not_run_a_third_time(desk: Office) -> None:
    from llmops.deployments.catchup import RERUN, catch_up
    from llmops.deployments.deploy import client_of
    from llmops.deployments.project import Project

    deployed(desk)
    with client_of(desk.home) as (client, _url):
        runs = Runs(desk, client)
        first = runs.cut("PENDING")
        catch_up(Project.at(desk.folder))
        (second,) = set(runs.states()) - {first}
        assert RERUN in client.read_flow_run(UUID(second)).tags
        from prefect.states import Running

        client.set_flow_run_state(UUID(second), Running(), force=True)
        done = catch_up(Project.at(desk.folder))
        assert [step.what for step in done.steps] == ["crash"]
        assert set(runs.states().values()) == {"Crashed"}
