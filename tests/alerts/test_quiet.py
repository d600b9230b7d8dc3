"""Hours in which nobody is woken."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from llmops.tasks.alerts.policy import Recipient
from llmops.tasks.alerts.quiet import QuietHours
from tests.alerts.looks import House, wrong

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(begins=time(22), ends=time(7), timezone="Europe/Berlin")
MONDAY = datetime(2026, 11, 30, tzinfo=BERLIN)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("at", "due"),
    [
        ("2026-11-30 21:59", "2026-11-30 21:59"),
        ("2026-11-30 22:00", "2026-12-01 07:00"),
        ("2026-12-01 06:59", "2026-12-01 07:00"),
        ("2026-12-01 07:00", "2026-12-01 07:00"),
        # the clocks are set forward and back: 7 o'clock is 7 o'clock
        ("2026-03-28 23:00", "2026-03-29 07:00"),
        ("2026-03-29 06:30", "2026-03-29 07:00"),
        ("2026-10-24 23:00", "2026-10-25 07:00"),
        ("2026-10-25 06:30", "2026-10-25 07:00"),
    ],
)
def test_what_comes_in_the_night_is_told_in_the_morning(at: str, due: str) -> None:
    moment = berlin(at).astimezone(UTC)
    assert NIGHT.due("warning", moment) == berlin(due)
    assert NIGHT.due("critical", moment) == moment


@pytest.mark.parametrize(
    ("begins", "ends", "at", "due"),
    [
        # from 2 to 3 there is no time: nothing is quiet that lies in it
        (time(2), time(2, 30), "2026-03-29 03:00", "2026-03-29 03:00"),
        (time(2, 30), time(3), "2026-03-29 03:10", "2026-03-29 03:10"),
        # what ends in it ends at the jump, what begins in it begins there
        (time(22), time(2, 30), "2026-03-29 01:59", "2026-03-29 03:00"),
        (time(22), time(2, 30), "2026-03-29 03:01", "2026-03-29 03:01"),
        (time(2, 30), time(7), "2026-03-29 03:00", "2026-03-29 07:00"),
        # an hour that comes twice: the first counts
        (time(22), time(2, 30), "2026-10-25 02:20", "2026-10-25 02:30"),
    ],
)
def test_an_hour_that_the_clocks_skip_is_quiet_for_nobody(
    begins: time, ends: time, at: str, due: str
) -> None:
    quiet = QuietHours(begins=begins, ends=ends, timezone="Europe/Berlin")
    assert quiet.due("info", berlin(at).astimezone(UTC)) == berlin(due).astimezone(UTC)


def test_the_jump_is_where_the_zone_has_it() -> None:
    """On Lord Howe the clocks go forward by half an hour."""
    island = ZoneInfo("Australia/Lord_Howe")
    quiet = QuietHours(begins=time(22), ends=time(2, 15), timezone=island.key)
    end = quiet.due("info", datetime(2026, 10, 4, 1, 50, tzinfo=island).astimezone(UTC))
    assert end == datetime(2026, 10, 4, 2, 30, tzinfo=island)


def test_days_are_those_on_which_the_quiet_begins() -> None:
    weekend = QuietHours(begins=time(18), ends=time(8), days=(4, 5, 6), timezone="Europe/Berlin")
    friday, monday = berlin("2026-12-04 18:00"), berlin("2026-12-07 07:59")
    assert weekend.due("info", friday) == berlin("2026-12-05 08:00")
    assert weekend.due("info", berlin("2026-12-05 12:00")) == berlin("2026-12-05 12:00")
    assert weekend.due("info", monday) == berlin("2026-12-07 08:00")
    assert weekend.due("info", berlin("2026-12-03 23:00")) == berlin("2026-12-03 23:00")


def test_quiet_hours_that_follow_on_each_other_are_one() -> None:
    always = QuietHours(begins=time(8), ends=time(8), days=(5, 6), timezone="Europe/Berlin")
    assert always.due("info", berlin("2026-12-05 09:00")) == berlin("2026-12-07 08:00")
    ever = QuietHours(begins=time(8), ends=time(8))
    assert ever.due("info", MONDAY) > MONDAY + timedelta(days=6)


@pytest.fixture
def house(home: Path) -> House:
    return House(home, at=berlin("2026-11-30 23:00").astimezone(UTC), quiet=NIGHT)


def morning(house: House) -> None:
    house.at = berlin("2026-12-01 07:00").astimezone(UTC)


def test_what_is_critical_is_told_at_once_with_its_recovery(house: House) -> None:
    house.look(wrong(severity="critical"))
    house.look(times=2)
    assert [kind for kind, _ in house.sender.sent] == ["fired", "resolved"]


def test_what_is_still_wrong_in_the_morning_is_told_then(house: House) -> None:
    house.look(wrong(), times=10)
    assert house.sender.sent == []
    morning(house)
    house.look(wrong())
    assert house.sender.sent == [("fired", "warning")]
    house.look(times=2)
    assert house.sender.sent[-1] == ("resolved", "warning")


def test_what_came_and_went_is_a_line_in_the_morning(house: House) -> None:
    house.look(wrong("disk-low", message="9 GB are free"), wrong("clock"))
    house.look(wrong("clock"), times=3)
    house.look(times=3)
    assert house.sender.sent == []
    morning(house)
    house.look(times=3)
    [notice] = house.sender.notices
    assert (notice.kind, notice.message) == ("history", "2 alerts came and went in quiet hours")
    assert notice.lines == (
        "23:00 to 23:01: disk-low/index/handbook: 9 GB are free",
        "23:00 to 23:04: clock/index/handbook: no",
    )


def test_what_gets_worse_in_the_night_is_told_at_once(house: House) -> None:
    house.look(wrong())
    house.look(wrong(severity="critical"))
    assert house.sender.sent == [("fired", "critical")]
    morning(house)
    house.look(wrong(severity="critical"))
    assert house.sender.sent == [("fired", "critical")]


def test_what_began_before_the_night_is_told_as_over_in_the_morning(house: House) -> None:
    house.at = berlin("2026-11-30 21:58").astimezone(UTC)
    house.look(wrong(), times=3)
    house.look(times=2)
    assert house.sender.sent == [("fired", "warning")]
    morning(house)
    house.look()
    assert [kind for kind, _ in house.sender.sent] == ["fired", "resolved"]


def test_what_is_over_and_back_before_anybody_heard_is_told_to_nobody(house: House) -> None:
    house.at = berlin("2026-11-30 21:58").astimezone(UTC)
    house.look(wrong(), times=3)
    house.look(times=2)
    house.look(wrong())
    morning(house)
    house.look(wrong())
    assert house.sender.sent == [("fired", "warning")]


def test_machines_that_keep_count_are_told_at_once(home: Path) -> None:
    always = (Recipient(sender="me", always=True),)
    house = House(home, at=berlin("2026-11-30 23:00"), quiet=NIGHT, recipients=always)
    house.look(wrong())
    house.look(times=2)
    assert [kind for kind, _ in house.sender.sent] == ["fired", "resolved"]
