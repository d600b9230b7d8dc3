"""Traces over a real MLflow server, which is killed and comes back; and a process of ours that is
killed, or whose disk is full.
"""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.traces import deletion, index, reading, sending, spool
from llmops.tasks.traces.feedback import Feedback
from llmops.tasks.traces.probing import probe
from llmops.tasks.traces.sending_process import SendingProcess
from llmops.tasks.traces.settings import TraceSettings
from llmops.tasks.traces.spool import SpoolFull, TraceSpool
from llmops.tasks.traces.writer import TraceWriter, WriterState
from llmops.tasks.tracking.store import prepare, tracking_uri
from tests.traces.made import person, recorded
from tests.traces.mlflow_server import tracking_server

pytestmark = pytest.mark.slow
SECONDS = 90.0
ROOT = Path(__file__).parent.parent.parent
KILLED = """
import os, signal, sys
from pathlib import Path
from llmops.tasks.traces.writer import TraceWriter, WriterState
from tests.traces.made import recorded
made = TraceWriter(Path(sys.argv[1]), "helpdesk")
made.start()
for number in range(20):
    made.put(recorded(f"question {number}"))
while made.state().queued or made.state().spooled < 20:
    pass
print("spooled", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


class Server:
    """A process of `mlflow server` on a home's store, at the same port each time."""

    def __init__(self, home: Path) -> None:
        prepare(home)
        self.store = tracking_uri(home)
        with socket.create_server(("127.0.0.1", 0)) as probing:
            self.port = probing.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["server", "--backend-store-uri", self.store, "--port", str(self.port)]
        environment = {
            **os.environ,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words, "--workers", "1"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2).close()
                return
            except OSError:
                time.sleep(0.2)
        pytest.fail("the server did not answer")

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(sending, "PATIENCE", (0.1, 1.0))
    made = Server(tmp_path)
    made.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.uri)
    yield made
    made.kill()


def counted(made: TraceWriter, stored: int) -> WriterState:
    """The state, once the process that sends has said that it sent so many: a little later than
    the spool is empty.
    """
    deadline = time.monotonic() + SECONDS
    while made.state().stored < stored and time.monotonic() < deadline:
        time.sleep(0.05)
    return made.state()


def test_a_server_that_is_killed_under_load_loses_nothing(tmp_path: Path, server: Server) -> None:
    ann = person(tmp_path)
    made = TraceWriter(tmp_path, "helpdesk")
    made.start()
    traces = []
    for number in range(120):
        if number == 40:
            server.kill()
        if number == 80:
            server.start()
        traces.append(recorded(f"zanzibar {number}", person=ann))
        made.put(traces[-1])
        time.sleep(0.01)
    made.feedback(traces[0].id, ann, Feedback("up", "good"))
    assert made.flush(SECONDS)
    state = counted(made, 120)
    made.close()
    assert (state.stored, state.dropped, state.set_aside, state.spooled) == (120, 0, 0, 0)
    turns = reading.conversation(tmp_path, "helpdesk", "c1", ann, most=200)
    assert [turn.question for turn in turns] == [trace.question for trace in traces]
    found, ratings = reading.rated(tmp_path, traces[0].id)
    assert found.cost_usd == traces[0].cost_usd
    assert found.spans[1].attributes == traces[0].spans[1].attributes
    assert [(each.name, each.value) for each in ratings] == [("rating", "up")]
    assert any("MLflow" in place for place in probe(tmp_path, ["zanzibar 7"]))
    deleted = deletion.delete_person(tmp_path, "helpdesk/ann")
    assert (deleted.ok, deleted.places["mlflow"]) == (True, 120)
    assert "on a server" in deleted.remarks[0]
    assert probe(tmp_path, ["zanzibar 7"]) == []


def test_what_a_killed_process_had_spooled_is_sent_by_the_next(tmp_path: Path) -> None:
    environment = {**os.environ, "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    ended = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "spooled\n"), ended.stderr
    made = TraceWriter(tmp_path, "helpdesk")
    made.start()
    assert made.flush(SECONDS)
    made.close()
    rows = index.listed(tmp_path, limit=100)
    assert len(rows) == 20
    assert all(row.stored_at for row in rows)
    assert not list((tmp_path / spool.FOLDER / "helpdesk").glob("*.new"))


def test_a_disk_that_is_full_is_told_and_leaves_no_part(tmp_path: Path) -> None:
    """A limit on the size of files, in a process of its own, is what a full disk is to us."""
    made = TraceSpool(tmp_path, "helpdesk", 10**9)
    made.put(recorded())
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
            made.put(recorded())
        except SpoolFull as error:
            code = 0 if "the disk does not take it" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [path.suffix for path in made.folder.iterdir() if path.suffix != ".lock"] == [".json"]


@pytest.mark.parametrize("spool_mb", [100.0, 0.000001], ids=["spooled", "in memory"])
def test_a_process_that_sends_and_is_killed_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spool_mb: float
) -> None:
    with tracking_server() as tracking:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
        tracking.fault = "500"
        made = TraceWriter(tmp_path, "helpdesk", TraceSettings(spool_mb=spool_mb))
        made.start()
        traces = [recorded(f"question {number}") for number in range(5)]
        for trace in traces:
            made.put(trace)
        deadline = time.monotonic() + SECONDS
        while "MLflow" not in made.state().last_error and time.monotonic() < deadline:
            time.sleep(0.05)
        assert isinstance(made._sender, SendingProcess)
        assert made._sender.pid
        os.kill(made._sender.pid, signal.SIGKILL)
        tracking.fault = ""
        assert made.flush(SECONDS)
        assert set(tracking.spans) == {trace.id for trace in traces}
        state = counted(made, 5)
        assert (state.stored, state.dropped, state.in_memory) == (5, 0, 0)
        pid = made._sender.pid
        made.close()
        assert not Path(f"/proc/{pid}").exists()
