"""When `up` ends, nothing is left RUNNING: what can end does, what cannot is ended."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from llmops.deployments.prefect_api import PrefectApi
from llmops.deployments.up.cancelling import cancel_runs
from llmops.deployments.up.processes import FLOW_RUN, MARK, flow_runs
from tests.deployments.fake_prefect import FakePrefect, state

NOW = datetime.now(UTC)


@pytest.fixture
def prefect() -> Iterator[FakePrefect]:
    with FakePrefect.serving() as fake:
        yield fake


def cancelled(
    prefect: FakePrefect, seconds: float = 1.5, *, at_once: bool = False
) -> tuple[list[str], int]:
    """What was told, and how often processes were ended."""
    insist, told, ended = threading.Event(), list[str](), list[int]()
    if at_once:
        insist.set()
    api = PrefectApi(prefect.url)
    tags = ("llmops", "project:desk")
    cancel_runs(api, tags, seconds, insist, lambda: ended.append(1), told.append)
    return told, len(ended)


def test_where_nothing_runs_nothing_is_said(prefect: FakePrefect) -> None:
    prefect.add("later", NOW, state("SCHEDULED"))
    prefect.add("before", NOW, state("COMPLETED"))
    assert cancelled(prefect) == ([], 0)
    assert prefect.states == []


def test_runs_that_end_by_themselves_are_waited_for(prefect: FakePrefect) -> None:
    key = prefect.add("build", NOW, state("RUNNING"))

    def worker(run: str, kind: str) -> None:
        if kind == "CANCELLING":
            prefect.runs[run]["state"] = state("CANCELLED")

    prefect.set_state = worker
    assert cancelled(prefect) == (["1 running: build; cancelled"], 0)
    assert prefect.states == [(key, "CANCELLING")]


@pytest.mark.parametrize("at_once", [False, True])
def test_runs_that_do_not_are_stopped_and_said_to_be(prefect: FakePrefect, at_once: bool) -> None:
    deaf = prefect.add("deaf", NOW, state("RUNNING"))
    pending = prefect.add("pending", NOW, state("PENDING", "Submitting"))
    told, ended = cancelled(prefect, at_once=at_once)
    assert told[-1] == "2 had to be stopped: deaf, pending"
    assert ended == 1
    assert prefect.states == [
        (deaf, "CANCELLING"),
        (pending, "CANCELLING"),
        (deaf, "CANCELLED"),
        (pending, "CANCELLED"),
    ]


def test_a_server_that_is_gone_is_said_and_stops_nobody(prefect: FakePrefect) -> None:
    prefect.add("build", NOW, state("RUNNING"))
    prefect.refuses = True
    (told,), ended = cancelled(prefect)
    assert "runs could not be cancelled" in told
    assert "the next `llmops up` reruns them" in told
    assert ended == 0


def test_runs_of_other_machines_are_left_alone(prefect: FakePrefect) -> None:
    mine = prefect.add("mine", NOW, state("RUNNING"))
    theirs = prefect.add("theirs", NOW, state("RUNNING"))
    told = list[str]()
    cancel_runs(
        PrefectApi(prefect.url),
        ("llmops", "project:desk"),
        1.2,
        threading.Event(),
        lambda: None,
        told.append,
        lambda: {mine},
    )
    assert told[-1] == "1 had to be stopped: mine"
    assert theirs not in {run for run, _ in prefect.states}


def test_runs_of_this_machine_are_known_by_their_processes() -> None:
    marks = {MARK: "a mark", FLOW_RUN: "run 7"}
    sleeping = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"]
    with subprocess.Popen(sleeping, env={**os.environ, **marks}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert flow_runs("a mark") == {"run 7"}
        assert flow_runs("another") == set()
        process.kill()
