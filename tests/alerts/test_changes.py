"""Rules about change: once a window, and wrong no more often than they say."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event

from llmops.tasks.alerts.changes import changed, window_end
from llmops.tasks.alerts.rules import rule_observation
from llmops.tasks.alerts.ruling import AlertRule, ChangeRule
from llmops.tasks.ledger import open_ledger
from tests.alerts.ledgers import asked, times
from tests.alerts.looks import MINUTE, NOON

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
MONDAY = NOON.replace(hour=0)
RISES = ChangeRule(direction="rises")
SLOWER = AlertRule(name="worse", app="helpdesk", metric="error_rate", window=WEEK, change=RISES)


def weeks(home: Path, *statuses: list[str]) -> None:
    """Seventy exchanges a week, the last week ends on MONDAY."""
    for number, dealt in enumerate(reversed(statuses)):
        begin = MONDAY - (number + 1) * WEEK
        asked(home, times(begin, 70, WEEK / 70), statuses=dealt)


FEW, MANY = ["error", *["ok"] * 19], ["error", "ok", "ok"]


def test_windows_begin_on_mondays_and_at_midnight() -> None:
    assert window_end(WEEK, NOON) == MONDAY
    assert window_end(WEEK, MONDAY + 59 * MINUTE) == MONDAY - WEEK
    assert window_end(WEEK, MONDAY + HOUR) == MONDAY
    assert window_end(DAY, MONDAY + 23 * HOUR) == MONDAY
    assert window_end(HOUR, NOON + 5 * MINUTE) == NOON - HOUR
    assert window_end(HOUR, NOON + 6 * MINUTE) == NOON


def test_what_rises_is_told_and_what_does_not_is_not(home: Path) -> None:
    weeks(home, FEW, FEW, FEW, FEW, MANY)
    [condition] = rule_observation(home, [SLOWER], NOON).conditions
    assert condition.message.startswith(
        "error_rate of helpdesk rose from 5.71 % to 34.3 % in the 7 days to 2026-11-30 00:00 UTC "
        "(70 exchanges against 280; p "
    )
    assert condition.since == MONDAY
    falls = ChangeRule(direction="falls")
    better = SLOWER.model_copy(update={"name": "better", "change": falls})
    assert rule_observation(home, [better], NOON).conditions == ()


def test_a_window_is_looked_at_once(home: Path) -> None:
    weeks(home, FEW, FEW, FEW, FEW, FEW)
    ledger, asked_for = open_ledger(home), list[str]()

    def heard(_c: object, _k: object, statement: str, *_: object) -> None:
        asked_for.append(statement)

    event.listen(ledger._engine, "before_cursor_execute", heard)
    for minutes in range(20):
        assert changed(ledger, SLOWER, RISES, NOON + minutes * MINUTE) is None
    assert sum("FROM traces" in each for each in asked_for) == 2
    # what comes later changes nothing of a window that was looked at, until the next one ends
    asked(home, times(MONDAY - WEEK, 60, HOUR), statuses=["error"] * 3, conversations=["x", "y"])
    assert changed(ledger, SLOWER, RISES, NOON + DAY) is None
    assert sum("FROM traces" in each for each in asked_for) == 2


def test_an_alert_lasts_until_the_next_window_has_ended(home: Path) -> None:
    weeks(home, FEW, FEW, FEW, FEW, MANY)
    ledger = open_ledger(home)
    first = changed(ledger, SLOWER, RISES, NOON)
    assert first is not None
    assert changed(ledger, SLOWER, RISES, NOON + 6 * DAY) == first
    asked(home, times(MONDAY, 70, WEEK / 70), statuses=FEW)
    assert changed(ledger, SLOWER, RISES, NOON + WEEK) is None


def test_a_rule_that_was_changed_looks_again(home: Path) -> None:
    weeks(home, FEW, FEW, FEW, FEW, MANY)
    ledger = open_ledger(home)
    assert changed(ledger, SLOWER, RISES, NOON) is not None
    other = SLOWER.model_copy(update={"metric": "refusal_rate"})
    assert changed(ledger, other, RISES, NOON) is None


def test_too_few_exchanges_say_nothing(home: Path) -> None:
    asked(home, times(MONDAY - WEEK, 70, WEEK / 70), statuses=MANY)
    seen = rule_observation(home, [SLOWER], NOON)
    assert seen.problems == ("worse/helpdesk: 70 and 0 exchanges are too few",)
    assert seen.unknown == ("worse/helpdesk",)


@pytest.mark.parametrize("metric", ["latency_p95_ms", "cost_usd", "score:grounded"])
def test_other_metrics_rise_too(home: Path, metric: str) -> None:
    random = np.random.default_rng(5)
    for number in range(5):
        factor = 2.0 if number == 0 else 1.0
        drawn = [float(each) for each in factor * random.lognormal(0, 0.5, 70)]
        begin = MONDAY - (number + 1) * WEEK
        asked(home, times(begin, 70, WEEK / 70), latencies=drawn, costs_usd=drawn, scores=drawn)
    rule = SLOWER.model_copy(update={"metric": metric})
    [condition] = rule_observation(home, [rule], NOON).conditions
    assert " rose from " in condition.message


@pytest.mark.slow
def test_nothing_changes_and_it_is_said_no_more_often_than_it_should(home: Path) -> None:
    """200 days on which nothing changes, at a level of 5 % a day: 10 alarms are expected at most,
    18 or more have a chance of 1.3 %.
    """
    random, days = np.random.default_rng(11), 204
    first = MONDAY - days * DAY
    statuses = [["ok", "error"][int(each)] for each in random.random(days * 30) < 0.2]
    asked(home, times(first, days * 30, DAY / 30), statuses=statuses)
    change = ChangeRule(direction="rises", false_alarms_per_year=0.05 * 365.25)
    rule = SLOWER.model_copy(update={"window": DAY, "change": change})
    looks = [first + number * DAY + 2 * HOUR for number in range(5, days + 1)]
    alarms = sum(changed(open_ledger(home), rule, change, at) is not None for at in looks)
    assert alarms < 18
