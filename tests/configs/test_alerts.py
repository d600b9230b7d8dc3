"""What the config of alerts takes, and what it refuses."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmops.configs import read, read_mapping
from llmops.configs.alerts import AlertsConfig
from llmops.tasks.alerts.policy import Recipient
from llmops.tasks.alerts.ruling import AlertRule, ChangeRule
from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins.senders.log import LogSender

HOUR = timedelta(hours=1)


def rules(*given: dict[str, Any]) -> tuple[AlertRule, ...]:
    return read_mapping({"rules": list(given)}, AlertsConfig).alert_rules()


def test_the_defaults_serve() -> None:
    config = read_mapping({}, AlertsConfig)
    policy = config.policy("desk")
    assert (policy.owner, policy.project, policy.every) == ("alerts", "desk", timedelta(minutes=1))
    assert (policy.recipients, policy.quiet, policy.after) == ((), None, {})
    assert (policy.remind_after, policy.flap_window) == (24 * HOUR, HOUR / 2)
    assert config.alert_rules() == ()
    assert config.heartbeat_url() is None


def test_senders_are_built_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text(
        "flow: alerts\n"
        "senders: [{name: log, path: a.jsonl, severity: warning}, {name: log, id: b}]\n"
    )
    plan = read(tmp_path / "alerts.yaml", AlertsConfig).plan("")
    assert plan.policy.recipients == (
        Recipient(sender="log", least="warning"),
        Recipient(sender="b"),
    )
    sender = plan.senders["log"]
    assert isinstance(sender, LogSender)
    assert sender.path == tmp_path / "a.jsonl"


def test_quiet_hours_may_end_at_midnight_or_last_all_day(tmp_path: Path) -> None:
    sunday = datetime(2026, 12, 6, 12, tzinfo=UTC)
    for begins, ends, due in (
        ("00:00", "24:00", datetime(2026, 12, 7, tzinfo=UTC)),
        ("10:00", "00:00", datetime(2026, 12, 7, tzinfo=UTC)),
        ("10:00", "24:00", datetime(2026, 12, 7, tzinfo=UTC)),
    ):
        (tmp_path / "alerts.yaml").write_text(
            f"flow: alerts\nquiet: {{from: '{begins}', to: '{ends}', days: [sun]}}\n"
        )
        quiet = read(tmp_path / "alerts.yaml", AlertsConfig).policy("").quiet
        assert quiet is not None
        assert quiet.due("warning", sunday) == due


def test_quiet_hours_are_as_the_yaml_has_them(tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text(
        "flow: alerts\n"
        "quiet: {from: 22:00, to: 7:30, timezone: Europe/Berlin, days: [fri, sat]}\n"
        "watch: {flow-late: off, disk-low: critical}\n"
    )
    config = read(tmp_path / "alerts.yaml", AlertsConfig)
    quiet = config.policy("").quiet
    assert quiet is not None
    assert (quiet.begins, quiet.ends, quiet.days) == (time(22), time(7, 30), (4, 5))
    friday = datetime(2026, 12, 4, 22, 0, tzinfo=UTC)
    assert quiet.due("warning", friday) == datetime(2026, 12, 5, 6, 30, tzinfo=UTC)
    assert config.watch == {"flow-late": "off", "disk-low": "critical"}


def test_rules_are_what_is_written_and_what_is_usual() -> None:
    errors, drift, slower, silent, old = rules(
        {"name": "errors", "app": "a", "metric": "error_rate", "above": 0.05, "after": "10m"},
        {"name": "drift", "app": "a", "metric": "drift_questions"},
        {"name": "slower", "app": "a", "metric": "latency_p95_ms", "rises": {"than": "8 windows"}},
        {"name": "silent", "app": "a", "metric": "requests", "window": "7d", "below": 1},
        {"name": "old", "knowledge_base": "k", "metric": "freshness_hours", "above": 48},
    )
    assert (errors.window, errors.at_least, errors.sure) == (HOUR, 20, True)
    assert errors.after == timedelta(minutes=10)
    assert (drift.key, drift.severity) == ("drift/a", "warning")
    assert slower.window == timedelta(days=7)
    assert slower.change == ChangeRule(direction="rises", than=8, false_alarms_per_year=0.1)
    assert slower.at_least == 20
    assert (silent.window, silent.at_least) == (timedelta(days=7), 0)
    assert old.key == "old/k"


RATE = {"name": "r", "app": "a", "metric": "error_rate"}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (RATE, "above or below a bound, or rises, or falls"),
        ({**RATE, "above": 5}, "0.05 is 5 %"),
        (
            {**RATE, "metric": "requests", "above": float("nan")},
            "should be a finite number, got nan",
        ),
        (
            {**RATE, "metric": "requests", "below": float("inf")},
            "should be a finite number, got inf",
        ),
        ({**RATE, "above": 0.1, "rises": {}}, "one is wanted"),
        ({**RATE, "rises": {}, "falls": {}}, "one is wanted"),
        ({**RATE, "above": 0.1, "below": 0.2}, "below is less than above"),
        ({**RATE, "above": 0.1, "window": "1 week"}, "a span of time is wanted"),
        ({**RATE, "above": 0.1, "window": "10s"}, "a window of 5m to 92d"),
        ({**RATE, "above": 0.1, "knowledge_base": "k"}, "take out knowledge_base"),
        ({"name": "r", "metric": "error_rate", "above": 0.1}, "error_rate wants the key app"),
        ({**RATE, "metric": "eror_rate", "above": 0.1}, "did you mean error_rate?"),
        ({**RATE, "metric": "score:", "above": 0.1}, "there is no metric"),
        ({**RATE, "metric": "drift_answers", "above": 0.1}, "a test of its own"),
        ({**RATE, "metric": "new_topics", "below": 1}, "above` alone"),
        ({**RATE, "metric": "requests", "falls": {}}, "requests takes a bound"),
        ({**RATE, "metric": "month_usd", "above": 1}, "is one of the home; take out app"),
        ({"name": "r", "metric": "month_usd", "above": 1, "window": "1h"}, "has no window"),
        ({**RATE, "name": "disk-low", "above": 0.1}, "is watched already"),
        ({**RATE, "name": "No Name", "above": 0.1}, "pattern"),
        ({**RATE, "rises": {"false_alarms_per_year": 0}}, "greater than 0"),
    ],
)
def test_a_rule_that_cannot_be_looked_at_is_refused(rule: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rules(rule)
    assert [said in str(each) for each in caught.value.mistakes()] == [True], caught.value


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"every": "10s"}, "30s to 1h are allowed"),
        ({"every": 60}, "a span of time is wanted, such as 90s"),
        ({"senders": ["log", "log"]}, "two senders are called log"),
        ({"senders": ["pigeon"]}, "allowed: apprise, email, log, webhook"),
        ({"senders": [{"name": "log", "severity": "loud"}]}, "'info', 'warning' or 'critical'"),
        ({"rules": [{**RATE, "above": 0.1}] * 2}, "two rules are called r"),
        ({"quiet": {"from": "24:00", "to": "7:00"}}, "a time of the day is wanted"),
        ({"quiet": {"from": "22:00", "to": "22:00"}}, "from and to are both 22:00"),
        ({"quiet": {"from": "00:00", "to": "0:00"}}, 'a whole day is from: "00:00", to: "24:00"'),
        ({"quiet": {"from": "22:00", "to": "7:00", "timezone": "Berlin"}}, "Europe/Berlin"),
        ({"quiet": {"from": "22:00", "to": "7:00", "day": []}}, "except, from, timezone, to"),
        ({"watch": {"flow-lat": "off"}}, "flow-lat is not watched"),
        ({"watch": {"flow-late": "never"}}, "'critical' or 'off'"),
        ({"schedule": {"cron": "0 3 * * *"}}, "unknown key 'schedule'"),
        ({"senders": [{"name": "webhook", "url": "${NO_SUCH_NAME}"}]}, "NO_SUCH_NAME is not set"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_mapping(given, AlertsConfig)
    assert any(said in str(each) for each in caught.value.mistakes()), caught.value


def test_no_secret_stays_in_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PING", "https://ping.example/from-env")
    given = {
        "heartbeat": "https://ping.example/s3cret",
        "senders": [
            {"name": "apprise", "url": "slack://s3cret"},
            {"name": "webhook", "url": "https://x.example/s3cret", "headers": {"X-Key": "s3cret"}},
            {"name": "email", "host": "h", "from": "a@b.example", "to": ["c@d.example"]}
            | {"user": "me", "password": "s3cret"},
        ],
    }
    config = read_mapping(given, AlertsConfig)
    assert "s3cret" not in f"{config!r}{config.recorded()}{config.built_senders()!r}"
    url = config.heartbeat_url()
    assert url is not None
    assert url.get_secret_value() == "https://ping.example/s3cret"
    named = read_mapping({"heartbeat": "${PING}"}, AlertsConfig).heartbeat_url()
    assert named is not None
    assert named.get_secret_value() == "https://ping.example/from-env"


def test_a_mistake_in_a_sender_shows_no_secret() -> None:
    wrong = {"name": "webhook", "url": "ftp://s3cret", "secret": "s3cret-2"}
    with pytest.raises(ConfigError) as caught:
        read_mapping({"senders": [wrong]}, AlertsConfig)
    assert len(caught.value.mistakes()) == 2
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["hc-ping.com/5f0c", "file:///s3cret", "https://", "ftp://h/s3cret"]
)
def test_a_heartbeat_is_an_address_of_the_web(url: str) -> None:
    config = read_mapping({"heartbeat": url}, AlertsConfig)
    with pytest.raises(ConfigError, match="an address is wanted") as caught:
        config.heartbeat_url()
    assert "s3cret" not in str(caught.value)
