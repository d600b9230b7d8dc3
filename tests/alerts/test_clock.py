"""The wall clock against one that nobody sets."""

from datetime import UTC, datetime, timedelta

from llmops.tasks.alerts.beats import Beat
from llmops.tasks.alerts.clock import clock_observation, jump, lasting

AT = datetime(2026, 6, 10, 3, tzinfo=UTC)
BEFORE = Beat(at=AT, every_seconds=60, uptime=1000.0, boot="b", host="h")


def later(wall: float, passed: float, **more: object) -> Beat:
    at = AT + timedelta(seconds=wall)
    return BEFORE.model_copy(update={"at": at, "uptime": 1000.0 + passed, **more})


def test_a_clock_that_goes_on_says_nothing_also_after_hours_of_sleep() -> None:
    assert clock_observation(BEFORE, later(60, 60), None).conditions == ()
    assert clock_observation(BEFORE, later(9 * 3600, 9 * 3600 + 5), None).conditions == ()
    assert clock_observation(None, BEFORE, None).conditions == ()


def test_a_jump_of_more_than_two_minutes_is_seen_both_ways_and_is_over_at_the_next_look() -> None:
    assert clock_observation(BEFORE, later(60 + 110, 60), None).conditions == ()
    (forward,) = clock_observation(BEFORE, later(3660, 60), None).conditions
    assert (forward.key, forward.value) == ("clock/machine", 3600)
    assert forward.message == "the clock of this machine jumped forward by 60 min"
    (back,) = clock_observation(BEFORE, later(60 - 7200, 60), None).conditions
    assert "jumped back by 2.0 h" in back.message
    after = later(3660, 60)
    still = after.model_copy(update={"at": after.at + timedelta(seconds=60), "uptime": 1120.0})
    assert clock_observation(after, still, None).conditions == ()


def test_after_a_start_of_the_machine_nobody_can_tell() -> None:
    assert jump(BEFORE, later(7200, -900, boot="other")) is None
    assert jump(BEFORE, later(7200, 60, host="other")) is None
    assert jump(BEFORE, later(7200, 60, uptime=None)) is None


def test_a_server_whose_clock_differs_is_named() -> None:
    same = AT + timedelta(seconds=100)
    assert clock_observation(None, BEFORE, same).conditions == ()
    (ahead,) = clock_observation(None, BEFORE, AT + timedelta(minutes=30)).conditions
    assert ahead.message == "the clock of the Prefect server is 30 min ahead of this machine's"


def test_lengths_are_said_as_people_say_them() -> None:
    said = [lasting(timedelta(seconds=each)) for each in (5, 300, 9000, 10 * 86400)]
    assert said == ["5 s", "5 min", "2.5 h", "10 days"]
