"""What `llmops status` says of configs, runs and knowledge bases that want a look."""

import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from sqlalchemy import insert

from llmops.deployments.flow_status import flow_shown
from llmops.deployments.project import Project, Scheduled
from llmops.deployments.remarks import remarks
from llmops.deployments.shown import StatusLook
from llmops.deployments.status import status
from llmops.deployments.up import record
from llmops.deployments.up.record import UpRecord
from llmops.flows.commands import status as drawing
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.runs import save_outcome
from llmops.tasks.ledger.tables import knowledge_bases, versions
from tests.commandline import llmops
from tests.deployments.desk import INDEX, kinds

NOW = datetime.now(UTC)


def test_mistakes_in_configs_are_alerts_and_the_rest_is_shown(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "bad.yaml").write_text("flow: index\nknowledge_base: x\n")
    (project / "worse.yaml").write_text("flow: index\nknowledge_base: [\n")
    night = "flow: nightly\nname: night\nindex: [bad.yaml, gone.yaml]\n"
    (project / "night.yaml").write_text(f"{night}schedule: {{cron: '0 1 * * *'}}\n")
    found = status(home)
    flows = {flow["name"]: flow for flow in found["flows"]}
    assert set(flows) == {"index/handbook", "index/x", "nightly/night", "worse.yaml"}
    assert flows["index/handbook"]["next"] is not None
    assert flows["index/handbook"]["mistake"] is None
    assert flows["nightly/night"]["next"] is not None
    assert flows["index/x"]["mistake"] == "the key 'sources' is missing"
    assert "not valid YAML" in str(flows["worse.yaml"]["mistake"])
    said = [alert["message"] for alert in found["alerts"] if alert["kind"] == "config"]
    assert len(said) == 3, said  # of each file once, and the one that is gone
    assert found["spend"] is not None
    monkeypatch.setenv("LLMOPS_HOME", str(home))
    drawn = llmops("status").out.splitlines()
    (line,) = [line for line in drawn if line.startswith("index/x ")]
    assert "✗ the key 'sources' is missing" in line


def test_runs_of_another_flow_with_that_name_are_not_meant(project: Path, home: Path) -> None:
    (project / "night.yaml").write_text("flow: nightly\nname: handbook\nindex: [handbook.yaml]\n")
    ledger = open_ledger(home)
    part = {"failed": True, "hint": "allow it once with --allow-deletes"}
    night = {"flow": "nightly", "status": "parts_failed", "headline": "1 of 2 parts failed: …"}
    save_outcome(ledger, "run-1", "handbook", {**night, "parts": [{"failed": False}, part]})
    found = status(home)
    flows = {flow["name"]: flow for flow in found["flows"]}
    assert flows["index/handbook"]["last"] is None
    last = flows["nightly/handbook"]["last"]
    assert last is not None
    assert (last["state"], last["type"]) == ("parts_failed", "FAILED")
    (alert,) = [alert for alert in found["alerts"] if alert["kind"] == "flow"]
    assert "1 of 2 parts failed" in alert["message"]
    assert alert["hint"] == "allow it once with --allow-deletes"


def test_the_row_of_an_evaluation_shows_its_verdict_in_local_time(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = StatusLook(home)
    outcome = {"flow": "evaluate", "status": "decided", "verdict": "inconclusive", "reason": "few"}
    ledger = open_ledger(home)
    save_outcome(ledger, "run-1", "desk", outcome)
    shown = flow_shown(look, Scheduled("evaluate.yaml", "evaluate", "desk"), ledger)
    assert shown["last"] is not None
    assert (shown["last"]["state"], shown["last"]["verdict"]) == ("decided", "inconclusive")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        told = drawing._last({**shown, "last": {**shown["last"], "at": "2026-07-01T12:00:00Z"}})
    finally:
        monkeypatch.undo()
        time.tzset()
    assert told == "inconclusive 2026-07-01 08:00 EDT"


def test_an_alert_carries_the_hint_of_its_error(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "handbook.yaml").write_text(INDEX.replace("embed:", "embd:"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("LLMOPS_HOME", str(home))
    hints = {alert["kind"]: alert["hint"] for alert in status(home)["alerts"]}
    assert "did you mean embed?" in hints["config"]
    assert "start it, correct the address" in hints["server"]
    said = llmops("status").out
    assert f"home {home}" in said
    assert re.search(r"! .*unknown key 'embd' \(did you mean embed\?", said)


def published(home: Path, name: str, folder: Path) -> None:
    """A knowledge base that a config in a folder has built."""
    config = {"folder": str(folder), "store": {"name": "lancedb"}}
    version = {"kb": name, "version": 1, "status": "published", "collection": name}
    rest = {"config": config, "created_at": NOW, "published_at": NOW}
    with open_ledger(home).write() as connection:
        connection.execute(insert(knowledge_bases), {"name": name, "live": 1, "created_at": NOW})
        connection.execute(
            insert(versions), {**version, **rest, "cleared": False, "documents": 1, "chunks": 1}
        )


def test_a_base_that_was_renamed_in_its_config_is_not_silent(project: Path, home: Path) -> None:
    """Also where it has no schedule of its own."""
    text = INDEX.partition("schedule")[0]
    (project / "handbook.yaml").write_text(text)
    (project / "night.yaml").write_text("flow: nightly\nname: night\nindex: [handbook.yaml]\n")
    grid = "flow: compare\nname: grid\nbase: handbook.yaml\ngolden: golden.jsonl\ngrid: {}\n"
    published(home, "handbook", project)
    published(home, "of-another-project", project.parent / "other")
    published(home, "of-the-demo", home / "demo")
    assert kinds(status(home)) == []
    (project / "handbook.yaml").write_text(text.replace("handbook", "manual"))
    (alert,) = status(home)["alerts"]
    assert (alert["kind"], alert["about"]) == ("unbuilt", "handbook")
    assert "llmops kb drop handbook --yes" in alert["hint"]
    from llmops.deployments.pools import Pool

    told = list(remarks(Project.at(project, home), Pool("p"), []))
    assert any("'handbook': no config builds it any more" in each for each in told)
    (project / "grid.yaml").write_text(grid)
    assert "unbuilt" not in dict(kinds(status(home)))  # the grid is wrong, and may say more


def test_an_up_without_any_schedule_says_so_as_long_as_it_runs(project: Path, home: Path) -> None:
    home.mkdir()
    (project / "handbook.yaml").write_text(INDEX.partition("schedule")[0])
    assert kinds(status(home)) == []
    written = UpRecord(
        pid=os.getpid(), created=psutil.Process().create_time(), mark="m", folder=str(project)
    )
    record.write(home, written)
    (alert,) = status(home)["alerts"]
    assert (alert["kind"], alert["about"]) == ("idle", "up")
    assert "no config has a schedule" in alert["message"]
    assert "schedule: {cron:" in alert["hint"]


@pytest.mark.parametrize("scheduled", [True, False])
def test_up_says_beside_its_worker_that_it_has_nothing_to_run(
    project: Path, home: Path, scheduled: bool
) -> None:
    from llmops.deployments.up.parts import parts_of
    from llmops.deployments.up.servers import Chosen, Servers

    (project / "handbook.yaml").write_text(INDEX if scheduled else INDEX.partition("schedule")[0])
    yours = Chosen("http://127.0.0.1:1/api", "http://127.0.0.1:1", "PREFECT_API_URL")
    ports = {"prefect": 1, "mlflow": 2, "worker": 3}
    parts = parts_of(Project.at(project, home), Servers(yours, yours, {}), ports, lambda: None)
    assert ("no config has a schedule" in parts[-1].detail) is not scheduled
