"""Looks that go on whatever happens, and notices where no ledger can keep them."""

from datetime import datetime
from pathlib import Path

import pytest

from llmops.tasks import ledger
from llmops.tasks.alerts.condition import Observation
from llmops.tasks.alerts.looking import Alerter, AlertPlan, look_once
from llmops.tasks.alerts.policy import AlertPolicy, Recipient
from llmops.tasks.alerts.ruling import AlertRule
from tests.alerts.ledgers import asked, times
from tests.alerts.looks import MINUTE, NOON, KeepingSender, wrong

POLICY = AlertPolicy(project="desk", recipients=(Recipient(sender="me"),))
ERRORS = AlertRule(name="errors", app="helpdesk", metric="error_rate", above=0.05)


def plan(sender: KeepingSender) -> AlertPlan:
    return AlertPlan(POLICY, (ERRORS,), {"me": sender})


def test_a_look_asks_rules_and_watchers_and_tells(home: Path) -> None:
    asked(home, times(NOON - 50 * MINUTE, 50, MINUTE), statuses=["error"])
    sender = KeepingSender()
    looked = look_once(home, plan(sender), [lambda _: Observation(conditions=(wrong(),))], NOON)
    assert {each.key for each in looked.taken.fired} == {
        "errors/helpdesk",
        "flow-failed/index/handbook",
    }
    assert looked.delivered.sent == len(sender.sent) == 2
    assert looked.problems == ()


def test_a_watcher_that_fails_hides_nothing_and_ends_nothing(home: Path) -> None:
    def fails(at: datetime) -> Observation:
        raise RuntimeError(f"at {at:%H:%M}")

    sender = KeepingSender()
    look_once(home, plan(sender), [lambda _: Observation(conditions=(wrong(),))], NOON)
    for minutes in range(1, 6):
        looked = look_once(home, plan(sender), [fails], NOON + minutes * MINUTE)
    assert looked.taken.resolved == ()
    assert any("RuntimeError: at 12:05" in each for each in looked.problems)
    assert [kind for kind, _ in sender.sent] == ["fired"]


def test_where_no_ledger_can_be_used_that_is_told_past_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOPS_LEDGER_URL", f"sqlite:///{tmp_path / 'no' / 'folder' / 'ledger.db'}")
    sender = KeepingSender()
    seen = Observation(conditions=(wrong(),))
    alerter = Alerter(tmp_path, AlertPlan(POLICY, (), {"me": sender}), [lambda _: seen])
    for minutes in range(6):
        looked = alerter.look(NOON + minutes * MINUTE)
        assert len(sender.sent) == (1 if minutes >= 2 else 0)
    assert any("cannot be written down" in each for each in looked.problems)
    (tmp_path / "no" / "folder").mkdir(parents=True)
    ledger.close_ledgers()
    alerter.look(NOON + 6 * MINUTE)
    told = [(each.kind, each.key) for each in sender.notices]
    assert told == [
        ("fired", "ledger-down/desk"),
        ("fired", "flow-failed/index/handbook"),
        ("resolved", "ledger-down/desk"),
    ]
    ledger.close_ledgers()
