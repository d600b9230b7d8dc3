"""What is done while a server starts: it delays nobody, and hides nothing."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.configs import read
from llmops.configs.index import IndexConfig
from llmops.flows.ahead import loads
from llmops.tasks import stopping
from llmops.tasks.errors import LlmopsError
from llmops.tasks.tracking.place import own_database
from tests import forks
from tests.laboratory import Laboratory, with_database

CONNECTED = """
import os, sys, time
from pathlib import Path
from llmops.flows import server
home, said = Path(sys.argv[1]), []
def loading():
    import prefect
    bound = prefect.settings.PREFECT_API_URL.value()
    assert prefect.settings.PREFECT_HOME.value() == home / "prefect"
    said.append((bound, server.find(home) is not None))
    if "fail" in sys.argv[2:]:
        raise ImportError("it is broken")
def steps():
    yield loading
    for number in range(2000):
        yield lambda: time.sleep(0.05)
    said.append("all")
def connected():
    try:
        found = server.connect(home, meanwhile=steps())
    except (server.LlmopsError, ImportError) as wrong:
        return str(wrong)
    return [(found.url, True)] == [(url, not answered) for url, answered in said] or said
"""


@pytest.fixture
def home(tmp_path: Path, prefect_database: Path) -> Iterator[Path]:
    from llmops.flows import server

    yield with_database(tmp_path / "a home", prefect_database)
    server.stop(tmp_path / "a home")


def said(home: Path, then: str, *words: str) -> list[str]:
    output, errors = forks.start("-c", CONNECTED + then, home, *words).communicate(timeout=120)
    assert errors == ""
    return output.splitlines()


@pytest.mark.slow
def test_steps_are_done_until_the_server_answers_and_none_where_one_does(home: Path) -> None:
    assert said(home, "print(connected())") == ["True"]
    assert said(home, "server.connect(home, meanwhile=steps()); print(said)") == ["[]"]


@pytest.mark.slow
def test_a_server_that_dies_meanwhile_is_told_and_the_next_has_its_port(home: Path) -> None:
    database = home / "prefect" / "prefect.db"
    whole = database.read_bytes()
    database.write_bytes(b"this is no database " * 1000)
    then = (
        "print(connected().splitlines()[0])\nold = said.pop()[0]\n"
        "(home / 'prefect' / 'prefect.db').write_bytes((home / 'whole').read_bytes())\n"
        "print(connected(), old == said[0][0])"
    )
    (home / "whole").write_bytes(whole)
    first, second = said(home, then)
    assert "the Prefect server did not start" in first
    assert "not a database" in first
    assert second == "True True"


@pytest.mark.slow
def test_a_step_that_fails_is_told(home: Path) -> None:
    assert said(home, "print(connected())", "fail") == ["it is broken"]


def test_a_first_build_loads_what_it_uses_and_tells_nothing_of_what_is_broken_there(
    tmp_path: Path,
) -> None:
    from llmops.tasks.ledger import open_ledger

    lab = Laboratory(tmp_path)
    open_ledger(lab.home)
    config = read(lab.config(), IndexConfig)
    _, *first = loads(lab.home, config)
    assert len(first) == 4
    (lab.home / "mlflow").write_text("no folder")
    for load in first:
        load()
    stopping.ask()
    with pytest.raises(LlmopsError, match="cannot be written"):  # as a library's may be
        first[1]()
    stopping.forget()
    (lab.home / "mlflow").unlink()
    for load in first:
        load()
    assert own_database(lab.home).exists()


@pytest.mark.slow
def test_a_later_build_loads_its_flow_alone(lab: Laboratory) -> None:
    lab.write("a.txt", "The lamp is lit.")
    assert lab.build().status == "published"
    (flow,) = loads(lab.home, read(lab.config(), IndexConfig))
    from llmops.flows.index import index

    began = time.monotonic()
    assert flow() is index
    assert time.monotonic() - began < 1
