"""An alerter that is killed, or hangs, is missed: by `up`, by `status`, by metrics and by flows."""

import os
import signal
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from llmops.deployments.alerting import pulse
from llmops.deployments.alerting.heartbeat import Heartbeat
from llmops.deployments.app.metrics import Metrics
from llmops.deployments.project import Project
from llmops.deployments.status import status
from llmops.deployments.up.keeper import UpPart
from llmops.deployments.up.parts import parts_of
from llmops.deployments.up.servers import Chosen, Servers
from llmops.tasks.alerts.beats import Beat, beat, last_beat
from llmops.tasks.ledger import now, open_ledger
from tests.deployments.alerting.receiver import Receiver, receiving
from tests.deployments.conftest import project as project
from tests.deployments.up.parts import wait_until
from tests.deployments.up.test_supervisor import Running
from tests.ledgers import with_ledger

MINUTE = timedelta(minutes=1)
WATCH = """
import sys, threading
from datetime import timedelta
from pathlib import Path
from llmops.deployments.alerting.alerter import HouseAlerter, AlertSetup
from llmops.deployments.alerting.house import HouseWatch
from llmops.deployments.alerting.watching import watch
from llmops.tasks.alerts.looking import AlertPlan
from llmops.tasks.alerts.policy import AlertPolicy
told = AlertSetup(AlertPlan(AlertPolicy(every=timedelta(seconds=1))))
watch(HouseAlerter(HouseWatch(Path(sys.argv[1])), lambda: told), threading.Event())
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return with_ledger(tmp_path / "home")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def supervised(home: Path, tmp_path: Path) -> Iterator[Running]:
    part = UpPart(
        "alerts",
        (sys.executable, "-c", WATCH, str(home)),
        lambda: pulse.well(home, patience=1.0),
        tmp_path,
        app=True,
    )
    running = Running(tmp_path, [part])
    yield running
    running.end()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_an_alerter_that_is_gone_or_hangs_is_started_again(
    supervised: Running, home: Path, how: signal.Signals
) -> None:
    wait_until(lambda: last_beat(open_ledger(home)), 60)
    wait_until(lambda: supervised.record("alerts").healthy, 60)
    first = supervised.well("alerts")
    os.kill(first, how)
    wait_until(lambda: supervised.record("alerts").restarts >= 1, 60)
    wait_until(lambda: supervised.record("alerts").healthy, 60)
    assert supervised.well("alerts") != first
    why = "ended by signal 9" if how == signal.SIGKILL else "no answer for"
    assert why in supervised.said()


def test_a_pulse_is_well_as_long_as_it_is_young(home: Path) -> None:
    assert not pulse.well(home)
    pulse.pulse(home, 60)
    pulse.pulse(home, 3600)
    assert pulse.well(home)
    assert (home / pulse.FILE).read_text().count("\n") == 1
    assert not pulse.well(home, patience=-6 * 3600)
    (home / pulse.FILE).write_text("nonsense")
    assert not pulse.well(home)


def nothing() -> None:
    """Before the worker starts."""


def test_up_keeps_an_alerter_but_where_it_runs_elsewhere(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yours = Chosen("http://127.0.0.1:1/api", "http://127.0.0.1:1", "PREFECT_API_URL")
    ports = {"prefect": 1, "mlflow": 2, "worker": 3}

    def names() -> list[str]:
        servers = Servers(yours, yours, {})
        return [each.name for each in parts_of(Project.at(project, home), servers, ports, nothing)]

    assert names() == ["prefect", "mlflow", "alerts", "worker"]
    monkeypatch.setenv("LLMOPS_ALERTS", "elsewhere")
    assert names() == ["prefect", "mlflow", "worker"]


def test_status_says_since_when_the_alerter_is_silent(project: Path, home: Path) -> None:
    def silent() -> list[str]:
        return [each["message"] for each in status(home)["alerts"] if each["kind"] == "alerter"]

    beat(home, Beat(at=now() - 3 * MINUTE, every_seconds=60))
    assert silent() == []
    beat(home, Beat(at=now() - 90 * MINUTE, every_seconds=60, pid=7))
    (told,) = silent()
    assert "the alerter is silent since" in told
    assert "process 7" in told
    beat(home, Beat(at=now() - 90 * MINUTE, every_seconds=60, ended=True))
    assert silent() == []


def test_metrics_say_when_the_alerter_last_looked() -> None:
    found = Metrics()
    assert b"llmops_alerter_last_beat_seconds 0.0" in found.text({}, {}, None)
    at = now()
    (line,) = [
        each
        for each in found.text({}, {}, at).decode().splitlines()
        if each.startswith("llmops_alerter_last_beat_seconds ")
    ]
    assert float(line.split()[1]) == pytest.approx(at.timestamp(), abs=1)


def test_a_heartbeat_goes_out_after_each_look_and_says_when_there_was_none(
    receiver: Receiver,
) -> None:
    heartbeat = Heartbeat(f"{receiver.url}/ping/5f0c?rid=1")
    for well in (True, False):
        heartbeat(well=well)
        heartbeat.wait()
    assert receiver.asked == ["/ping/5f0c?rid=1", "/ping/5f0c/fail?rid=1"]
    receiver.status = 500
    heartbeat(well=True)
    heartbeat.wait()
    assert heartbeat.failures == 1


def test_a_heartbeat_that_does_not_arrive_is_said_once_without_its_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heartbeat = Heartbeat("http://127.0.0.1:9/ping/secret-5f0c")
    for _ in range(3):
        heartbeat(well=True)
        heartbeat.wait()
    (said,) = caplog.messages
    assert "127.0.0.1" in said
    assert "5f0c" not in said
