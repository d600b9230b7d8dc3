"""What an alerter sees of a home, tells, and leaves out."""

import logging
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from sqlalchemy import insert

from llmops.deployments.alerting import house
from llmops.deployments.alerting.alerter import AlertSetup
from llmops.deployments.alerting.house import HouseWatch
from llmops.deployments.alerting.stores import StoresWatch, beside
from llmops.deployments.up import record
from llmops.deployments.up.record import PartRecord, UpRecord
from llmops.tasks.alerts.beats import last_beat
from llmops.tasks.alerts.names import WATCHED
from llmops.tasks.alerts.ruling import AlertRule
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.application import traces
from tests.deployments.alerting.houses import HOUR, MIDNIGHT, MINUTE, NONE, Watchman
from tests.ledgers import with_ledger


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "LLMOPS_MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return with_ledger(tmp_path / "home")


@pytest.fixture
def watchman(home: Path) -> Watchman:
    return Watchman(home, MIDNIGHT)


def test_a_home_where_nothing_is_wrong_tells_nobody(watchman: Watchman) -> None:
    watchman.look(3)
    assert (watchman.told, watchman.last.problems) == ([], ())
    assert watchman.last.observation.unknown == ()
    beat = last_beat(open_ledger(watchman.home))
    assert beat is not None
    assert (beat.at, beat.every_seconds) == (MIDNIGHT + 2 * MINUTE, 60)


def test_every_rule_that_a_config_may_name_is_watched() -> None:
    assert set(house.RULES) == set(WATCHED)


def asked(home: Path, at: datetime, count: int, status: str) -> None:
    rows = [
        {
            "id": f"tr-{status}-{n}-{at:%H%M}",
            "app": "helpdesk",
            "conversation": "",
            "person": "",
            "key_id": "",
            "status": status,
            "cost_usd": 0.0,
            "tokens": 0,
            "began_at": at,
            "stored_at": at,
        }
        for n in range(count)
    ]
    with open_ledger(home).write() as connection:
        connection.execute(insert(traces), rows)


def test_an_application_whose_last_five_answers_failed_is_told_until_one_goes_well(
    watchman: Watchman,
) -> None:
    asked(watchman.home, MIDNIGHT - 2 * MINUTE, 9, "ok")
    asked(watchman.home, MIDNIGHT - MINUTE, 4, "error")
    watchman.look(2)
    assert watchman.told == []
    asked(watchman.home, MIDNIGHT, 2, "error")
    watchman.look(1)
    (notice,) = watchman.sender.notices
    assert (notice.key, notice.message) == (
        "endpoint-down/helpdesk",
        "the last 6 answers of helpdesk failed",
    )
    watchman.until(MIDNIGHT + 2 * HOUR)
    assert len(watchman.told) == 1  # nobody asks, nobody knows
    asked(watchman.home, MIDNIGHT + 3 * HOUR, 1, "refused")
    watchman.until(MIDNIGHT + 3 * HOUR + MINUTE)
    assert watchman.told[1:] == [("resolved", "endpoint-down/helpdesk")]


def test_too_little_to_judge_by_is_no_warning(
    watchman: Watchman, caplog: pytest.LogCaptureFixture
) -> None:
    plan = watchman.setup.plan
    errors = AlertRule(name="errors", app="helpdesk", metric="error_rate", above=0.05)
    watchman.setup = AlertSetup(replace(plan, rules=(errors,)))
    with caplog.at_level(logging.INFO):
        watchman.look(2)
    (said,) = [each for each in caplog.records if "exchanges" in each.message]
    assert said.levelno == logging.INFO


def up_with(home: Path, *parts: PartRecord) -> None:
    me = psutil.Process()
    written = UpRecord(pid=me.pid, created=me.create_time(), mark="m", parts=parts)
    record.write(home, written)


def test_a_part_that_is_down_for_two_minutes_is_told_a_start_is_not(watchman: Watchman) -> None:
    home = watchman.home
    up_with(home, PartRecord(name="mlflow", healthy=False))
    watchman.look(2)
    up_with(home, PartRecord(name="mlflow", healthy=True, restarts=1))
    watchman.look(2)
    assert watchman.told == []
    up_with(home, PartRecord(name="mlflow", healthy=False, restarts=1))
    watchman.look(3)
    assert watchman.told == [("fired", "part-down/mlflow")]
    assert "is down; see" in watchman.sender.notices[0].message
    up_with(home, PartRecord(name="mlflow", healthy=True, restarts=2))
    watchman.look(3)
    assert watchman.told[1:] == [("resolved", "part-down/mlflow")]


def test_a_part_that_is_started_again_and_again_within_an_hour_is_told(watchman: Watchman) -> None:
    up_with(watchman.home, PartRecord(name="worker", healthy=True, restarts=7))
    watchman.look(2)
    assert watchman.told == []  # that was long ago
    up_with(watchman.home, PartRecord(name="worker", healthy=True, restarts=10))
    watchman.look(1)
    assert watchman.told == [("fired", "part-down/worker")]
    assert "started again 3 times" in watchman.sender.notices[0].message
    watchman.until(MIDNIGHT + 3 * HOUR)
    assert watchman.told[1:] == [("resolved", "part-down/worker")]


def test_the_alerter_says_nothing_of_itself(watchman: Watchman) -> None:
    up_with(watchman.home, PartRecord(name="alerts", healthy=False, restarts=9))
    watchman.look(5)
    assert watchman.told == []


def test_an_mlflow_that_does_not_answer_is_one_alert(
    watchman: Watchman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    watchman.look(2)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    watchman.look(3)
    assert watchman.told == [("fired", "part-down/mlflow"), ("resolved", "part-down/mlflow")]


@pytest.mark.parametrize("hours", [3, -3])
def test_a_clock_that_jumps_is_told_once_and_is_over_when_it_holds_still(
    watchman: Watchman, hours: int
) -> None:
    watchman.look(2)
    watchman.at += hours * HOUR
    watchman.look(4)
    assert watchman.told == [("fired", "clock/machine"), ("resolved", "clock/machine")]


def test_a_restart_of_the_machine_is_no_jump(watchman: Watchman) -> None:
    watchman.look(2)
    watchman.up_seconds = 5.0
    watchman.look(1)
    again = Watchman(watchman.home, watchman.at + HOUR)
    again.up_seconds = watchman.up_seconds + 3600
    again.look(3)
    assert [key for _, key in again.told] == []


def test_severities_are_those_of_the_config_and_off_is_off(
    watchman: Watchman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    found = HouseWatch(watchman.home, watch={"part-down": "info"}, stores=NONE)
    assert [each.severity for each in found(datetime.now(UTC)).conditions] == ["info"]
    found.watch = {"part-down": "off"}
    assert found(datetime.now(UTC)).conditions == ()


def test_a_look_that_cannot_be_made_changes_nothing_and_says_why(
    watchman: Watchman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    watchman.look(1)
    monkeypatch.setenv("PREFECT_API_URL", "no address")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    watchman.house.folder = Path(os.devnull)  # its configs cannot be read
    watchman.look(2)
    assert watchman.told[:1] == [("fired", "part-down/mlflow")]
    assert "flow-failed/" in watchman.last.observation.unknown
    assert watchman.last.problems


def test_the_month_that_costs_too_much_is_told(
    watchman: Watchman, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmops.tasks.ledger.tables import costs

    monkeypatch.setenv("LLMOPS_MONTHLY_BUDGET_USD", "5")
    row = {"day": "2026-06-03", "flow": "index", "name": "x", "model": "m"}
    with open_ledger(watchman.home).write() as connection:
        connection.execute(insert(costs), {**row, "calls": 1, "tokens": 1, "cost_usd": 7.0})
    watchman.look(1)
    assert watchman.told == [("fired", "spend/2026-06")]
    assert watchman.sender.notices[0].message == "$7.00 of $5.00 are spent"


def test_a_store_that_is_down_is_looked_at_each_minute_and_explains_what_failed(
    home: Path,
) -> None:
    wrong = {"handbook": "", "manual": ""}
    looked = []

    def look(_home: Path) -> dict[str, str]:
        looked.append(1)
        return dict(wrong)

    watchman = Watchman(home, MIDNIGHT, stores=StoresWatch(look))
    watchman.look(14)
    assert (len(looked), watchman.told) == (1, [])
    wrong["manual"] = "it is gone"
    watchman.look(3)
    assert (len(looked), watchman.told) == (3, [("fired", "store-down/manual")])
    (notice,) = watchman.sender.notices
    assert notice.message == "the live version cannot be read: it is gone"
    wrong["manual"] = ""
    watchman.look(3)
    assert watchman.told[1:] == [("resolved", "store-down/manual")]
    assert len(looked) == 4


def test_a_part_that_cannot_be_looked_at_hides_no_other(home: Path) -> None:
    def look(_home: Path) -> dict[str, str]:
        raise OSError("no more processes")

    watchman = Watchman(home, MIDNIGHT, stores=StoresWatch(look))
    asked(home, MIDNIGHT, 5, "error")
    watchman.look()
    assert watchman.told == [("fired", "endpoint-down/helpdesk")]
    assert watchman.last.observation.unknown == ("store-down/",)


def test_a_home_that_is_not_there_yet_has_no_store(tmp_path: Path) -> None:
    assert beside(tmp_path / "home") == {}
