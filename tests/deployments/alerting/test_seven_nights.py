"""Seven nights, each with a fault: at the end one consistent base, a history that says what
happened, and for each fault one alert and one recovery, and nothing else.
"""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests import killer
from tests.deployments.alerting.nights import HOUR, Nights
from tests.deployments.alerting.receiver import Receiver, receiving
from tests.flows.conftest import lab, prefect_server
from tests.laboratory import Laboratory
from tests.llm_faults import Faults
from tests.openai_server import Service, serving

__all__ = ["lab", "prefect_server"]  # fixtures
pytestmark = pytest.mark.slow
NIGHTS = (
    "flow-blocked/index/lab",
    "store-down/lab",
    "part-down/mlflow",
    "flow-failed/index/lab",
    "flow-failed/evaluate/desk",
    "clock/machine",
    "flow-failed/index/lab",
)
BYTES = 3_000_000


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def model() -> Iterator[Service]:
    with serving(lambda _messages: "yes") as found:
        yield found


def test_seven_nights_with_a_fault_each(
    lab: Laboratory, receiver: Receiver, model: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOPS_HOME", str(lab.home))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    nights = Nights(lab, f"{receiver.url}/alerts", model.base_url)
    first = nights.night()
    assert first.code in (0, 5), first.err
    nights.look(2)
    assert (receiver.told, nights.last.problems) == ([], ())
    source_down(nights)
    store_down(nights)
    tracking_down(nights, monkeypatch)
    disk_full(nights)
    endpoint_down(nights, model)
    clock_jumps(nights)
    machine_restarts(nights)
    wanted = [(kind, key) for key in NIGHTS for kind in ("fired", "resolved")]
    assert receiver.told == wanted
    assert len(set(receiver.ids)) == len(wanted)
    assert nights.lab.verified()
    assert lab.visible() == {str(each) for each in lab.visible()}
