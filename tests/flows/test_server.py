"""The background server, with real servers, real processes and real flows."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import psutil
import pytest

from llmops.flows import server
from llmops.flows.server.attending import attended
from llmops.tasks.errors import LlmopsError, Unavailable, UsageError
from tests import forks
from tests.laboratory import with_database

NUMBERS = """
import sys
from pathlib import Path
from llmops.flows import server
from llmops.flows.server.attending import attended
found = server.connect(Path(sys.argv[1]))
from prefect import flow, task
@task
def double(number: int) -> int:
    return 2 * number
@flow
def numbers(count: int) -> int:
    return sum(double.map(list(range(count))).result())
print(found.pid, numbers(int(sys.argv[2])))
"""


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "a home"
    server.stop(tmp_path / "a home")


@pytest.fixture
def home(new_home: Path, prefect_database: Path) -> Path:
    return with_database(new_home, prefect_database)


def python(code: str, *arguments: object) -> forks.Process:
    return forks.start("-c", code, *map(str, arguments))


def post(found: server.Server, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        found.url + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def completed(found: server.Server) -> int:
    answer: int = post(
        found, "/task_runs/count", {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    )
    return answer


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


@pytest.mark.slow
def test_two_commands_at_once_share_one_server_that_is_found_again_and_keeps_every_task_run(
    new_home: Path,
) -> None:
    home = new_home
    first, second = python(NUMBERS, home, 20), python(NUMBERS, home, 20)
    outputs = [process.communicate(timeout=120) for process in (first, second)]
    found = server.find(home)
    assert found is not None
    assert outputs == [(f"{found.pid} 380\n", "")] * 2  # nothing else reaches the terminal
    assert eventually(lambda: completed(found) == 40, 5)
    began = time.perf_counter()
    assert server.ensure(home) == found
    assert time.perf_counter() - began < 1
    assert server.log_errors(home) == []


@pytest.mark.slow
def test_stopping_right_after_a_flow_loses_no_task_run(home: Path) -> None:
    output, errors = python(NUMBERS, home, 250).communicate(timeout=120)
    assert (output.split()[1:], errors) == (["62250"], "")
    assert server.stop(home)
    assert (server.find(home), server.stop(home)) == (None, False)
    assert completed(server.ensure(home)) == 250


@pytest.mark.slow
def test_what_ended_runs_have_sent_is_stored_once_the_server_has_settled(home: Path) -> None:
    output, errors = python(NUMBERS, home, 250).communicate(timeout=120)
    assert (output.split()[1:], errors) == (["62250"], "")
    found = server.ensure(home)
    assert server.settled(home)
    assert completed(found) == 250
    psutil.Process(found.pid).suspend()
    try:
        with pytest.MonkeyPatch.context() as hasty:
            hasty.setattr(server, "SETTLE_SECONDS", 1.0)
            assert not server.settled(home)  # it does not answer
    finally:
        psutil.Process(found.pid).resume()
    assert server.stop(home)
    assert server.settled(home)


@pytest.mark.slow
def test_a_killed_server_is_replaced_at_the_same_port(home: Path) -> None:
    first = server.ensure(home)
    psutil.Process(first.pid).kill()
    second = server.ensure(home)
    assert second.started
    assert second.pid != first.pid
    assert second.url == first.url
    with attended(home, every=0.2):  # as while a command runs its flow
        psutil.Process(second.pid).kill()
        assert eventually(lambda: server.find(home) is not None, 60)
    third = server.find(home)
    assert third is not None
    assert third.pid != second.pid
    assert third.url == first.url


@pytest.mark.slow
def test_a_server_that_hangs_or_has_another_version_is_replaced(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = server.ensure(home)
    os.kill(hanging.pid, signal.SIGSTOP)
    with monkeypatch.context() as hasty:
        hasty.setattr(server, "SILENT_SECONDS", 1.0)
        hasty.setattr(server, "STOP_SECONDS", 1.0)
        second = server.ensure(home)
    assert second.pid != hanging.pid
    assert not psutil.pid_exists(hanging.pid)
    monkeypatch.setattr(server, "version", lambda _: "0.0.1")  # a client of another version
    assert server.ensure(home).pid != second.pid


@pytest.mark.slow
def test_a_stale_record_never_harms_a_foreign_process_and_a_taken_port_is_left_alone(
    home: Path,
) -> None:
    foreign = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(300)", "llmops.flows.server.daemon"]
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        record = {
            "pid": foreign.pid,
            "port": taken.getsockname()[1],
            "version": "3.0.0",
            "home": str(home / "prefect"),
        }
        (home / "prefect" / "server.json").write_text(json.dumps(record))
        found = server.ensure(home)
        assert found.started
        assert not found.ui.endswith(f":{record['port']}")
    assert foreign.poll() is None
    foreign.kill()
    foreign.wait()


@pytest.mark.slow
def test_a_server_ends_when_unused_but_not_while_a_task_runs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOPS_SERVER_IDLE_SECONDS", "6")
    napping = NUMBERS.replace("return 2 * number", "import time; time.sleep(9); return number")
    output, errors = python(napping, home, 1).communicate(timeout=120)
    assert errors == ""
    assert eventually(lambda: not psutil.pid_exists(int(output.split()[0])), 40)
    assert server.find(home) is None


@pytest.mark.slow
def test_a_server_ends_when_its_home_is_removed(home: Path) -> None:
    found = server.ensure(home)
    for file in sorted((home / "prefect").rglob("*"), reverse=True):
        with contextlib.suppress(IsADirectoryError):
            file.unlink()
    assert eventually(lambda: not psutil.pid_exists(found.pid), 60)


@pytest.mark.slow
def test_a_failing_start_names_the_log_and_its_last_errors(home: Path) -> None:
    (home / "prefect" / "prefect.db").write_bytes(b"this is no database " * 1000)
    with pytest.raises(Unavailable, match="not a database") as caught:
        server.ensure(home)
    assert str(home / "prefect" / "server.log") in str(caught.value)
    position = server.log_position(home)
    assert position > 0
    assert server.log_errors(home)
    assert server.log_errors(home, since=position) == []


@pytest.mark.slow
def test_connect_refuses_when_prefect_talks_to_another_server_already(home: Path) -> None:
    code = (
        "import os, sys, prefect\nfrom pathlib import Path\nfrom llmops.flows import server\n"
        "prefect.settings.PREFECT_API_URL.value()\nos.environ.pop('PREFECT_API_URL')\n"
        "try: server.connect(Path(sys.argv[1]))\nexcept server.LlmopsError as wrong:\n    "
        "print(wrong.message)"
    )
    elsewhere = {**os.environ, "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    output, errors = forks.start("-c", code, home, environment=elsewhere).communicate(timeout=120)
    assert output.startswith(
        "prefect is imported already and talks to http://127.0.0.1:9/api, not to http://127.0.0.1:"
    )
    assert errors == ""


@pytest.mark.slow
def test_the_page_needs_no_other_host(home: Path) -> None:
    found = server.ensure(home)
    request = urllib.request.Request(found.ui, headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=10) as response:
        page, address = response.read().decode(), response.url
    assert address == f"{found.ui}/v2/"  # where the links of runs go
    references = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert references
    assert [reference for reference in references if "//" in reference] == []
    for reference in (reference for reference in references if "/assets/" in reference):
        with urllib.request.urlopen(urljoin(address, reference), timeout=10) as response:
            assert response.status == 200


def test_a_home_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(LlmopsError, match=r"cannot be written.*LLMOPS_HOME"):
        server.ensure(tmp_path / "file")
    with pytest.raises(LlmopsError, match="too long for a database"):
        server.ensure(tmp_path.joinpath(*["deep" * 10] * 15))
    assert server.find(tmp_path / "nowhere") is None
    assert server.stop(tmp_path / "nowhere") is False
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("given", ["soon", "-1", "nan", "inf"])
def test_a_wrong_idle_time_is_a_usage_error(
    new_home: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("LLMOPS_SERVER_IDLE_SECONDS", given)
    with pytest.raises(UsageError, match="number of seconds"):
        server.ensure(new_home)
