"""Schedules over the changes of daylight saving."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from llmops.configs.section import Schedule
from llmops.deployments.times import Cron, cron_for, last_time, next_time
from tests import forks

BERLIN, YORK, HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
CHANGES = [
    (BERLIN, "2026-03-29"),
    (BERLIN, "2026-10-25"),
    (YORK, "2026-03-08"),
    (YORK, "2026-11-01"),
    (HOWE, "2026-04-05"),  # by half an hour
    (HOWE, "2026-10-04"),
]
DAILY = ("30 1 * * *", "30 2 * * *")
FIRES = {  # in UTC; what the clock skips, Prefect runs an hour early, what comes twice at once
    f"{BERLIN} 30 2 * * * 2026-03-29": ["2026-03-29 00:30"],
    f"{BERLIN} 30 2 * * * 2026-10-25": ["2026-10-25 00:30"],
    f"{YORK} 30 2 * * * 2026-03-08": ["2026-03-08 06:30"],
    f"{YORK} 30 1 * * * 2026-11-01": ["2026-11-01 05:30"],
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "told"),
    [
        ("0 3 * * *", BERLIN, ("0 3 * * *", BERLIN)),
        ("0 * * * *", BERLIN, ("0 * * * *", "UTC")),
        ("@hourly", YORK, ("0 * * * *", "UTC")),
        ("*/10  * * * ?", BERLIN, ("*/10 * * * *", "UTC")),
        ("0 0-23 * * *", BERLIN, ("0 0-23 * * *", "UTC")),
        ("0 */1 */1 * 0-6", BERLIN, ("0 */1 */1 * 0-6", "UTC")),
        ("5 0-11,12-23 * jan-dec 1-7", BERLIN, ("5 0-11,12-23 * jan-dec 1-7", "UTC")),
        ("0 1-23 * * *", BERLIN, ("0 1-23 * * *", BERLIN)),
        ("0 */1 * * 1-6", BERLIN, ("0 */1 * * 1-6", BERLIN)),
        ("0 * * * *", HOWE, ("0 * * * *", HOWE)),  # its hours are not those of UTC
        ("0 * * * *", "Asia/Kolkata", ("0 * * * *", "Asia/Kolkata")),
        ("0 8-18 * * *", BERLIN, ("0 8-18 * * *", BERLIN)),
        ("@daily", BERLIN, ("0 0 * * *", BERLIN)),
        ("@weekly", "UTC", ("0 0 * * 0", "UTC")),
        ("0 9 * * mon-fri", BERLIN, ("0 9 * * mon-fri", BERLIN)),
    ],
)
def test_what_of_every_hour_is_meant_goes_by_utc(cron: str, zone: str, told: Cron) -> None:
    assert cron_for(Schedule(cron=cron, timezone=zone)) == told


@pytest.mark.parametrize(
    ("cron", "zone", "now", "last", "following"),
    [
        ("0 3 * * *", "UTC", "2026-05-05T03:00", "2026-05-05T03:00", "2026-05-06T03:00"),
        ("0 3 * * *", "UTC", "2026-05-05T02:59", "2026-05-04T03:00", "2026-05-05T03:00"),
        ("0 3 * * *", BERLIN, "2026-05-05T12:00", "2026-05-05T01:00", "2026-05-06T01:00"),
        ("30 2 * * *", BERLIN, "2026-10-25T12:00", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("0 9 * * MON", "UTC", "2026-05-05T12:00", "2026-05-04T09:00", "2026-05-11T09:00"),
        ("0 0 29 2 *", "UTC", "2026-05-05T12:00", "2024-02-29T00:00", "2028-02-29T00:00"),
    ],
)
def test_the_last_time_and_the_next(
    cron: str, zone: str, now: str, last: str, following: str
) -> None:
    when = Cron(cron, zone)
    assert (last_time(when, at(now)), next_time(when, at(now))) == (at(last), at(following))


@pytest.mark.slow
def test_prefects_scheduler_makes_one_run_over_each_change(
    tmp_path: Path, prefect_database: Path
) -> None:
    from llmops.flows.server import daemon

    shutil.copy(prefect_database, tmp_path / "prefect.db")
    settings = daemon.settings(tmp_path, 1)
    settings["PREFECT_API_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{tmp_path}/prefect.db"
    cases = [[cron, zone, day] for zone, day in CHANGES for cron in DAILY]
    cases += [["0 * * * *", zone, day] for zone, day in CHANGES if zone == BERLIN]
    process = forks.start("-m", "tests.deployments.clocks", json.dumps(cases), environment=settings)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    runs = json.loads(out)
    daily = {case: fires for case, fires in runs.items() if " 0 * * * *" not in case}
    assert {case: len(fires) for case, fires in daily.items()} == dict.fromkeys(daily, 1)
    assert {case: runs[case] for case in FIRES} == FIRES
    for case in set(runs) - set(daily):
        moments = [at(text) for text in runs[case]]
        apart = {later - one for one, later in pairwise(moments)}
        assert (len(moments) >= 14, apart) == (True, {timedelta(hours=1)}), case
