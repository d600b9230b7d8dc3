"""How far a long run is, as the Prefect UI shows it: made inside real flows, read back through the
server's API.
"""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks import progress
from llmops.tasks.progress import Board

pytestmark = pytest.mark.slow


def drawn_for(home: Path, key: str, run: str) -> list[dict[str, Any]]:
    """The progress artifacts of a run."""
    from llmops.flows import server

    found = server.find(home)
    assert found is not None
    wanted = {"artifacts": {"key": {"any_": [key]}, "flow_run_id": {"any_": [run]}}}
    kind = {"content-type": "application/json"}
    request = urllib.request.Request(
        f"{found.url}/artifacts/filter", json.dumps(wanted).encode(), kind
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return list(json.load(response))


def waited_for(home: Path, key: str, run: str, says: str) -> dict[str, Any]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for each in drawn_for(home, key, run):
            if says in each["description"]:
                return each
        time.sleep(0.05)
    raise AssertionError(drawn_for(home, key, run))


def test_one_artifact_is_written_anew_while_a_run_goes_on_and_stays_with_its_end(
    prefect_server: Path,
) -> None:
    from prefect import flow

    from llmops.flows.progress_artifact import drawn
    from llmops.tasks.finish import name_run, run_id

    home, runs = prefect_server, []

    @flow
    def work(broken: bool) -> None:
        runs.append(run_id() or "")
        board, key = Board(), "handbook-index-progress"
        with progress.watched(board), drawn(board, key, first=0.05):
            progress.expect("read", 4)
            progress.expect("embed", 0, "chunks")
            name_run("handbook v1")
            with progress.stage("read", 4) as step:
                step(2)
                early = waited_for(home, key, runs[-1], "read 2 of 4 documents")
                assert (early["type"], early["data"]) == ("progress", 25)
                step(2)
                later = waited_for(home, key, runs[-1], "read 4 of 4 documents")
                assert (later["id"], later["data"]) == (early["id"], 50)
            if broken:
                raise ValueError("the disk is full")

    work(broken=False)
    (ended,) = drawn_for(home, "handbook-index-progress", runs[-1])
    assert (ended["data"], ended["description"].split(" after")[0]) == (100, "ended")
    with pytest.raises(ValueError, match="disk"):
        work(broken=True)
    (broken,) = drawn_for(home, "handbook-index-progress", runs[-1])
    assert (broken["data"], broken["description"].split(" after")[0]) == (50, "broken off")


def test_a_quick_run_has_none_and_a_run_inside_of_another_is_not_taken_for_it(
    prefect_server: Path,
) -> None:
    from prefect import flow

    from llmops.flows.progress_artifact import drawn
    from llmops.tasks.finish import name_run, run_id

    home, runs, outer = prefect_server, [], "night-nightly-progress"

    @flow
    def inner(board: Any) -> None:
        runs.append(run_id() or "")
        with drawn(board, "handbook-index-progress", first=0.05):
            name_run("handbook v2")
            with progress.stage("read", 4) as step:
                step()
                waited_for(home, "handbook-index-progress", runs[-1], "read 1 of 4")

    @flow
    def night() -> None:
        runs.append(run_id() or "")
        with progress.watched(Board()) as board, drawn(board, outer, first=0.05):
            name_run("night 2026-01-31")
            inner(board)

    night()
    assert [drawn_for(home, outer, run) for run in runs] == [[], []]
    with progress.watched(Board()) as board, drawn(board, "quick-index-progress"):
        progress.about("quick v1", runs[0])
        list(progress.each(range(9), "read"))
    assert drawn_for(home, "quick-index-progress", runs[0]) == []


def test_runs_that_a_schedule_starts_have_a_board_too(prefect_server: Path) -> None:
    """Prefect's engine calls what the flow does, not the flow."""
    from prefect import flow
    from prefect.flow_engine import run_flow

    from llmops.configs.maintain import MaintainConfig
    from llmops.flows.calling import callable_with

    boards = []

    @callable_with(MaintainConfig, dict)
    @flow(name="probe")
    def probe(config: Any, home: Any = None) -> None:
        boards.append((type(config), home, progress.board()))

    run_flow(probe, parameters={"config": {"name": "house"}, "home": str(prefect_server)})
    ((config, home, board),) = boards
    assert (config, home) == (MaintainConfig, prefect_server)
    assert isinstance(board, Board)


@pytest.mark.parametrize(
    ("seconds", "pauses"), [(0, 10), (199, 10), (600, 30), (36_000, 60)], ids=str
)
def test_it_is_written_less_often_the_longer_a_run_lasts(seconds: float, pauses: float) -> None:
    from llmops.flows.progress_artifact import pause

    assert pause(seconds) == pauses
