"""`llmops init` and `llmops up` as a user meets them: a night that runs by itself, a second `up`, a
killed one, and an end in order.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import forks
from tests.commandline import Said, ended, llmops
from tests.laboratory import with_database

pytestmark = pytest.mark.slow
NIGHT = 'flow: nightly\nname: night\nindex: [handbook.yaml]\nschedule: {cron: "* * * * *"}\n'
UNSET = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "LLMOPS_MLFLOW_TRACKING_URI")


class Desk:
    """A project, and the `up` of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ups: list[subprocess.Popen[str]] = []

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key not in UNSET}
        return {**kept, "LLMOPS_HOME": str(self.folder / ".llmops")}

    def up(self) -> tuple["subprocess.Popen[str]", dict[str, dict[str, Any]]]:
        """Start it; its parts by their names, once all have answered."""
        with (self.folder / "log.txt").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "llmops.flows.cli", "up", "--json"],
                cwd=self.folder,
                env=self.environment(),
                text=True,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.ups.append(process)
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline() or "{}") for _ in range(5)]
        assert all(lines), (self.folder / "log.txt").read_text()
        return process, {line["name"]: line for line in lines}

    def says(self, *words: str) -> Said:
        words = ("-m", "llmops.flows.cli", *words, "--json")
        return ended(forks.start(*words, environment=self.environment(), cwd=self.folder))

    def wait_for_run(self, other_than: str | None = None) -> dict[str, Any]:
        """What `status` says once the last run of the night that ended is another one. One that was
        cut when `up` was killed is Crashed, and run again.
        """
        deadline = time.monotonic() + 240
        while True:
            found = self.says("status").data
            flows: list[dict[str, Any]] = found["flows"]
            last = next(each for each in flows if each["name"] == "nightly/night")["last"]
            assert not last or last["type"] != "FAILED", last
            if last and last["type"] == "COMPLETED" and last["run_id"] != other_than:
                return {**found, "last": last}
            assert time.monotonic() < deadline, (self.folder / "log.txt").read_text()
            time.sleep(4)  # a look costs half a second of the processor that the night needs


@pytest.fixture
def desk(tmp_path: Path, prefect_database: Path) -> Iterator[Desk]:
    folder = tmp_path / "desk"
    assert llmops("init", folder).code == 0
    (folder / "nightly.yaml").write_text(NIGHT)
    with_database(folder / ".llmops", prefect_database)
    desk = Desk(folder)
    yield desk
    for process in desk.ups:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


def answered(url: str) -> str:
    """The document that the application's answer rests on."""
    asked = [{"role": "user", "content": "How do I reset my password?"}]
    body = json.dumps({"model": "helpdesk", "messages": asked}).encode()
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return str(json.load(response)["citations"][0]["uri"])


def gone(*pids: int) -> Callable[[], bool]:
    return lambda: not any(psutil.pid_exists(pid) for pid in pids)


def test_a_night_runs_by_itself_and_survives_a_killed_up(desk: Desk) -> None:
    first, parts = desk.up()
    assert set(parts) == {"prefect", "mlflow", "app helpdesk", "alerts", "worker"}
    again = desk.says("up")
    assert again.code == 3
    assert f"process {first.pid}" in again.data["reason"]
    found = desk.wait_for_run()
    assert [base["version"] for base in found["knowledge_bases"]] == [1]
    assert [part["healthy"] for part in found["parts"]] == [True] * 5
    assert answered(parts["app helpdesk"]["url"]) == "accounts.md"

    first.kill()
    first.communicate()
    pids = [part["pid"] for part in parts.values()]
    deadline = time.monotonic() + 60
    while not gone(*pids)():
        assert time.monotonic() < deadline, "what a killed `up` had started must end by itself"
        time.sleep(0.2)

    second, parts_again = desk.up()
    ports = {name: part["url"] for name, part in parts.items()}
    assert {name: part["url"] for name, part in parts_again.items()} == ports
    desk.wait_for_run(found["last"]["run_id"])
    second.send_signal(signal.SIGINT)
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 0
    assert json.loads(out) == {"ended": True, "in_order": True}
    assert "Ctrl-C again ends them at once" in (desk.folder / "log.txt").read_text()
    assert gone(*(part["pid"] for part in parts_again.values()))()
    assert desk.says("down").data == {"stopped": False, "up": None}
