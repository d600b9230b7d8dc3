"""Token buckets, by a clock that stands still."""

import pytest

from llmops.tasks.access.pace import RequestPace


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def taken(pace: RequestPace, name: str, per_minute: int | None, times: int) -> list[float]:
    return [pace.take(name, per_minute) for _ in range(times)]


@pytest.mark.parametrize(
    ("per_minute", "after", "may"),
    [(2, 0.0, 0), (2, 29.9, 0), (2, 30.0, 1), (2, 60.0, 2), (2, 3600.0, 2), (60, 1.5, 1)],
)
def test_a_bucket_fills_within_a_minute(per_minute: int, after: float, may: int) -> None:
    clock = Clock()
    pace = RequestPace(clock)
    assert taken(pace, "key", per_minute, per_minute) == [0.0] * per_minute
    clock.seconds += after
    assert taken(pace, "key", per_minute, 3).count(0.0) == may


def test_who_must_wait_is_told_how_long_and_asking_costs_nothing() -> None:
    clock = Clock()
    pace = RequestPace(clock)
    assert taken(pace, "key", 6, 9)[6:] == [10.0, 10.0, 10.0]
    clock.seconds += 4
    assert pace.take("key", 6) == pytest.approx(6.0)
    clock.seconds += 6
    assert pace.take("key", 6) == 0.0


def test_keys_do_not_slow_each_other_and_none_is_no_limit() -> None:
    pace = RequestPace(Clock())
    assert taken(pace, "a", 1, 2)[0] == 0.0
    assert pace.take("b", 1) == 0.0
    assert taken(pace, "c", None, 1000) == [0.0] * 1000


def test_memory_is_bounded_and_what_is_full_goes_first() -> None:
    clock = Clock()
    pace = RequestPace(clock, most=100)
    for number in range(60):
        pace.take(f"early {number}", 60)
    clock.seconds += 10  # the early ones are full again
    taken(pace, "busy", 2, 2)
    for number in range(40):
        pace.take(f"late {number}", 60)
    assert len(pace._buckets) == 41
    assert pace.take("busy", 2) > 0
    for number in range(1000):
        pace.take(f"more {number}", 60)
    assert len(pace._buckets) <= 100
