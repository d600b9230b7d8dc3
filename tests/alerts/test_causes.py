"""What follows from something that is told is not told as well."""

from datetime import UTC, datetime, timedelta

import pytest

from llmops.tasks.alerts.causes import Cause, excused, explained
from llmops.tasks.alerts.condition import Condition, Observation, Severity

AT = datetime(2026, 6, 10, 3, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def seen(rule: str, subject: str, message: str = "", since: datetime | None = None) -> Condition:
    severity: Severity = "critical"
    return Condition(rule=rule, subject=subject, severity=severity, message=message, since=since)


def kept(*conditions: Condition, told: tuple[Cause, ...] = ()) -> list[str]:
    result = explained(Observation(conditions=conditions), told, AT)
    left = {each.key for each in conditions} - {each.key for each in result.conditions}
    assert set(result.unknown) == left  # neither told anew nor over
    return [each.key for each in result.conditions]


def test_a_build_that_failed_while_its_store_was_down_is_one_trouble() -> None:
    store = seen("store-down", "handbook")
    failed = seen("flow-failed", "index/handbook", "the store does not answer", AT)
    assert kept(store, failed) == ["store-down/handbook"]
    assert kept(failed) == ["flow-failed/index/handbook"]


def test_a_failure_before_the_cause_is_told() -> None:
    store = seen("store-down", "handbook")
    assert len(kept(store, seen("flow-failed", "index/handbook", since=AT - HOUR))) == 2


def test_a_failure_belongs_to_what_was_there_when_it_happened() -> None:
    over = Cause("store-down", "handbook", AT - 3 * HOUR, AT - HOUR)
    assert excused([over], "flow-failed", "", AT - 2 * HOUR)
    assert excused([over], "flow-failed", "", AT - 3 * HOUR - 4 * MINUTE)
    assert not excused([over], "flow-failed", "", AT - 4 * HOUR)
    assert not excused([over], "flow-failed", "", AT - MINUTE)
    assert not excused([over], "flow-late", "", AT - 2 * HOUR)


@pytest.mark.parametrize(
    ("message", "count"),
    [("the disk cannot be written: No space left", 1), ("the source does not answer", 2)],
)
def test_a_disk_that_is_nearly_full_explains_only_what_says_so(message: str, count: int) -> None:
    low = seen("disk-low", "home", "nearly full", AT - 30 * 24 * HOUR)
    assert len(kept(low, seen("flow-failed", "index/handbook", message, AT))) == count


def test_an_application_that_is_down_explains_no_build() -> None:
    failed = seen("flow-failed", "index/handbook", since=AT)
    assert len(kept(seen("part-down", "app helpdesk"), failed)) == 2
    assert kept(seen("part-down", "mlflow"), failed) == ["part-down/mlflow"]


def test_a_clock_that_jumped_makes_nothing_late() -> None:
    late = seen("flow-late", "nightly/night", since=AT - HOUR)
    assert kept(seen("clock", "machine"), late) == ["clock/machine"]
    assert kept(late, told=(Cause("clock", "machine", AT - HOUR, None),)) == []
    assert len(kept(late, told=(Cause("clock", "machine", AT - HOUR, AT - MINUTE),))) == 1


def test_what_is_of_another_subject_is_told() -> None:
    blocked = seen("flow-blocked", "index/handbook", since=AT)
    sources = [seen("source-incomplete", name) for name in ("handbook", "manual")]
    assert kept(blocked, *sources) == ["flow-blocked/index/handbook", "source-incomplete/manual"]


def test_nothing_explains_itself() -> None:
    assert len(kept(seen("store-down", "a"), seen("store-down", "b"))) == 2
    fires = Cause("flow-failed", "index/a", AT - HOUR, None)
    assert len(kept(seen("flow-failed", "index/a", since=AT - HOUR), told=(fires,))) == 1
