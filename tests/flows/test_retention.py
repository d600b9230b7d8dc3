"""Prefect's database over many nights: what is old goes, and the file stops growing."""

import json
import shutil
from pathlib import Path

import pytest

from llmops.flows.server import retention
from llmops.tasks.errors import UsageError
from tests import forks

NIGHTS, KEPT = 9, 2


@pytest.mark.slow
def test_the_database_stays_as_large_as_the_days_that_are_kept(
    tmp_path: Path, prefect_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/operation.md has ninety nights, measured with the default of thirty days."""
    from llmops.flows.server import daemon

    monkeypatch.setenv("LLMOPS_KEEP_RUNS_DAYS", str(KEPT))
    shutil.copy(prefect_database, tmp_path / "prefect.db")
    settings = daemon.settings(tmp_path, 1)
    settings["PREFECT_API_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{tmp_path}/prefect.db"
    words = ("-m", "tests.flows.nights", str(tmp_path), str(NIGHTS))
    process = forks.start(*words, environment=settings)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    nights = [json.loads(line) for line in out.splitlines()]
    assert len(nights) == NIGHTS
    grown = nights[KEPT]
    for night in nights[KEPT + 1 :]:
        rows = {name: count for name, count in night.items() if name not in ("night", "bytes")}
        assert {name: count for name, count in rows.items() if count > grown[name]} == {}
    assert nights[-1]["bytes"] <= 1.03 * nights[KEPT + 2]["bytes"]


@pytest.mark.parametrize("given", ["0.5", "-3", "thirty", "nan", "1e9"])
def test_a_number_of_days_is_wanted(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_KEEP_RUNS_DAYS", given)
    with pytest.raises(UsageError, match="a number of days from 1"):
        retention.keep_days()


def test_events_are_kept_no_longer_than_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLMOPS_KEEP_RUNS_DAYS", raising=False)
    name = "PREFECT_SERVER_EVENTS_RETENTION_PERIOD"
    assert retention.settings()[name] == "PT604800S"
    monkeypatch.setenv("LLMOPS_KEEP_RUNS_DAYS", "2")
    assert retention.settings()[name] == "PT172800S"
