"""What Prefect is told of an alert."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmops.deployments.alerting.alerter import with_events
from llmops.deployments.alerting.events import PrefectEventSender, event_of, wanted
from llmops.tasks.alerts.looking import AlertPlan
from llmops.tasks.errors import ConfigError, Unavailable
from llmops.tasks.plugins.senders import Notice, NoticeKind

AT = datetime(2026, 6, 10, 3, tzinfo=UTC)
RUN = "http://127.0.0.1:4200/v2/runs/flow-run/5f0c"


def notice(kind: NoticeKind = "fired", **more: object) -> Notice:
    said = {
        "id": "n1",
        "kind": kind,
        "key": "flow-failed/index/handbook",
        "rule": "flow-failed",
        "subject": "index/handbook",
        "severity": "critical",
        "message": "no",
        "began_at": AT,
        "at": AT,
        "project": "desk",
        "links": {"prefect": RUN},
    }
    return Notice.model_validate({**said, **more})


def test_an_event_names_alert_deployment_and_run_and_is_the_same_when_it_is_sent_again() -> None:
    event = event_of(notice(), "d1")
    assert event["event"] == "llmops.alert.fired"
    assert event["resource"] == {
        "prefect.resource.id": "llmops.alert.flow-failed/index/handbook",
        "prefect.resource.name": "flow-failed/index/handbook",
        "llmops.rule": "flow-failed",
        "llmops.subject": "index/handbook",
        "llmops.severity": "critical",
        "llmops.project": "desk",
    }
    assert event["related"] == [
        {"prefect.resource.id": "prefect.deployment.d1", "prefect.resource.role": "deployment"},
        {"prefect.resource.id": "prefect.flow-run.5f0c", "prefect.resource.role": "flow-run"},
    ]
    assert event["id"] == event_of(notice(), "d1")["id"]
    assert event["id"] != event_of(notice(id="n2"), "d1")["id"]
    assert event_of(notice(links={}), None)["related"] == []


def test_where_prefect_is_away_the_event_waits_and_a_reminder_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    sender = PrefectEventSender(home=tmp_path)
    with pytest.raises(Unavailable, match="no Prefect server"):
        sender.send(notice())
    sender.send(notice("reminder"))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with pytest.raises(Unavailable, match="does not answer"):
        sender.send(notice())


def test_a_home_that_never_had_a_prefect_server_collects_no_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert not wanted(tmp_path)
    assert with_events(AlertPlan(), tmp_path) == AlertPlan()
    (tmp_path / "prefect").mkdir()
    plan = with_events(AlertPlan(), tmp_path)
    (recipient,) = plan.policy.recipients
    assert (recipient.sender, recipient.always, set(plan.senders)) == ("prefect", True, {"prefect"})


def test_a_rule_that_runs_what_nobody_deploys_is_a_mistake() -> None:
    from llmops.deployments.alerting.automations import WantedAutomation, refuse_unknown

    acting = [WantedAutomation("old", [("run", "index/handbok")], "alerts.yaml")]
    refuse_unknown(acting, ["index/handbok"])
    with pytest.raises(ConfigError) as error:
        refuse_unknown(acting, ["index/handbook"])
    (mistake,) = error.value.found
    assert mistake.where == "alerts.yaml: rules.old.run"
    assert mistake.hint == "did you mean index/handbook?"
