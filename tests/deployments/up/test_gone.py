"""Runs whose process is gone are marked, and no others."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from llmops.deployments.prefect_api import PrefectApi
from llmops.deployments.up.gone import WHY, GoneRuns
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.slots import claim
from llmops.tasks.ledger.tables import slots
from tests.deployments.fake_prefect import FakePrefect, state

NOW = datetime.now(UTC)


@pytest.fixture
def prefect() -> Iterator[FakePrefect]:
    with FakePrefect.serving() as fake:
        yield fake


def test_a_run_without_its_process_is_marked_at_the_second_look(
    prefect: FakePrefect, tmp_path: Path
) -> None:
    ledger, told = open_ledger(tmp_path), list[str]()
    dead, alive, elsewhere, waiting = (
        prefect.add(name, NOW, state(kind))
        for name, kind in (
            ("dead", "RUNNING"),
            ("alive", "RUNNING"),
            ("elsewhere", "RUNNING"),
            ("waiting", "PENDING"),
        )
    )
    for name, run in (("a", dead), ("b", alive), ("c", waiting)):
        claim(ledger, "index", name, run, None)
    with ledger.write() as connection:  # as if their processes had begun an hour before this one
        for run in (dead, waiting):
            before = update(slots).where(slots.c.run_id == run)
            connection.execute(before.values(process_started=slots.c.process_started - 3600))
    gone = GoneRuns(PrefectApi(prefect.url), ("llmops",), tmp_path, told.append)
    gone.look()
    assert prefect.states == []
    gone.look()
    assert prefect.states == [(dead, "CRASHED")]
    assert told == [f"dead: {WHY}; it is marked as crashed"]
    assert elsewhere not in dict(prefect.states)


def test_a_server_that_does_not_answer_is_said_once_and_ends_nothing(tmp_path: Path) -> None:
    told = list[str]()
    gone = GoneRuns(PrefectApi("http://127.0.0.1:9/api"), ("llmops",), tmp_path, told.append)
    gone.look()
    gone.look()
    assert len(told) == 1
    assert told[0].startswith("runs could not be looked after")
