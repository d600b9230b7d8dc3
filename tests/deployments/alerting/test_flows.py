"""Flows that failed, were blocked, cut or never began, by the ledger and by Prefect."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmops.deployments.alerting.flows import Memory, flow_facts, flow_observation
from llmops.deployments.alerting.surveying import ProjectSurvey
from llmops.deployments.prefect_api import PrefectApi
from llmops.tasks.alerts.causes import Cause
from llmops.tasks.alerts.condition import Condition
from llmops.tasks.alerts.history import RunHistory
from llmops.tasks.ledger import open_ledger
from tests.deployments.alerting.houses import (
    DAY,
    HOUR,
    INDEX,
    MIDNIGHT,
    MINUTE,
    SURVEY,
    claimed,
    ran,
)
from tests.deployments.fake_prefect import FakePrefect, state
from tests.ledgers import with_ledger

KEY = "index/handbook"
THREE = MIDNIGHT + 3 * HOUR


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return with_ledger(tmp_path / "home")


@pytest.fixture
def prefect() -> Iterator[FakePrefect]:
    with FakePrefect.serving() as fake:
        made = (MIDNIGHT - DAY).isoformat()
        fake.deployments[0] |= {
            "tags": ["llmops", "project:desk", "flow:index"],
            "schedules": [{"active": True, "created": made}],
        }
        yield fake


def looked(
    home: Path,
    at: datetime,
    *,
    api: PrefectApi | None = None,
    survey: ProjectSurvey = SURVEY,
    memory: Memory | None = None,
    told: Sequence[Cause] = (),
    since_up: datetime | None = MIDNIGHT - DAY,
) -> list[Condition]:
    ledger = open_ledger(home)
    facts = flow_facts(ledger, RunHistory(), api, survey.tags)
    kept = {} if memory is None else memory
    return list(flow_observation(ledger, facts, survey, told, kept, since_up, at).conditions)


def test_runs_that_fail_one_after_the_other_are_one_alert_with_the_first_error(home: Path) -> None:
    ran(home, "0", THREE - 2 * DAY)
    ran(home, "1", THREE - DAY, status="failed", reason="6 of 10 documents failed", hint="look")
    (first,) = looked(home, THREE)
    assert (first.key, first.message) == (f"flow-failed/{KEY}", "6 of 10 documents failed")
    assert (first.severity, first.hint, first.since) == ("critical", "look", THREE - DAY)
    ran(home, "2", THREE, status="blocked", reason="the folder is gone")
    (both,) = looked(home, THREE + MINUTE)
    assert (both.key, both.value) == (first.key, 2)
    assert both.message == (
        "6 of 10 documents failed; 1 more since, the last at 2026-06-10 03:00 UTC: "
        "the folder is gone"
    )
    ran(home, "3", THREE + HOUR, status="unchanged")
    assert looked(home, THREE + 2 * HOUR) == []


def test_a_build_that_a_guard_stopped_is_blocked(home: Path) -> None:
    ran(home, "1", THREE, status="blocked", reason="the gate says no")
    (told,) = looked(home, THREE + MINUTE)
    assert (told.key, told.severity) == (f"flow-blocked/{KEY}", "warning")


def test_what_no_schedule_runs_is_not_watched(home: Path) -> None:
    by_hand = INDEX.model_copy(update={"schedule": None})
    ran(home, "1", THREE, status="failed", reason="no")
    assert looked(home, THREE, survey=SURVEY.model_copy(update={"configs": (by_hand,)})) == []
    night = INDEX.model_copy(update={"flow": "nightly", "name": "night", "parts": (KEY,)})
    survey = SURVEY.model_copy(update={"configs": (by_hand, night)})
    keys = {each.key for each in looked(home, THREE, survey=survey)}
    assert f"flow-failed/{KEY}" in keys


def test_what_failed_while_something_else_was_told_is_left_out(home: Path) -> None:
    ran(home, "1", THREE, status="failed", reason="the store does not answer")
    down = Cause("store-down", "handbook", THREE, THREE + HOUR)
    assert looked(home, THREE + 2 * HOUR, told=[down]) == []
    ran(home, "2", THREE + DAY, status="failed", reason="something else")
    (told,) = looked(home, THREE + DAY + MINUTE, told=[down])
    assert (told.message, told.value) == ("something else", 1)


def test_a_run_that_was_cut_is_an_alert_until_one_ends_well(home: Path) -> None:
    claimed(home, "1", THREE, dead=True)
    (cut,) = looked(home, THREE + MINUTE)
    assert (cut.key, cut.message) == (
        f"flow-failed/{KEY}",
        "was cut: its process ended before it did",
    )
    claimed(home, "2", THREE + HOUR, dead=False)  # it is run again
    assert looked(home, THREE + HOUR) == [], "somebody works on it"
    ran(home, "2", THREE + HOUR + MINUTE)
    assert looked(home, THREE + 2 * HOUR) == []


def test_what_raised_is_known_from_prefect_alone(home: Path, prefect: FakePrefect) -> None:
    raised = "Flow run encountered an exception: Unavailable: the wiki does not answer"
    when = {"start_time": THREE.isoformat(), "end_time": (THREE + MINUTE).isoformat()}
    prefect.add("calm-owl", THREE, state("FAILED", message=raised), **when)
    claimed(home, "calm-owl-0", THREE, dead=True)  # its process has ended, as it should
    (told,) = looked(home, THREE + HOUR, api=PrefectApi(prefect.url))
    assert (told.key, told.value) == (f"flow-failed/{KEY}", 1)
    assert told.message == "Unavailable: the wiki does not answer"


def test_a_run_that_a_person_cancelled_is_no_failure(home: Path, prefect: FakePrefect) -> None:
    when = {"start_time": THREE.isoformat(), "end_time": (THREE + MINUTE).isoformat()}
    prefect.add("calm-owl", THREE, state("CANCELLED"), **when)
    claimed(home, "calm-owl-0", THREE, dead=True)
    assert looked(home, THREE + HOUR, api=PrefectApi(prefect.url)) == []


def test_late_is_told_also_when_prefect_is_down_which_said_before_that_it_is_deployed(
    home: Path, prefect: FakePrefect
) -> None:
    memory: Memory = {}
    claimed(home, "1", THREE - DAY, dead=False)
    ran(home, "1", THREE - DAY)
    api = PrefectApi(prefect.url)
    assert looked(home, THREE, api=api, memory=memory, since_up=None) == []
    assert memory == {KEY: (MIDNIGHT - DAY).isoformat()}
    prefect.refuses = True
    (late,) = looked(home, THREE + HOUR, api=api, memory=memory, since_up=None)
    assert late.key == f"flow-late/{KEY}"
    claimed(home, "2", THREE + HOUR, dead=False)
    assert looked(home, THREE + HOUR, api=api, memory=memory, since_up=None) == []


@pytest.mark.parametrize(
    "change",
    [
        {"paused": True},
        {"schedules": []},
        {"schedules": [{"active": False, "created": "2026-01-01T00:00:00Z"}]},
        {"schedules": [{"active": True, "created": (THREE + MINUTE).isoformat()}]},
    ],
)
def test_a_schedule_that_is_paused_or_new_is_not_late(
    home: Path, prefect: FakePrefect, change: dict[str, object]
) -> None:
    prefect.deployments[0] |= change
    memory: Memory = {}
    assert looked(home, THREE + 2 * HOUR, api=PrefectApi(prefect.url), memory=memory) == []
    prefect.deployments.clear()
    assert looked(home, THREE + 2 * HOUR, api=PrefectApi(prefect.url), memory=memory) == []
    assert memory == {KEY: None}


def test_an_up_that_runs_registers_all_schedules(home: Path) -> None:
    assert looked(home, THREE + HOUR, since_up=None) == []  # nobody knows
    assert [each.rule for each in looked(home, THREE + HOUR)] == ["flow-late"]
    assert looked(home, THREE + HOUR, since_up=THREE + MINUTE) == []


def test_a_config_that_cannot_be_read_is_an_alert(home: Path) -> None:
    from llmops.deployments.alerting.surveying import WrongConfig

    wrong = WrongConfig(file="bad.yaml", name="index/x", message="unknown key 'embd'", hint="embed")
    survey = SURVEY.model_copy(update={"wrong": (wrong,), "configs": ()})
    (told,) = looked(home, datetime.now(UTC), survey=survey)
    assert (told.key, told.message, told.hint) == (
        "config-wrong/bad.yaml",
        "unknown key 'embd'",
        "embed",
    )
