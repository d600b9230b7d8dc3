"""Whoever asks for a knowledge base while its first build runs is told so, and where to watch."""

import json
import os
from pathlib import Path

import pytest
from sqlalchemy import update

from llmops.flows.commands._options import the_only_base
from llmops.tasks.knowledge.handle import Handle, known
from llmops.tasks.knowledge.start import begin, steps_of
from llmops.tasks.ledger import existing_ledger, open_ledger
from llmops.tasks.ledger.tables import knowledge_bases
from tests.commandline import llmops, refused

WHERE = "embed 1,200 of 5,000 chunks, http://prefect/run-1"


@pytest.fixture
def kb(tmp_path: Path) -> Handle:
    home = Path(os.environ["LLMOPS_HOME"])
    open_ledger(home)
    handle = Handle(home=home, name="boats")
    begin(handle)
    place = home / "plans" / "running"
    place.mkdir(parents=True)
    said = {"url": "http://prefect/run-1", "stage": "embed 1,200 of 5,000 chunks"}
    (place / "run-1.json").write_text(json.dumps(said))
    return handle


def test_status_log_and_search_say_that_a_first_build_runs_and_how_far_it_is(kb: Handle) -> None:
    with kb.hold("run-1"):
        status = llmops("kb", "status", kb.name, "--json")
        assert (status.code, status.data["version"]) == (0, None)
        assert WHERE in status.data["running"]
        log = llmops("kb", "log", kb.name)
        assert log.out.startswith("No version yet. The first build is running: process ")
        assert WHERE in log.out
        refused(
            2, f"the first build of 'boats' is running: .*{WHERE}", "search", "x", "--kb", "boats"
        )
    refused(2, "has no published version yet", "search", "x", "--kb", "boats")


def test_search_takes_the_only_knowledge_base_and_names_several(kb: Handle) -> None:
    refused(2, "'boats' has no published version yet", "search", "two", "words")
    begin(Handle(home=kb.home, name="trains"))
    refused(2, "there are 2 knowledge bases: boats, trains", "search", "x")
    with kb.ledger.write() as connection:
        trains = knowledge_bases.c.name == "trains"
        connection.execute(update(knowledge_bases).where(trains).values(live=1))
    assert the_only_base() == "trains"


def test_what_only_reads_needs_no_name_where_there_is_one(kb: Handle) -> None:
    with kb.hold("run-1"):
        assert llmops("kb", "status", "--json").data["knowledge_base"] == "boats"
    begin(Handle(home=kb.home, name="trains"))
    refused(2, "(?s)there are 2 knowledge bases: boats, trains.*name one of them", "kb", "status")
    refused(2, "Missing argument 'NAME'", "kb", "drop", "--yes")
    refused(2, "no knowledge base '' has been published", "kb", "gc", "")


def test_a_look_ahead_leaves_no_knowledge_base_behind(tmp_path: Path) -> None:
    home = tmp_path / "other"
    steps_of(Handle(home=home, name="boats"))
    assert known(existing_ledger(home)) == []


def test_an_empty_home_is_named_and_what_to_do_is_said(tmp_path: Path) -> None:
    place = tmp_path / "home"
    refused(2, f"(?s)there is no knowledge base yet.*in {place}; LLMOPS_HOME", "search", "x")
    assert str(tmp_path / "home") in " ".join(llmops("kb", "list").out.split())


def test_a_build_that_says_nothing_here_is_named_all_the_same(kb: Handle) -> None:
    with kb.hold("run-2"):
        told = kb.building()
    assert told is not None
    assert told.endswith("Prefect run run-2")
    assert kb.building() is None
