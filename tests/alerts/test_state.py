"""When something wrong counts as an alert, when it is over, and how often people hear of it."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from llmops.tasks.alerts.condition import Condition, Observation
from llmops.tasks.alerts.policy import AlertPolicy, Recipient
from llmops.tasks.alerts.state import take
from llmops.tasks.ledger import open_ledger
from tests.alerts.looks import MINUTE, NOON, House, wrong

HOUR = timedelta(hours=1)


def test_something_wrong_is_told_once_and_its_end_once(home: Path) -> None:
    house = House(home)
    assert [each.key for each in house.look(wrong()).fired] == ["flow-failed/index/handbook"]
    assert house.look(wrong(message="again"), times=5).fired == ()
    assert house.sender.sent == [("fired", "warning")]
    assert house.alerts[0].message == "again"
    assert house.look().resolved == ()
    assert house.alerts[0].status == "clearing"
    assert len(house.look().resolved) == 1
    assert house.look(times=3).resolved == ()
    assert house.sender.sent == [("fired", "warning"), ("resolved", "warning")]
    fired, resolved = house.sender.notices
    assert fired.key == resolved.key
    assert fired.id != resolved.id
    assert house.alerts[0].looks == 6


def test_one_look_without_it_is_no_recovery(home: Path) -> None:
    house = House(home)
    house.look(wrong())
    for _ in range(3):
        house.look()
        house.look(wrong())
    assert house.sender.sent == [("fired", "warning")]


def test_a_moments_trouble_wakes_nobody(home: Path) -> None:
    house = House(home, after={"flow-failed": timedelta(minutes=5)})
    house.look(wrong(), times=4)
    house.look()
    house.look(wrong(), times=5)
    assert house.sender.sent == []
    assert [each.status for each in house.alerts] == ["pending"]
    assert len(house.look(wrong()).fired) == 1
    assert house.sender.sent == [("fired", "warning")]
    house.look(times=2)
    assert house.sender.sent == [("fired", "warning"), ("resolved", "warning")]


def test_what_nobody_could_look_at_stays_as_it_is(home: Path) -> None:
    house = House(home)
    house.look(wrong())
    house.look(unknown=("flow-failed/",), times=10)
    assert [each.status for each in house.alerts] == ["firing"]
    house.look()
    house.look(unknown=("flow-",))
    assert len(house.look().resolved) == 1


def test_it_takes_as_long_to_be_over_as_the_config_says(home: Path) -> None:
    house = House(home, clears_after=timedelta(minutes=10))
    house.look(wrong())
    assert house.look(times=10).resolved == ()
    assert len(house.look().resolved) == 1


def test_a_severity_that_rises_is_told_once(home: Path) -> None:
    house = House(home)
    for severity in (
        "info",
        "info",
        "warning",
        "info",
        "warning",
        "critical",
        "warning",
        "critical",
    ):
        house.look(wrong(severity=severity))
    assert house.sender.sent == [("fired", each) for each in ("info", "warning", "critical")]
    house.look(times=2)
    assert house.sender.sent[-1] == ("resolved", "critical")


def test_a_sender_for_what_is_critical_hears_of_nothing_else(home: Path) -> None:
    house = House(home, recipients=(Recipient(sender="me", least="critical"),))
    house.look(wrong("disk-low"), wrong("flow-failed", "critical"))
    house.look(times=2)
    assert [each.rule for each in house.sender.notices] == ["flow-failed", "flow-failed"]


def test_a_critical_alert_is_told_again_each_day_and_a_warning_never(home: Path) -> None:
    house = House(home, remind_after=timedelta(minutes=8))
    house.look(wrong("disk-low"), wrong("store-down", "critical"), times=26)
    kinds = [(each.kind, each.rule) for each in house.sender.notices]
    assert kinds.count(("reminder", "store-down")) == 3
    assert ("reminder", "disk-low") not in kinds


def test_what_comes_and_goes_is_told_twice_and_then_only_when_it_stays_away(home: Path) -> None:
    house = House(home)
    for _ in range(5):
        house.look(wrong(), times=2)
        house.look(times=3)
    assert [kind for kind, _ in house.sender.sent] == ["fired", "resolved", "fired"]
    assert house.sender.notices[-1].returns == 1
    assert len(house.alerts) == 1
    house.look(times=28)
    assert [kind for kind, _ in house.sender.sent] == ["fired", "resolved", "fired", "resolved"]
    house.look(times=31)
    assert len(house.look(wrong()).fired) == 1
    assert len(house.alerts) == 2


@pytest.mark.parametrize("jump", [5 * HOUR, -5 * HOUR, 400 * 24 * HOUR, -400 * 24 * HOUR])
def test_a_clock_that_jumps_fires_and_ends_nothing(home: Path, jump: timedelta) -> None:
    house = House(home, after={"slow": 10 * MINUTE}, clears_after=10 * MINUTE)
    house.look(wrong("flow-failed"), wrong("gone"), wrong("slow"), times=2)
    house.look(wrong("flow-failed"), wrong("slow"))
    house.at += jump
    taken = house.look(wrong("flow-failed"), wrong("slow"))
    assert (taken.fired, taken.resolved) == ((), ())
    house.at -= jump
    taken = house.look(wrong("flow-failed"), wrong("slow"))
    assert (taken.fired, taken.resolved) == ((), ())
    assert len(house.sender.sent) == 2
    house.look(wrong("flow-failed"), wrong("slow"), times=8)
    assert sorted((each.kind, each.rule) for each in house.sender.notices) == [
        ("fired", "flow-failed"),
        ("fired", "gone"),
        ("fired", "slow"),
        ("resolved", "gone"),
    ]
    for each in house.alerts:
        assert (
            each.began_at <= (each.fired_at or each.seen_at) <= (each.resolved_at or each.seen_at)
        )


def test_an_alert_is_over_only_for_those_who_look_for_it(home: Path) -> None:
    house = House(home)
    house.look(wrong())
    other = AlertPolicy(owner="by hand")
    for minutes in range(1, 5):
        assert take(home, Observation(), other, NOON + minutes * MINUTE).resolved == ()
    later = [take(home, Observation(), other, NOON + n * MINUTE).resolved for n in range(20, 25)]
    assert sum(len(each) for each in later) == 1
    house.at = NOON + 30 * MINUTE
    house.look()
    assert [kind for kind, _ in house.sender.sent] == ["fired", "resolved"]


def test_of_two_that_say_the_same_the_worse_counts(home: Path) -> None:
    house = House(home)
    house.look(wrong(severity="info"), wrong(severity="critical"), wrong(severity="warning"))
    assert house.sender.sent == [("fired", "critical")]


def test_odd_texts_are_kept_in_one_line(home: Path) -> None:
    house = House(home)
    house.look(wrong(message=f"a\nb\0c \u202e{'x' * 5_000}"))
    kept = house.alerts[0].message
    assert kept.startswith("a b\ufffdc")
    assert len(kept) == 1_000
    assert house.sender.notices[0].message == kept


def test_a_name_that_no_database_takes_keeps_nothing_else_from_being_told(home: Path) -> None:
    house = House(home)
    odd = Condition(
        rule="config-wrong", subject="a\udcff\0.yaml", severity="info", message="\udcff"
    )
    house.look(odd, wrong(), times=2)
    assert house.sender.sent == [("fired", "info"), ("fired", "warning")]
    assert "config-wrong/a?\ufffd.yaml" in [each.key for each in house.alerts]
    house.look(wrong(), times=2)
    assert [kind for kind, _ in house.sender.sent] == ["fired", "fired", "resolved"]


def test_nothing_is_written_while_nothing_is_wrong(home: Path) -> None:
    house = House(home)
    before = (home / "ledger.db").read_bytes()
    house.look(times=3)
    assert house.alerts == []
    assert (home / "ledger.db").read_bytes() == before


def test_a_look_at_many_asks_the_ledger_as_often_as_one_at_few(home: Path) -> None:
    """Of 10,000 conditions a query each took 18 seconds of CPU a look."""
    statements: list[str] = []

    def heard(*given: object) -> None:
        statements.append(str(given[2]))

    counts = []
    for few in (3, 60):
        house = House(home, at=NOON + few * HOUR)
        found = [
            Condition(rule="slow", subject=f"app-{few}-{number}", severity="critical", message="no")
            for number in range(few)
        ]
        engine = open_ledger(home)._engine
        event.listen(engine, "before_cursor_execute", heard)
        for look in (found, found, (), (), found):
            statements.clear()
            take(home, Observation(conditions=look), house.policy, house.at)
            counts.append(len(statements))
            house.at += MINUTE
        event.remove(engine, "before_cursor_execute", heard)
        take(home, Observation(), house.policy, house.at)
        take(home, Observation(), house.policy, house.at + MINUTE)
    assert counts[:5] == counts[5:]
