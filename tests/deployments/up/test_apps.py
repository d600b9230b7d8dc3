"""The applications of a project are parts of its `up`."""

from dataclasses import replace
from pathlib import Path

import pytest

from llmops.deployments.project import Project
from llmops.deployments.up.parts import app_ports, parts_of
from llmops.deployments.up.ports import choose
from llmops.deployments.up.servers import Chosen, Servers
from tests.deployments.up.parts import QUICK, after, part, wait_until
from tests.deployments.up.test_supervisor import Running

SERVE = "flow: serve\napp: {name}\nknowledge_bases: [handbook]\nport: {port}\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name, port in (("desk", 18_410), ("shop", 18_411)):
        (tmp_path / f"{name}.yaml").write_text(SERVE.format(name=name, port=port))
    return Project.at(tmp_path, tmp_path / "home")


def test_each_is_a_part_after_mlflow_at_the_port_of_its_config(project: Project) -> None:
    ports = {"prefect": 1, "mlflow": 2, "worker": 3, **app_ports(project)}
    servers = Servers(Chosen("http://p/api", "http://p"), Chosen("sqlite:///x", "http://m"), {})
    found = {each.name: each for each in parts_of(project, servers, ports, lambda: None)}
    assert list(found) == ["prefect", "mlflow", "app desk", "app shop", "alerts", "worker"]
    shop = found["app shop"]
    assert shop.url == "http://127.0.0.1:18411"
    assert shop.after == ("mlflow",)
    assert shop.command[-5:] == (
        *("serve", str(project.folder / "shop.yaml")),
        *("--port", "18411", "--wait"),
    )
    assert shop.environment["LLMOPS_HOME"] == str(project.home)


def test_they_may_run_elsewhere(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_APPS", "elsewhere")
    assert app_ports(project) == {}


def test_ports_follow_each_other_where_a_base_is_given(project: Project) -> None:
    names = ["prefect", *app_ports(project)]
    assert choose(names, 18_500, {}) == {"prefect": 18_500, "app desk": 18_501, "app shop": 18_502}


def test_nothing_of_it_is_deployed_at_prefect(project: Project) -> None:
    assert project.scheduled() == []


def test_one_that_does_not_come_up_does_not_end_the_others(tmp_path: Path) -> None:
    one = part(tmp_path, "server")
    broken = replace(after(part(tmp_path, "app x", "raise SystemExit(2)"), "server"), app=True)
    running = Running(tmp_path, [one, broken], replace(QUICK, tries=2))
    try:
        wait_until(lambda: running.record("app x").restarts >= 4)
        assert running.record("server").healthy
    finally:
        running.end()
    assert running.error is None
    assert running.cancelled == []
