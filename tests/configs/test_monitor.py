"""What the config of a monitor takes, and what it refuses; how many looks a year has."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmops.configs import read_mapping
from llmops.configs.monitor import MonitorConfig
from llmops.configs.section import Schedule
from llmops.tasks.errors import ConfigError


def test_the_defaults_serve() -> None:
    spec = read_mapping({"app": "helpdesk"}, MonitorConfig).monitor_spec()
    assert (spec.days, spec.reference, spec.embed.name) == (7, 8, "minilm")
    assert (spec.knowledge_bases, spec.traffic, spec.until) == (None, None, None)
    assert spec.false_alarms_per_year == 0.1
    assert spec.looks_per_year == pytest.approx(365.25 / 7)


def test_a_date_is_its_beginning_in_utc(tmp_path: Path) -> None:
    given = {"app": "helpdesk", "until": "2026-11-23", "folder": str(tmp_path)}
    config = read_mapping(given, MonitorConfig)
    assert config.until == datetime(2026, 11, 23, tzinfo=UTC)
    local = read_mapping(given | {"until": "2026-11-23T06:00:00+01:00"}, MonitorConfig)
    assert local.until == datetime(2026, 11, 23, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"days": 0.5}, "greater than or equal to 1"),
        ({"reference": 0}, "greater than or equal to 1"),
        ({"false_alarms_per_year": 0}, "greater than 0"),
        ({"until": "soon"}, "until"),
        ({"until": "2900-01-01"}, "until"),
        ({"embed": "nobody"}, "nobody"),
        ({"traffic": "gone.jsonl"}, "no such file"),
        ({"app": "Help Desk"}, "app"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_mapping({"app": "helpdesk", "folder": str(tmp_path), **given}, MonitorConfig)
    assert any(said in str(each) for each in caught.value.mistakes())


def test_lines_of_the_file_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"id": "1"}\n')
    given = {"app": "helpdesk", "traffic": "x.jsonl", "folder": str(tmp_path)}
    with pytest.raises(ConfigError, match=r"x.jsonl:1: the key 'at' is missing"):
        read_mapping(given, MonitorConfig)


@pytest.mark.parametrize(
    ("cron", "times"),
    [
        ("0 6 * * 1", 365.25 / 7),
        ("@weekly", 365.25 / 7),
        ("@daily", 365.25),
        ("0 3 * * *", 365.25),
        ("*/5 * * * *", 12 * 8766),
        ("0 0 1 * *", 12),
        ("0 0 29 2 ?", 0.25),
    ],
)
def test_a_schedule_says_how_often_it_comes(cron: str, times: float) -> None:
    schedule = Schedule(cron=cron)
    assert schedule.times_a_year() == pytest.approx(times, rel=0.01)
    given = {"app": "helpdesk", "schedule": {"cron": cron}}
    config = read_mapping(given, MonitorConfig)
    assert config.monitor_spec().looks_per_year == pytest.approx(times, rel=0.01)
    assert config.monitor_spec(9).looks_per_year == 9
