"""The process of the alerter: the configs that it goes by, and what it imports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmops.deployments.alerting import surveying
from llmops.deployments.alerting.house import HouseWatch
from llmops.deployments.alerting.setup import ProjectSetup
from llmops.deployments.alerting.surveying import ProjectSurvey, surveyed
from llmops.deployments.project import Project
from tests.deployments.conftest import project as project
from tests.ledgers import with_ledger

HEAVY = ("prefect", "mlflow", "lancedb", "torch", "pandas", "pyarrow", "great_expectations")
ALERTS = """
flow: alerts
every: {every}
senders: [{{name: log, path: told.jsonl}}]
watch: {{flow-late: off}}
heartbeat: "${{HEARTBEAT}}"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return with_ledger(tmp_path / "home")


def test_the_survey_knows_schedules_parts_and_mistakes(project: Path, home: Path) -> None:
    night = "flow: nightly\nname: night\nindex: [handbook.yaml]\nprune: [app.yaml]\n"
    (project / "night.yaml").write_text(f"{night}schedule: {{cron: '0 1 * * *'}}\n")
    app = "flow: serve\napp: desk\nknowledge_bases: [handbook]\ntraces: {most_days: 30}\n"
    (project / "app.yaml").write_text(app)
    (project / "bad.yaml").write_text("flow: index\nknowledge_base: x\n")
    found = surveyed(Project.at(project, home))
    assert set(found.scheduled) == {"index/handbook", "nightly/night"}
    assert found.scheduled["nightly/night"].parts == ("index/handbook", "prune/desk")
    assert found.watched == {"index/handbook", "nightly/night", "prune/desk"}
    (wrong,) = found.wrong
    assert (wrong.file, wrong.name, wrong.message) == (
        "bad.yaml",
        "index/x",
        "the key 'sources' is missing",
    )
    assert ProjectSurvey.model_validate_json(found.model_dump_json()) == found


def test_a_folder_without_a_config_has_nothing_to_watch(tmp_path: Path, home: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert surveyed(Project.at(tmp_path / "empty", home)).watched == set()


def test_a_config_that_changes_is_taken_up_and_a_wrong_one_is_not(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTBEAT", "http://127.0.0.1:9/ping/5f0c")
    monkeypatch.setattr(surveying, "child", here)
    setup = ProjectSetup(HouseWatch(home, project))
    assert (setup().plan.senders, setup().plan.policy.project) == ({}, "helpdesk")
    file = project / "alerts.yaml"
    file.write_text(ALERTS.format(every="30s"))
    found = setup()
    assert set(found.plan.senders) == {"log"}
    assert (found.plan.policy.every.total_seconds(), found.watch) == (30, {"flow-late": "off"})
    assert found.heartbeat == "http://127.0.0.1:9/ping/5f0c"
    assert "5f0c" not in repr(found)
    file.write_text(ALERTS.format(every="30 days or so"))
    assert setup() is found
    file.write_text(ALERTS.format(every="90s"))
    assert setup().plan.policy.every.total_seconds() == 90
    file.unlink()
    assert setup().plan.senders == {}


def here(
    _what: str, arguments: list[str], _environment: object, _folder: Path
) -> "subprocess.CompletedProcess[str]":
    """What `child` does, in this process: the libraries are loaded already."""
    folder, home = map(Path, arguments[2:])
    said = surveyed(Project.at(folder, home)).model_dump_json()
    return subprocess.CompletedProcess(arguments, 0, stdout=f"{said}\n", stderr="")


@pytest.mark.slow
def test_an_alerter_that_looks_needs_no_large_library(project: Path, home: Path) -> None:
    program = f"""
import sys
from datetime import UTC, datetime
from pathlib import Path
from llmops.deployments.alerting.watching import alerter_of
alerter = alerter_of(Path({str(home)!r}), Path({str(project)!r}))
looked = alerter.look()
assert looked.problems == (), looked.problems
print(sorted(set({HEAVY!r}) & set(sys.modules)))
import psutil
print(psutil.Process().memory_info().rss < 120_000_000)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ)
    )
    assert ended.stdout.splitlines() == ["[]", "True"], ended.stderr
