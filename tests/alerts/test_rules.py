"""Thresholds on what the ledger knows: when they say that something is wrong, when that all is
well, and when that nobody knows.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from llmops.tasks.alerts.condition import Observation
from llmops.tasks.alerts.policy import AlertPolicy
from llmops.tasks.alerts.rules import rule_observation
from llmops.tasks.alerts.ruling import AlertRule
from llmops.tasks.alerts.state import take
from tests.alerts.ledgers import asked, built, monitored, paid, times
from tests.alerts.looks import MINUTE, NOON

HOUR = timedelta(hours=1)
LATELY = NOON - HOUR
ERRORS = AlertRule(name="errors", app="helpdesk", metric="error_rate", above=0.05)


def rule(metric: str, **fields: object) -> AlertRule:
    return AlertRule.model_validate(
        {"name": "r", "app": "helpdesk", "metric": metric, "at_least": 1, **fields}
    )


def said(home: Path, one: AlertRule) -> tuple[float | None, str]:
    """Value and message, None where all is well. Fails where nobody knows."""
    seen = rule_observation(home, [one], NOON)
    assert seen.unknown == (), seen.problems
    condition = seen.conditions[0] if seen.conditions else None
    return (condition.value, condition.message) if condition else (None, "")


def test_what_is_surely_above_a_bound_is_wrong(home: Path) -> None:
    asked(home, times(LATELY, 60, MINUTE), statuses=["error", "ok", "ok"])
    value, message = said(home, ERRORS)
    assert value == pytest.approx(1 / 3)
    assert message == "error_rate of helpdesk is 33.3 % over 1 h (60 exchanges), above 5 %"


def test_what_chance_may_have_brought_is_no_alert(home: Path) -> None:
    asked(home, times(LATELY, 30, MINUTE), statuses=["error", "error", *["ok"] * 28])
    assert said(home, ERRORS) == (None, "")
    value, _ = said(home, ERRORS.model_copy(update={"sure": False}))
    assert value == pytest.approx(2 / 30)


def test_an_alert_goes_on_until_the_value_itself_is_back(home: Path) -> None:
    asked(home, times(LATELY, 30, MINUTE), statuses=["error", "error", *["ok"] * 28])
    wrong = rule_observation(home, [ERRORS.model_copy(update={"sure": False})], NOON)
    take(home, wrong, AlertPolicy(), NOON)
    assert said(home, ERRORS)[0] == pytest.approx(2 / 30)
    asked(home, times(LATELY, 30, MINUTE), statuses=["refused"])
    assert said(home, ERRORS) == (None, "")


def test_one_conversation_is_one_witness(home: Path) -> None:
    began = times(LATELY, 60, MINUTE)
    asked(home, began[:20], statuses=["error"], conversations=["angry"])
    asked(home, began[20:], conversations=[f"c{n}" for n in range(40)])
    assert said(home, ERRORS) == (None, "")


def test_too_few_exchanges_say_nothing(home: Path) -> None:
    asked(home, times(LATELY, 19, MINUTE), statuses=["error"])
    seen = rule_observation(home, [ERRORS], NOON)
    assert seen == Observation(
        unknown=("errors/helpdesk",),
        problems=("errors/helpdesk: fewer than 20 exchanges in 1 h",),
        young=("errors/helpdesk: fewer than 20 exchanges in 1 h",),
    )


def test_traffic_is_what_people_asked_in_the_window(home: Path) -> None:
    asked(home, times(LATELY, 5, MINUTE))
    for status in ("open", "compared"):
        asked(home, times(LATELY, 5, MINUTE), statuses=[status])
    asked(home, times(LATELY, 5, MINUTE), statuses=["refused"], deleted=True)
    asked(home, times(LATELY, 5, MINUTE), app="other")
    asked(home, times(NOON, 5, MINUTE), statuses=["later"])
    asked(home, times(LATELY - 5 * MINUTE, 5, MINUTE), statuses=["before"])
    value, message = said(home, rule("requests", below=6))
    assert value == 5
    assert message == "requests of helpdesk is 5 over 1 h (5 exchanges), below 6"
    assert said(home, rule("requests", below=5)) == (None, "")
    silent = rule("requests", app="nobody", below=1, at_least=0)
    assert said(home, silent)[0] == 0


def test_every_metric_of_an_application(home: Path) -> None:
    asked(
        home,
        times(LATELY, 40, MINUTE),
        statuses=["ok", "refused", "ok", "error"],
        latencies=[100.0, 200.0, 300.0, None],
        costs_usd=[0.5],
        ratings=["down", "up", None, None],
        scores=[0.25, 0.75, None, None],
    )
    values = {
        "refusal_rate": 1 / 3,
        "error_rate": 1 / 4,
        "down_rate": 1 / 2,
        "rated_share": 2 / 3,
        "latency_p50_ms": 200.0,
        "latency_p95_ms": 300.0,
        "cost_usd": 20.0,
        "tokens": 4_000.0,
        "score:grounded": 0.5,
    }
    for metric, wanted in values.items():
        value, _ = said(home, rule(metric, below=1e9 if wanted > 1 else 1, sure=False))
        assert value == pytest.approx(wanted), metric


def test_a_quantile_is_surely_above_where_too_many_values_are(home: Path) -> None:
    slow = rule("latency_p95_ms", above=1_000)
    asked(home, times(LATELY, 60, MINUTE), latencies=[*[100.0] * 9, 5_000.0])
    assert said(home, slow) == (None, "")  # 6 of 60 may be 5 in 100
    assert said(home, slow.model_copy(update={"sure": False}))[0] == 5_000
    asked(home, times(LATELY, 600, MINUTE / 10), statuses=["refused"], latencies=[5_000.0, 9.0])
    assert said(home, slow)[0] == 5_000


def test_knowledge_bases(home: Path) -> None:
    built(home, "handbook", NOON - 50 * HOUR, failed=3)
    base = {"app": "", "knowledge_base": "handbook"}
    value, message = said(home, rule("freshness_hours", above=48, **base))
    assert value == 50
    assert message == "freshness_hours of handbook is 50 h, above 48 h"
    assert said(home, rule("freshness_hours", above=51, **base)) == (None, "")
    assert said(home, rule("quarantined", above=2, **base))[0] == 3
    assert said(home, rule("documents", below=41, **base))[0] == 40
    seen = rule_observation(home, [rule("documents", below=1, knowledge_base="gone", app="")], NOON)
    assert seen.problems == ("r/gone: the knowledge base 'gone' has no live version",)


def test_the_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paid(home, "2026-10-31", 100.0)
    paid(home, "2026-11-01", 7.0)
    paid(home, "2026-11-30", 2.0)
    assert said(home, rule("month_usd", app="", above=8))[0] == 9
    share = rule("month_share", app="", above=0.8)
    monkeypatch.delenv("LLMOPS_MONTHLY_BUDGET_USD", raising=False)
    assert "LLMOPS_MONTHLY_BUDGET_USD" in rule_observation(home, [share], NOON).problems[0]
    monkeypatch.setenv("LLMOPS_MONTHLY_BUDGET_USD", "10")
    assert said(home, share) == (0.9, "month_share is 90 %, above 80 %")
    (home / "spool" / "helpdesk").mkdir(parents=True)
    (home / "spool" / "helpdesk" / "1.json").touch()
    assert said(home, rule("spool_waiting", app="", above=0))[0] == 1
    free, _ = said(home, rule("disk_free_gb", app="", below=1e9))
    assert free is not None
    assert free > 0
    assert said(home, rule("disk_free_share", app="", above=1)) == (None, "")


DRIFT = {"what": "questions", "n": 80, "n_before": 900, "distance": 0.31, "usual": 0.12}
TOPIC = {"words": ["parental", "leave"], "questions": 9, "conversations": 7, "covered": 0.1}


def test_what_the_last_monitor_found(home: Path) -> None:
    drift, topics = rule("drift_questions"), rule("new_topics")
    assert "no monitor" in rule_observation(home, [drift], NOON).problems[0]
    week = timedelta(days=7)
    drifted = {**DRIFT, "status": "drifted", "p": 0.0004, "level": 0.0019}
    topic = {**TOPIC, "examples": ["how long is parental leave?"]}
    monitored(home, "helpdesk", NOON - 2 * week, drifts=[drifted], new_topics=[topic])
    assert said(home, drift)[1] == (
        "questions of helpdesk are unlike those of the windows before: distance 0.31, "
        "usually up to 0.12 (p 0.0004, an alert at 0.0019)"
    )
    assert said(home, topics)[1] == "people ask helpdesk about a new topic: parental, leave"
    assert said(home, topics.model_copy(update={"above": 1})) == (None, "")
    monitored(home, "helpdesk", NOON - week, drifts=[{**DRIFT, "status": "same"}])
    assert said(home, drift) == (None, "")
    assert said(home, topics) == (None, "")
    little = {**DRIFT, "status": "unknown", "reason": "80 questions are too few"}
    monitored(home, "helpdesk", NOON - HOUR, drifts=[little])
    assert rule_observation(home, [drift], NOON).problems == (
        "r/helpdesk: 80 questions are too few",
    )
    assert (
        "looked 16 days ago" in rule_observation(home, [drift], NOON + 16 * 24 * HOUR).problems[0]
    )


def test_a_look_at_an_earlier_window_is_not_the_last_one(home: Path) -> None:
    drift = rule("drift_questions")
    monitored(home, "helpdesk", NOON - HOUR, drifts=[{**DRIFT, "status": "same"}])
    earlier = (NOON - 9 * 24 * HOUR).isoformat()
    drifted = {"drifts": [{**DRIFT, "status": "drifted"}], "until": earlier}
    monitored(home, "helpdesk", NOON, **drifted)
    monitored(home, "helpdesk", NOON + MINUTE, drifts="of another release")
    assert said(home, drift) == (None, "")


def test_a_look_at_a_window_of_the_future_hides_no_other(home: Path) -> None:
    drift = rule("drift_questions")
    monitored(home, "helpdesk", NOON - HOUR, drifts=[{**DRIFT, "status": "drifted"}])
    future = (NOON + 900 * 24 * HOUR).isoformat()
    monitored(home, "helpdesk", NOON, drifts=[{**DRIFT, "status": "same"}], until=future)
    assert "unlike those" in said(home, drift)[1]


def test_a_rule_that_fails_stops_no_other(home: Path) -> None:
    asked(home, times(LATELY, 60, MINUTE), statuses=["error"])
    odd = rule("no_such_metric", name="odd", above=1)
    seen = rule_observation(home, [odd, ERRORS], NOON)
    assert [each.key for each in seen.conditions] == ["errors/helpdesk"]
    assert seen.unknown == ("odd/helpdesk",)


def test_without_a_ledger_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLMOPS_LEDGER_URL", raising=False)
    (tmp_path / "ledger.db").write_bytes(b"no database at all, " * 200)
    seen = rule_observation(tmp_path, [ERRORS], NOON)
    assert (seen.conditions, seen.unknown) == ((), ("errors/helpdesk",))
