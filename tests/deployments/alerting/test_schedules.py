"""Whether a schedule is kept, by configs and the clock alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from llmops.configs.section import Schedule
from llmops.deployments.alerting.schedules import LATE, ScheduleFacts, late, missing
from llmops.deployments.times import Cron, cron_for, next_time

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
NIGHTLY = cron_for(Schedule(cron="0 3 * * *", timezone="UTC"))
SINCE = datetime(2026, 6, 1, 12, tzinfo=UTC)
DUE = datetime(2026, 6, 10, 3, tzinfo=UTC)
YESTERDAY = DUE - DAY
FACTS = ScheduleFacts("nightly/night", NIGHTLY, SINCE, began=YESTERDAY, good=YESTERDAY)


def test_nothing_that_began_is_late_after_ten_minutes() -> None:
    assert late(FACTS, DUE - MINUTE) is None
    assert late(FACTS, DUE + LATE) is None
    told = late(FACTS, DUE + LATE + MINUTE)
    assert told is not None
    assert (told.key, told.severity, told.since) == ("flow-late/nightly/night", "warning", DUE)
    assert "should have begun at 2026-06-10 03:00 UTC, 11 min ago" in told.message


def test_what_began_or_is_going_on_is_not_late() -> None:
    soon = DUE + timedelta(hours=2)
    assert late(replace(FACTS, began=DUE - timedelta(seconds=30)), soon) is None
    assert late(replace(FACTS, began=DUE + timedelta(hours=1)), soon) is None
    assert late(replace(FACTS, running=True), soon) is None


def test_a_schedule_that_nobody_deployed_or_that_came_after_its_time_is_not_late() -> None:
    assert late(replace(FACTS, since=None), DUE + DAY) is None
    assert late(replace(FACTS, since=DUE + MINUTE, began=None), DUE + timedelta(hours=9)) is None
    never = replace(FACTS, since=DUE - timedelta(hours=1), began=None, good=None)
    assert late(never, DUE + timedelta(hours=9)) is not None


def test_after_two_periods_it_is_critical_and_says_since_when() -> None:
    told = late(FACTS, DUE + 2 * DAY + timedelta(hours=1))
    assert told is not None
    assert (told.severity, told.since) == ("critical", DUE)
    assert told.message == (
        "should have begun at 2026-06-10 03:00 UTC, 2 days ago, and 2 more since"
    )


def test_runs_that_begin_and_never_end_well_are_missing_after_two_periods() -> None:
    hangs = replace(FACTS, began=DUE + 5 * DAY, running=True)
    assert missing(hangs, DUE + 2 * DAY + MINUTE) is None
    told = missing(hangs, DUE + 2 * DAY + LATE + MINUTE)
    assert told is not None
    assert (told.rule, told.severity) == ("flow-missing", "critical")
    assert "nothing has ended well since 2026-06-09 03:00 UTC: 3 times" in told.message
    assert missing(replace(hangs, since=None), DUE + 9 * DAY) is None


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", ["30 1 * * *", "30 2 * * *", "0 3 * * *", "@hourly"])
def test_a_year_in_which_each_run_begins_in_time_has_nothing_late(zone: str, cron: str) -> None:
    """Over both changes of the clocks: of each day every hour around the run is looked at."""
    when = cron_for(Schedule(cron=cron, timezone=zone))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    facts = ScheduleFacts("index/x", when, at)
    while at.year == 2026:
        due = next_time(when, at)
        assert due is not None
        for minutes in (1, 11, 50):  # nothing has begun for the next one
            early = due - timedelta(minutes=minutes)
            assert early <= at or late(facts, early) is None, early
        facts = replace(facts, began=due + timedelta(seconds=20), good=due)
        at = due
        for minutes in (1, 12, 55):
            assert late(facts, due + timedelta(minutes=minutes)) is None, due
            assert missing(facts, due + timedelta(minutes=minutes)) is None, due
        if cron == "@hourly" and at.day > 2 and at.month not in (3, 4, 10, 11):
            at += timedelta(days=20)
            facts = replace(facts, began=at, good=at)


def test_in_the_night_of_the_change_an_hour_more_is_waited() -> None:
    """Prefect runs what the clock skips an hour early."""
    when = Cron("30 2 * * *", "Europe/Berlin")
    before = datetime(2026, 3, 28, 1, 30, tzinfo=UTC)
    facts = ScheduleFacts("index/x", when, before - DAY, began=before, good=before)
    ran = replace(facts, began=datetime(2026, 3, 29, 0, 30, tzinfo=UTC))
    assert late(ran, datetime(2026, 3, 29, 12, tzinfo=UTC)) is None
    told = late(facts, datetime(2026, 3, 29, 12, tzinfo=UTC))
    assert told is not None
