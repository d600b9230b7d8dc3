"""What is scheduled is registered before the worker starts, and again whenever a config changes,
until it went through.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from llmops.deployments.project import Project
from llmops.deployments.up import registering, running
from llmops.deployments.up.processes import MARK
from llmops.deployments.up.registering import main, register
from llmops.deployments.up.renewing import AppRenewal
from llmops.deployments.up.running import Up
from llmops.tasks.errors import ConfigError, LlmopsError, Mistake
from tests.deployments.up.parts import logs

TAKEN = Mistake("belongs to the project helpdesk", "handbook.yaml", "choose another name")
AWAY = Mistake("the Prefect server does not answer", kind="unavailable")


class Registered:
    """An `up` that has started nothing, and what registering comes to, one time after the other."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outcomes: list[list[Mistake]] = []
        self.steps: list[tuple[str, ...]] = []
        self.environments: list[dict[str, str]] = []
        self.folder, home = folder, folder / ".llmops"
        home.mkdir()
        (folder / "app.yaml").write_text("flow: serve\napp: desk\nknowledge_bases: [handbook]\n")
        log, self._out = logs(home)
        self._log = log
        project = Project.at(folder, home)
        self.up = Up(project, lambda _record, _part: None, None, None, log)
        monkeypatch.setattr(running, "register", self._register)

    def _register(self, *given: object) -> list[Mistake]:
        self.steps.append(tuple(str(step) for step in given[4:]))
        assert isinstance(given[2], dict)
        self.environments.append(given[2])
        return self.outcomes.pop(0)

    def said(self) -> list[str]:
        """What `up` has said since it was asked last."""
        self._log.flush()
        lines = self._out.getvalue().splitlines()
        self._out.seek(0)
        self._out.truncate()
        return [line.removeprefix("up       | ") for line in lines]


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registered:
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "LLMOPS_MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "no-profiles.toml"))
    return Registered(tmp_path, monkeypatch)


def test_a_name_that_another_project_has_is_a_mistake_of_the_configs(
    registered: Registered,
) -> None:
    registered.outcomes = [[TAKEN]]
    with pytest.raises(ConfigError) as raised:
        registered.up.before_worker()
    assert raised.value.mistakes() == [TAKEN]
    assert raised.value.exit_code == 2


def test_it_ends_with_up_and_is_no_mistake_then(registered: Registered) -> None:
    registered.outcomes = [[AWAY]]
    registered.up.signals.first.set()
    with pytest.raises(LlmopsError, match="not registered yet"):
        registered.up.before_worker()
    assert [each[MARK] for each in registered.environments] == [registered.up.mark]
    assert registered.said() == []


def test_a_server_that_is_away_is_waited_for(registered: Registered) -> None:
    registered.outcomes = [[AWAY], [TAKEN, AWAY], []]
    for _ in range(2):
        with pytest.raises(LlmopsError, match="not registered yet") as raised:
            registered.up.before_worker()
        assert not isinstance(raised.value, ConfigError)
    registered.up.before_worker()
    assert registered.steps == [("deploy", "catch-up")] * 3
    assert registered.said() == [str(AWAY), str(TAKEN), str(AWAY)]


def test_once_it_runs_a_mistake_ends_nothing(registered: Registered) -> None:
    registered.outcomes = [[], [TAKEN]]
    registered.up.before_worker()
    with pytest.raises(LlmopsError, match="not registered yet") as raised:
        registered.up.before_worker()
    assert not isinstance(raised.value, ConfigError)
    assert registered.steps[-1] == ("catch-up",)


def test_a_change_is_registered_until_it_went_through_and_said_once(
    registered: Registered,
) -> None:
    changed = [str(registered.folder / name) for name in (".env", "a.yaml")]
    registered.outcomes = [[AWAY], [AWAY], [TAKEN], []]
    assert not registered.up.configs_changed(changed, changed)
    first = registered.said()
    assert first[0].startswith(".env has changed")
    assert first[1:3] == ["changed: a.yaml", str(AWAY)]
    assert "tried again" in first[3]
    assert not registered.up.configs_changed([], changed)
    assert registered.said() == []
    assert not registered.up.configs_changed([], changed)
    assert registered.said()[0] == str(TAKEN)
    assert registered.up.configs_changed([], changed)
    assert registered.steps == [("deploy",)] * 4
    registered.outcomes = [[]]
    assert registered.up.configs_changed(changed, changed)
    assert "changed: a.yaml" in registered.said()


def test_an_application_is_looked_at_each_time_that_its_config_has_changed(
    registered: Registered,
) -> None:
    changed = [str(registered.folder / "app.yaml")]
    registered.up.renewal = AppRenewal(
        registered.folder,
        {registered.folder / "app.yaml": "another"},
        registered.up.ports,
        lambda part: None,
        registered.up.tell,
    )
    registered.outcomes = [[AWAY], [AWAY], []]
    assert not registered.up.configs_changed(changed, changed)
    assert "app another goes on as it was" in registered.said()
    assert not registered.up.configs_changed([], changed)
    assert not any("goes on" in line for line in registered.said())
    assert registered.up.configs_changed(changed, changed)  # while it was still to be registered
    assert "app another goes on as it was" in registered.said()


def test_settings_alone_register_nothing(registered: Registered) -> None:
    env = [str(registered.folder / ".env")]
    assert registered.up.configs_changed(env, env)
    assert registered.steps == []


@pytest.mark.parametrize("error", [ConfigError([TAKEN, AWAY]), LlmopsError("no", hint="do")])
def test_what_is_wrong_keeps_its_kind_on_the_way(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: LlmopsError,
) -> None:
    def refuse(project: Project) -> None:
        raise error

    monkeypatch.setattr("llmops.deployments.deploy.deploy", refuse)
    assert main([str(tmp_path), "deploy"]) == 0
    said = capsys.readouterr().out
    assert json.loads(said)["wrong"] == [asdict(mistake) for mistake in error.mistakes()]
    monkeypatch.setattr(registering, "child", ended(said))
    assert register(tmp_path, tmp_path, {}, lambda _line: None, "deploy") == error.mistakes()


@pytest.mark.parametrize("said", ["", "no JSON", "[]", '{"done": [], "wrong": ["a text"]}'])
def test_an_answer_that_is_none_is_a_failure_that_may_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(registering, "child", ended(said))
    (wrong,) = register(tmp_path, tmp_path, {}, lambda _line: None, "deploy")
    assert "could not be registered" in wrong.message
    assert wrong.kind == "environment"


def ended(said: str) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    return lambda *_given: subprocess.CompletedProcess([], 0, said, "")
