"""What is done with runs that were cut, are late, or never came about, by a simulated clock."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from llmops.deployments.missed import Fate, KnownDeployment, KnownRun, skewed, steps_for
from llmops.deployments.times import Cron

NOW = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)
NIGHTLY = Cron("0 3 * * *", "UTC")
LONG_AGO = NOW - timedelta(days=60)


def run(
    name: str,
    fate: Fate,
    days: float = 0,
    *,
    began: bool = False,
    scheduled: bool = True,
    rerun: bool = False,
) -> KnownRun:
    """Expected at 03:00 so many days ago, and begun a minute later."""
    expected = NOW.replace(hour=3) - timedelta(days=days)
    started = expected + timedelta(minutes=1) if began else None
    return KnownRun(name, name, fate, expected, started, scheduled, rerun)


def done(
    *runs: KnownRun, when: Cron | None = NIGHTLY, since: datetime = LONG_AGO
) -> list[tuple[str, str]]:
    deployment = KnownDeployment("d", "index/handbook", when, since, runs)
    return [(step.what, step.run.name if step.run else "") for step in steps_for(deployment, NOW)]


LAST_NIGHT = run("ended", "ended", began=True)
OLD = run("old", "ended", 5, began=True)


@pytest.mark.parametrize(
    ("runs", "steps"),
    [
        ([LAST_NIGHT], []),
        ([LAST_NIGHT, run("next", "waiting", -1)], []),
        ([OLD], [("start", "")]),  # five nights missed: one run
        ([OLD, run("next", "waiting", -1)], [("start", "")]),
        ([OLD, run("a", "due", 0)], []),  # late: the worker takes it
        (
            [OLD, *(run(f"late {n}", "due", n) for n in (4, 3, 2, 1, 0))],
            [("miss", f"late {n}") for n in (4, 3, 2, 1)],
        ),
        ([run("a", "cut", began=True)], [("crash", "a"), ("rerun", "a")]),  # RUNNING
        ([OLD, run("a", "cut")], [("crash", "a"), ("rerun", "a")]),  # PENDING
        ([run("a", "cut", rerun=True, began=True)], [("crash", "a")]),  # never twice
        ([OLD, run("a", "cut", rerun=True)], [("crash", "a")]),
        (
            [run("a", "cut", 1, began=True), run("b", "cut", began=True)],
            [("crash", "a"), ("crash", "b"), ("rerun", "b")],
        ),
        (
            [run("a", "cut", 2, began=True), run("late 1", "due", 1), run("late 0", "due", 0)],
            [("crash", "a"), ("miss", "late 1")],
        ),
        ([run("a", "cancelling", began=True)], [("cancel", "a")]),
        ([run("a", "running", 1, began=True), run("b", "due")], [("miss", "b")]),
        (
            [run("a", "running", began=True), run("b", "cut", 1, began=True)],
            [("crash", "b")],
        ),
        ([OLD, run("asked for", "due", 0, scheduled=False)], []),  # somebody's own run stays
        (
            [run("asked for", "due", 3, scheduled=False), run("a", "due", 1), run("b", "due")],
            [("miss", "a")],
        ),
    ],
)
def test_one_run_catches_up_with_everything(
    runs: Sequence[KnownRun], steps: list[tuple[str, str]]
) -> None:
    assert done(*runs) == steps


def test_what_is_new_or_switched_off_has_missed_nothing() -> None:
    assert done(since=NOW - timedelta(hours=2)) == []
    assert done(since=NOW - timedelta(hours=12)) == [("start", "")]
    assert done(OLD, when=None) == []


@pytest.mark.parametrize(("hour", "steps"), [(0, []), (12, [("start", "")])])
def test_a_time_that_the_spring_change_skips_is_covered_an_hour_early(
    hour: int, steps: list[tuple[str, str]]
) -> None:
    """Prefect runs 02:30 at 01:30 winter time, a cron daemon at 03:00 summer time."""
    began = datetime(2026, 3, 29, 0, 30, tzinfo=UTC) - timedelta(hours=hour)
    once = KnownRun("a", "a", "ended", began, began)
    berlin = Cron("30 2 * * *", "Europe/Berlin")
    found = KnownDeployment("d", "index/handbook", berlin, LONG_AGO, [once])
    now = datetime(2026, 3, 29, 6, 0, tzinfo=UTC)
    assert [(step.what, "") for step in steps_for(found, now)] == steps


def test_a_step_has_one_key_however_often_it_is_found() -> None:
    def key(now: datetime, *runs: KnownRun) -> str:
        deployment = KnownDeployment("d", "index/handbook", NIGHTLY, LONG_AGO, runs)
        return list(steps_for(deployment, now))[-1].key

    assert key(NOW, OLD) == key(NOW + timedelta(hours=3), OLD)
    assert key(NOW, OLD) != key(NOW + timedelta(days=1), OLD)
    cut = run("a", "cut", began=True)
    assert key(NOW, cut) == key(NOW + timedelta(days=1), cut)


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0, ""), (29, ""), (-29, ""), (300, "300 s ahead of"), (-7200, "7,200 s behind")],
)
def test_clocks_that_differ_are_said(seconds: int, says: str) -> None:
    told = list(skewed(NOW + timedelta(seconds=seconds), NOW, "http://server/api"))
    assert len(told) == bool(says)
    assert all(says in text and "set both clocks by NTP" in text for text in told)
