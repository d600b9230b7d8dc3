"""Silence for a while, of an alert and of a rule."""

from pathlib import Path

import pytest

from llmops.tasks.alerts.muting import mute
from llmops.tasks.alerts.policy import Recipient
from llmops.tasks.errors import Unavailable, UsageError
from tests.alerts.looks import MINUTE, House, wrong

KEY = "flow-failed/index/handbook"
DOWN = Unavailable("the server does not answer")


def silence(house: House, name: str = KEY, minutes: int = 10) -> None:
    mute(house.home, name, house.at + minutes * MINUTE, house.at, ["flow-failed"])


def kinds(house: House) -> list[str]:
    return [kind for kind, _ in house.sender.sent]


def test_nobody_hears_of_a_muted_alert_until_the_silence_ends(home: Path) -> None:
    house = House(home)
    house.sender.fail(DOWN)
    house.look(wrong())
    silence(house)
    house.look(wrong(severity="critical"), times=10)
    assert house.sender.sent == []
    house.look(wrong())
    assert house.sender.sent == [("fired", "warning")]


def test_what_is_over_in_the_silence_is_told_when_that_ends(home: Path) -> None:
    house = House(home)
    house.look(wrong())
    silence(house)
    house.look(times=3)
    house.look(wrong(), times=2)  # it comes back within the silence, and goes again
    house.look(times=5)
    assert kinds(house) == ["fired"]
    house.look(times=40)
    assert kinds(house) == ["fired", "resolved"]


def test_what_began_in_the_silence_and_is_over_before_its_end_is_told_to_nobody(
    home: Path,
) -> None:
    house = House(home)
    house.look(wrong("disk-low"))
    silence(house, "flow-failed")
    house.look(wrong("disk-low"), wrong(severity="critical"), times=3)
    house.look(wrong("disk-low"), times=40)
    assert [each.rule for each in house.sender.notices] == ["disk-low"]


def test_what_is_back_when_the_silence_ends_was_told_already(home: Path) -> None:
    house = House(home)
    house.look(wrong())
    silence(house)
    house.look(times=4)
    house.look(wrong(), times=20)
    assert kinds(house) == ["fired"]


def test_who_ends_a_silence_hears_what_waited(home: Path) -> None:
    house = House(home)
    house.look(wrong())
    silence(house, minutes=600)
    house.look(times=3)
    silence(house, minutes=0)
    house.look()
    assert kinds(house) == ["fired", "resolved"]


def test_machines_that_keep_count_hear_of_what_is_muted(home: Path) -> None:
    house = House(home, recipients=(Recipient(sender="me", always=True),))
    silence(house, "flow-failed")
    house.look(wrong())
    house.look(times=3)
    assert kinds(house) == ["fired", "resolved"]


def test_a_rule_is_muted_before_it_finds_anything(home: Path) -> None:
    house = House(home)
    silence(house, "flow-failed")
    house.look(wrong(), wrong("disk-low"), times=9)
    assert [each.rule for each in house.sender.notices] == ["disk-low"]
    house.look(wrong(), wrong("disk-low"), times=2)
    assert [each.rule for each in house.sender.notices] == ["disk-low", "flow-failed"]


def test_an_alert_of_a_known_rule_is_muted_before_it_begins(home: Path) -> None:
    house = House(home)
    silence(house)
    house.look(wrong(), times=3)
    assert house.sender.sent == []
    with pytest.raises(UsageError, match="there is no alert and no rule 'flow-faild'") as raised:
        silence(house, "flow-faild")
    assert "did you mean" in (raised.value.hint or "")
