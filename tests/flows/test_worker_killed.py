"""A worker that is killed while a run is pending: the run is marked, and the next worker runs it
again, once. What a worker does with runs that piled up, with those that find a build going on, and
with a schedule whose config is gone.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import pytest

from llmops.deployments.project import Project
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.slots import here_and_alive
from tests.commandline import Office, environment, llmops
from tests.flows.leftovers import Runs

pytestmark = pytest.mark.slow
SECONDS = 120.0


@contextlib.contextmanager
def working(office: Office, project: Project, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker of the pool, as `up` starts it; killed with all that it started at the end."""
    from llmops.flows import server

    words = ("worker", "start", "--pool", project.pool, "--type", "process")
    found = server.find(office.home)
    assert found
    given = environment(office.home) | server.client_settings(office.home, found)
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", *words, "--name", project.worker],
            env=given | {"PREFECT_WORKER_QUERY_SECONDS": "1"},
            cwd=office.folder,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL for a worker and all that it started."""
    with contextlib.suppress(psutil.Error):
        own = psutil.Process(process.pid)
        for each in [*own.children(recursive=True), own]:
            with contextlib.suppress(psutil.Error):
                each.kill()
    process.wait()


def until(found: Callable[[], Any], log: Path) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.1)
    pytest.fail(f"not within {SECONDS} s\n{log.read_text()[-3000:]}")


def a_build_goes_on(office: Office, runs: Runs, state: Callable[[UUID], str], log: Path) -> None:
    """Two runs of the schedule find it: the newer one waits, and builds when it has ended."""
    with office.handle.hold():
        first = runs.late(0)
        until(lambda: here_and_alive(open_ledger(office.home), first), log)
        second = runs.late(0)
        until(lambda: state(UUID(first)) == "Covered", log)
        assert state(UUID(second)) == "Running"
    until(lambda: state(UUID(second)) == "Completed", log)


def test_a_worker_killed_while_a_run_is_pending_loses_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from llmops.deployments.catchup import catch_up
    from llmops.deployments.deploy import client_of, registered

    monkeypatch.setenv("LLMOPS_PROJECT", f"desk-{uuid4().hex[:8]}")
    office.write("a.md", "# A\n\nThe library opens at nine.\n")
    office.config(schedule={"cron": "0 3 1 1 *"})
    assert llmops("deploy", office.folder).code == 0
    project, log = Project.at(office.folder), tmp_path / "worker.log"
    with client_of(office.home) as (client, _url):
        (deployment,) = registered(client, *project.tags)
        run, runs = client.create_flow_run_from_deployment(deployment.id), Runs(office, client)

        def state(of: UUID) -> str:
            return client.read_flow_run(of).state_name or ""

        with working(office, project, log) as worker:
            until(lambda: state(run.id) in ("Pending", "Submitting", "Running"), log)
            kill(worker)
        assert state(run.id) in ("Pending", "Submitting", "Running")
        done = catch_up(project)
        assert [step.what for step in done.steps] == ["crash", "rerun"]
        assert state(run.id) == "Crashed"
        again = client.create_flow_run_from_deployment(
            deployment.id, idempotency_key=done.steps[1].key
        )  # the same that catching up has made
        with working(office, project, log):
            until(lambda: state(again.id) in ("Completed", "Failed", "Crashed"), log)
            assert state(again.id) == "Completed", log.read_text()[-3000:]
            # a laptop that wakes up while its worker lives: nobody catches up first
            late = [runs.late(days) for days in (3, 2, 1)]
            until(lambda: {state(UUID(each)) for each in late} == {"Covered"}, log)
            a_build_goes_on(office, runs, state, log)
            assert "Traceback" not in log.read_text()
            (office.folder / "lab.yaml").unlink()
            last = client.create_flow_run_from_deployment(deployment.id)
            until(lambda: state(last.id) == "Failed", log)
            assert "the config of this schedule is gone" in runs.state(str(last.id)).message
        assert catch_up(project).steps == []
        client.delete_deployment(deployment.id)
    live = Handle(home=office.home, name=office.kb).live()
    assert live is not None
    assert live.version == 1
