"""Seven nights, each with a fault: at the end one consistent base, a history that says what
happened, and for each fault one alert and one recovery, and nothing else.
"""

import os
import random
from collections.abc import Callable, Iterator

import pytest

from llmops.flows.server.which import OWN
from tests.commandline import llmops
from tests.deployments.alerting.nights import HOUR, Nights, alerts_told, table
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
BYTES = 5_000_000  # SQLite's log of the ledger grows to 4 MB before it is written back


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def model() -> Iterator[Service]:
    with serving(lambda _messages: "yes") as found:
        yield found


def source_down(nights: Nights) -> None:
    documents = nights.lab.documents
    away = documents.with_name("away")
    nights.through(
        lambda: documents.rename(away),
        nights.night,
        lambda: away.rename(documents) and nights.again("index", "lab.yaml"),
    )


def store_down(nights: Nights) -> None:
    store = nights.lab.home / "lancedb"
    away = store.with_name("lancedb-away")

    def lost() -> None:
        store.rename(away)
        store.write_text("the volume is not mounted")
        nights.document(1, 41)

    def back() -> None:
        store.unlink()
        away.rename(store)

    nights.through(lost, nights.night, back)


def tracking_down(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "LLMOPS_MLFLOW_TRACKING_URI"
    before = os.environ[name]
    nights.through(
        lambda: monkeypatch.setenv(name, "http://127.0.0.1:9"),
        nights.night,
        lambda: monkeypatch.setenv(name, before),
    )


def disk_full(nights: Nights) -> None:
    """No file may grow beyond what the ledger needs: a document of this night is larger."""

    def mended() -> None:
        (nights.lab.documents / "large.md").unlink()
        nights.again("index", "lab.yaml")

    nights.through(
        lambda: nights.lab.write("large.md", f"# Large\n\n{noise(3 * BYTES)}\n"),
        lambda: nights.night("-m", "tests.starved", str(BYTES)),
        mended,
    )


def noise(size: int) -> str:
    """A text that no compression makes much smaller."""
    return " ".join(f"{random.Random(n).getrandbits(320):x}" for n in range(size // 80))


def endpoint_down(nights: Nights, model: Service) -> None:
    def failing() -> None:
        nights.prompt("better", "Be very brief. {{question}}")
        model.faults = Faults(broken=1.0)

    def mended() -> None:
        model.faults = Faults()
        nights.again("evaluate", "evaluate.yaml")

    nights.through(failing, nights.night, mended)


def clock_jumps(nights: Nights) -> None:
    """It was three hours slow, and somebody sets it right in the middle of the night."""

    def night() -> None:
        nights.night()
        nights.look(1)
        nights.at += 3 * HOUR

    nights.through(lambda: None, night, lambda: None)


def machine_restarts(nights: Nights) -> None:
    """In the middle of a build: night and alerter are gone at once, and come again."""

    def killed() -> None:
        nights.document(2, 45)
        place = "llmops.tasks.plugins.stores.lancedb:LanceDBCollection.seal"
        config = str(nights.lab.folder / "night.yaml")
        ended = nights.run("-m", "tests.killer", str(nights.lab.home), config, place, "before")
        assert ended.code == -9, ended.err
        nights.up_seconds = 60.0
        nights.alerter = nights.start_alerter()

    nights.through(lambda: None, killed, nights.night)


def test_seven_nights_with_a_fault_each(
    lab: Laboratory, receiver: Receiver, model: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOPS_HOME", str(lab.home))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    servers = {"PREFECT_API_URL": os.environ["PREFECT_API_URL"], OWN: ""}
    monkeypatch.delenv("PREFECT_API_URL")  # the alerter's clock is not that of a server
    nights = Nights(lab, f"{receiver.url}/alerts", model.base_url, servers)
    first = nights.night()
    assert first.code in (0, 5), first.err
    nights.look(2)
    assert (receiver.told, nights.last.problems) == ([], ())
    faults: tuple[Callable[[], None], ...] = (
        lambda: source_down(nights),
        lambda: store_down(nights),
        lambda: tracking_down(nights, monkeypatch),
        lambda: disk_full(nights),
        lambda: endpoint_down(nights, model),
        lambda: clock_jumps(nights),
        lambda: machine_restarts(nights),
    )
    for number, (fault, key) in enumerate(zip(faults, NIGHTS, strict=True)):
        fault()
        assert receiver.told[2 * number :] == [("fired", key), ("resolved", key)]
        assert nights.last.problems == ()
    assert len(set(receiver.ids)) == 2 * len(NIGHTS)
    assert lab.verified()
    assert {each.rpartition("/")[2] for each in lab.visible()} == {
        f"room-{number}.md" for number in range(6)
    }
    history = alerts_told(lab.home)
    assert [each["key"] for each in history if each["status"] == "resolved"] == [*NIGHTS]
    assert len(history) == len(NIGHTS)
    log = llmops("kb", "log", "lab", "--json").data["versions"]
    assert log[0]["status"] == "live"
    print(table(history))
