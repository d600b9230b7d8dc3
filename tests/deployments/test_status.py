"""`llmops status` shows what there is, when all runs and when nothing does, and what is amiss."""

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from llmops.deployments import status as looking
from llmops.deployments.status import stale_after, status
from llmops.deployments.up import record
from llmops.deployments.up.record import PartRecord, UpRecord
from llmops.tasks.calls.costs import CostEntry, Payer, book
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.runs import save_outcome
from tests.commandline import llmops
from tests.deployments.desk import INDEX, kinds
from tests.deployments.fake_prefect import FakePrefect, state

NOW = datetime.now(UTC)


def test_where_nothing_runs_it_says_so_and_leaves_no_trace(project: Path, home: Path) -> None:
    found = status(home)
    assert (found["project"], found["up"], found["parts"]) == ("helpdesk", None, [])
    assert [(server["name"], server["why"]) for server in found["servers"]] == [
        ("prefect", "the home's own"),
        ("mlflow", "the home's own"),
    ]
    (flow,) = found["flows"]
    assert flow["name"] == "index/handbook"
    assert flow["last"] is None
    assert flow["next"] is not None
    assert datetime.fromisoformat(flow["next"]) > NOW
    assert kinds(found) == [("idle", "up")]
    assert not home.exists()


def test_for_people_it_is_a_few_lines(project: Path) -> None:
    said = llmops("status")
    assert said.code == 0, said.err
    assert "index/handbook" in said.out
    assert "0 3 * * * Europe/Berlin" in said.out
    assert "! up: nothing runs the schedules: start `llmops up`" in said.out
    assert llmops("status", "--json").data["project"] == "helpdesk"


def test_parts_that_are_down_or_restless_are_alerts(project: Path, home: Path) -> None:
    home.mkdir()
    me = psutil.Process()
    parts = (
        PartRecord(name="prefect", url="http://127.0.0.1:1", healthy=True, pid=2),
        PartRecord(name="mlflow", url="http://127.0.0.1:3", healthy=True, pid=4, restarts=3),
        PartRecord(name="worker", healthy=False, restarts=1),
    )
    written = UpRecord(
        pid=os.getpid(), created=me.create_time(), mark="m", folder=str(project), parts=parts
    )
    record.write(home, written)
    found = status(home, None)
    assert found["up"] is not None
    assert found["up"]["pid"] == os.getpid()
    assert [part["healthy"] for part in found["parts"]] == [True, True, False]
    assert kinds(found) == [("part", "mlflow"), ("part", "worker")]


def test_a_part_whose_first_process_is_young_starts(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    monkeypatch.setenv("LLMOPS_HOME", str(home))
    me, just = psutil.Process(), time.time() - 5
    young = PartRecord(name="app", pid=7, created=just)
    parts = (young, young.model_copy(update={"name": "worker", "restarts": 1}))
    written = UpRecord(
        pid=os.getpid(), created=me.create_time(), mark="m", folder=str(project), parts=parts
    )
    record.write(home, written)
    said = llmops("status").out
    assert [part["starting"] for part in status(home)["parts"]] == [True, False]
    assert "! app: is starting" in said
    assert "! worker: is down" in said


def test_a_probe_asks_whether_all_parts_of_a_running_up_are_well(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    monkeypatch.setenv("LLMOPS_HOME", str(home))
    said = llmops("status", "--healthy", "--json")
    assert (said.code, said.data) == (1, {"healthy": False, "up": False, "not_well": []})
    well = PartRecord(name="prefect", url="http://127.0.0.1:1", healthy=True, pid=2)
    me = psutil.Process()
    for parts, code, ill in (
        ((well,), 0, []),
        ((well, PartRecord(name="worker", healthy=False)), 1, ["worker"]),
    ):
        written = UpRecord(pid=os.getpid(), created=me.create_time(), mark="m", parts=parts)
        record.write(home, written)
        said = llmops("status", "--healthy", "--json")
        assert (said.code, said.data["not_well"]) == (code, ill)


def test_without_a_server_the_ledger_says_how_the_last_run_ended(project: Path, home: Path) -> None:
    outcome = {"flow": "index", "status": "blocked", "reason": "the gate says rejected"}
    save_outcome(open_ledger(home), "run-1", "handbook", outcome)
    found = status(home)
    last = found["flows"][0]["last"]
    assert last is not None
    assert (last["state"], last["run_id"]) == ("blocked", "run-1")
    assert ("flow", "index/handbook") in kinds(found)
    assert any("the gate says rejected" in alert["message"] for alert in found["alerts"])


def test_the_spend_of_the_month_is_that_of_all_flows(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    paid = [(NOW, "evaluate", 0.5), (first, "serve", 0.3), (first, "index", 0.35)]
    with open_ledger(home).write() as connection:
        for at, flow, usd in (*paid, (first - timedelta(hours=1), "index", 7.0)):
            book(connection, [CostEntry(Payer(flow, "desk"), "m", 1, usd)], at)
    spend = status(home)["spend"]
    assert spend is not None
    assert (round(spend["usd"], 9), spend["calls"], spend["budget_usd"]) == (1.15, 3, None)
    monkeypatch.setenv("LLMOPS_MONTHLY_BUDGET_USD", "1")
    assert ("spend", f"{NOW:%Y-%m}") in kinds(status(home))
    monkeypatch.setenv("LLMOPS_MONTHLY_BUDGET_USD", "2")
    assert ("spend", f"{NOW:%Y-%m}") not in kinds(status(home))


def test_a_ledger_that_cannot_be_read_is_an_alert(project: Path, home: Path) -> None:
    home.mkdir()
    (home / "ledger.db").write_text("no database " * 100)
    found = status(home)
    assert ("ledger", str(home)) in kinds(found)
    assert found["knowledge_bases"] == []
    assert len(found["flows"]) == 1


@pytest.mark.parametrize(
    ("cron", "days"), [("0 3 * * *", 2), ("* * * * *", 2 / 1440), ("0 3 * * 1", 14)]
)
def test_a_base_is_stale_after_two_periods(cron: str, days: float) -> None:
    assert stale_after(cron, "UTC") == timedelta(days=days)


@pytest.fixture
def prefect(monkeypatch: pytest.MonkeyPatch, project: Path) -> Iterator[FakePrefect]:
    """A server of the user's."""
    with FakePrefect.serving() as server:
        monkeypatch.setenv("PREFECT_API_URL", server.url)
        yield server


def test_a_server_of_the_users_says_what_ran_and_what_is_next(
    project: Path, home: Path, prefect: FakePrefect
) -> None:
    ended = (NOW - timedelta(hours=1)).isoformat()
    blocked = state("FAILED", "Blocked", "the gate says rejected")
    coming = NOW + timedelta(hours=2)
    prefect.add("last", NOW, blocked, end_time=ended)
    prefect.add("next", coming, state("SCHEDULED"))
    found = status(home)
    (flow,) = found["flows"]
    assert flow["next"] == coming.isoformat()
    assert flow["last"] is not None
    assert (flow["last"]["state"], flow["last"]["at"]) == ("Blocked", ended)
    assert found["servers"][0]["why"].startswith("PREFECT_API_URL")
    assert found["servers"][0]["answers"]
    assert kinds(found) == [("flow", "index/handbook")]  # a worker may run elsewhere: not idle


@pytest.mark.parametrize(("late", "running", "alert"), [(1, 0, False), (5, 0, True), (5, 1, False)])
def test_a_run_that_should_have_begun_is_overdue(
    project: Path, home: Path, prefect: FakePrefect, late: int, running: int, alert: bool
) -> None:
    due = datetime.now(UTC) - timedelta(minutes=late)
    prefect.add("next", due, state("SCHEDULED", "Late"))
    for _ in range(running):
        prefect.add("now", due, state("RUNNING"))
    found = status(home)
    assert (("overdue", "index/handbook") in kinds(found)) == alert
    assert found["flows"][0]["running"] == running


def test_what_is_scheduled_and_not_registered_is_an_alert(
    project: Path, home: Path, prefect: FakePrefect
) -> None:
    prefect.deployments.clear()
    found = status(home)
    assert [alert["message"] for alert in found["alerts"]] == [
        "is scheduled, but not registered: `llmops deploy`, or `up`"
    ]


def test_servers_of_the_users_that_do_not_answer_are_named_with_their_variables(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://u:secret@127.0.0.1:9")
    found = status(home)
    assert [server["answers"] for server in found["servers"]] == [False, False]
    said = " ".join(alert["message"] for alert in found["alerts"])
    assert "PREFECT_API_URL" in said
    assert "MLFLOW_TRACKING_URI" in said
    assert "secret" not in json.dumps(found)


def test_mlflow_has_as_long_to_answer_as_prefect(
    project: Path, home: Path, prefect: FakePrefect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakePrefect.serving() as slow:  # it answers any address
        slow.wait = 2.0
        monkeypatch.setenv("MLFLOW_TRACKING_URI", slow.url)
        assert status(home)["servers"][1]["answers"]
        monkeypatch.setattr(looking, "SECONDS", 0.5)
        assert not status(home)["servers"][1]["answers"]


def test_a_login_in_the_address_is_used_and_not_shown(
    project: Path, home: Path, prefect: FakePrefect, monkeypatch: pytest.MonkeyPatch
) -> None:
    coming = NOW + timedelta(hours=2)
    prefect.add("next", coming, state("SCHEDULED"))
    prefect.wants = "Basic YW15OnMzY3JldA=="
    monkeypatch.setenv("PREFECT_API_URL", prefect.url.replace("//", "//amy:s3cret@"))
    found = status(home)
    assert found["flows"][0]["next"] == coming.isoformat()
    assert kinds(found) == []
    prefect.refuses = True
    found = status(home)
    assert kinds(found) == [("server", "prefect")]
    assert "s3cret" not in json.dumps(found)


@pytest.mark.parametrize(("wait", "most"), [(0.3, 4), (2.0, 1)])
def test_a_slow_server_is_asked_for_a_few_seconds_in_all(
    project: Path,
    home: Path,
    prefect: FakePrefect,
    monkeypatch: pytest.MonkeyPatch,
    wait: float,
    most: int,
) -> None:
    for name in ("manuals", "notices"):
        (project / f"{name}.yaml").write_text(INDEX.replace("handbook", name))
    monkeypatch.setattr(looking, "SECONDS", 1.0)
    prefect.wait = wait
    found = status(home)
    assert len(prefect.asked) <= most
    (alert,) = found["alerts"]
    assert (alert["kind"], alert["about"]) == ("server", "prefect")
    assert "does not answer" in alert["message"]
    assert len(found["flows"]) == 3
    assert all(flow["next"] for flow in found["flows"])
