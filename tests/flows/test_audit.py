"""`llmops audit` and `llmops keys`: every command that changes something live leaves one entry, and
what is done to the log is found.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks import ledger
from llmops.tasks.access import keys
from llmops.tasks.audit.actor import acting_as, actor
from llmops.tasks.audit.log import entries
from llmops.tasks.audit.people import erase
from llmops.tasks.decisions import promotion
from llmops.tasks.knowledge.suppressed import uri_hash
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins import Spec
from llmops.tasks.prompts import registry
from tests.commandline import Office, llmops, refused
from tests.shelf import decided, fresh_home, prompt
from tests.workshop import EDITED, TEXTS, Workshop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """Its home is the LLMOPS_HOME of the tests."""
    yield Workshop(tmp_path, Spec(name="lancedb"))
    keys.KNOWN.forget()
    ledger.close_ledgers()


def done(*words: str | Path) -> Any:
    said = llmops(*words, "--json")
    assert said.code == 0, said.out + said.err
    return said.data


def told(*words: str) -> list[tuple[str, str, str, str]]:
    """The log, oldest first: action, subject, before, after."""
    listed = done("audit", "list", *words)["entries"]
    return [
        (row["action"], row["subject"], row["before"], row["after"]) for row in reversed(listed)
    ]


def test_every_change_of_a_knowledge_base_leaves_one_entry(shop: Workshop, tmp_path: Path) -> None:
    shop.build(TEXTS)
    shop.build(TEXTS)  # nothing changes
    shop.build(EDITED)
    done("kb", "rollback", "shop")
    shutil.rmtree(shop.home / "lancedb")
    done("kb", "repair", "shop")
    done("kb", "repair", "shop")  # nothing is wrong any more
    done("kb", "export", "shop", tmp_path / "out")
    done("kb", "import", tmp_path / "out", "--name", "copy")
    done("kb", "erase", "shop", "--uri", "d2.txt", "--yes")
    done("kb", "erase", "shop", "--uri", "d2.txt", "--lift")
    done("kb", "gc", "shop")
    refused(2, "this would remove", "kb", "drop", "shop")
    done("kb", "drop", "shop", "--yes")
    gone = f"document/shop/{uri_hash('shop', 'd2.txt')}"
    assert told() == [
        ("begun", "audit", "", ""),
        ("publish", "kb/shop", "", "1"),
        ("publish", "kb/shop", "1", "2"),
        ("rollback", "kb/shop", "2", "1"),
        ("repair", "kb/shop", "1", "3"),
        ("import", "kb/copy", "", "1"),
        ("erase", gone, "", "suppressed"),
        ("lift", gone, "suppressed", ""),
        ("drop", "kb/shop", "3", ""),
    ]
    listed = done("audit", "list")["entries"]
    assert {row["who"] for row in listed} == {actor(), ""}
    assert [row["reason"] for row in listed if row["action"] == "import"] == ["version 3 of shop"]
    assert "d2.txt" not in str(listed)
    assert done("audit", "verify")["ok"]


def test_what_fails_leaves_none(shop: Workshop) -> None:
    shop.build(TEXTS)
    refused(2, "is its first", "kb", "rollback", "shop")
    refused(2, "has no document 'nope'", "kb", "erase", "shop", "--uri", "nope", "--yes")
    refused(2, "is not suppressed", "kb", "erase", "shop", "--uri", "d1.txt", "--lift")
    refused(2, "no knowledge base", "kb", "drop", "nope", "--yes")
    refused(2, "no key is called", "keys", "revoke", "nope")
    refused(2, "got 'two words'", "keys", "create", "two words")
    assert [action for action, *_ in told()] == ["begun", "publish"]


def test_an_erasure_that_goes_on_says_so(shop: Workshop) -> None:
    shop.build(TEXTS)
    done("kb", "erase", "shop", "--uri", "d2.txt", "--yes")
    assert told("--action", "erase") == told("--subject", "document/shop/")
    assert len(told("--action", "erase")) == 1
    done("kb", "erase", "shop", "--uri", "d2.txt", "--yes")  # it was erased before
    assert len(told("--action", "erase")) == 1


@pytest.mark.slow
def test_a_build_by_the_flow_says_which_run_it_was(office: Office) -> None:
    office.write("one.md", "The harbour of the north has a lamp that burns at night.")
    built = done("index", office.config())
    assert built["status"] == "published"
    (row,) = done("audit", "list", "--subject", f"kb/{office.kb}")["entries"]
    assert (row["action"], row["after"]) == ("publish", "1")
    assert row["reason"] == f"flow run {built['prefect_run_id']}"


@pytest.mark.slow
def test_every_move_of_an_alias_leaves_one_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = fresh_home(tmp_path)
    monkeypatch.setenv("LLMOPS_HOME", str(home))
    one, two = (registry.push(home, prompt(f"{text} {{{{question}}}}")) for text in ("one", "two"))
    done("prompts", "promote", "helpdesk", "--version", "1", "--first")
    good = decided(home, one, two, run="good")
    done("prompts", "promote", "helpdesk", "--decision", good["record"])
    done("prompts", "promote", "helpdesk", "--decision", good["record"])  # it is there already
    with acting_as("desk/ann"):
        promotion.rollback(home, "helpdesk")
    listed = done("audit", "list", "--action", "alias")["entries"]
    assert [(row["before"], row["after"], row["reason"], row["who"]) for row in listed] == [
        ("2", "1", "rollback", "desk/ann"),
        ("1", "2", "decision good", actor()),
        ("", "1", "first", actor()),
    ]
    assert {row["subject"] for row in listed} == {"prompt/helpdesk@champion"}
    with open_ledger(home).write() as connection:
        gone = erase(connection, "desk/ann")
    assert gone is not None
    moves = done("prompts", "history", "helpdesk")["moves"]
    assert [move["who"] for move in moves] == [actor(), actor(), gone]
    assert done("audit", "list")["entries"][0]["who"] == f"erased {gone[:12]}"
    assert done("audit", "verify")["ok"]
    ledger.close_ledgers()


def test_the_life_of_a_key(shop: Workshop) -> None:
    made = done(
        *("keys", "create", "desk", "--scopes", "ask, search", "--role", "reviewer"),
        *("--labels", "staff,hr", "--usd-per-month", "5", "--requests-per-minute", "60"),
    )
    key = keys.verify(shop.home, made["key"])
    assert key is not None
    assert (made["name"], made["scopes"], made["labels"]) == (
        "desk",
        ["ask", "search"],
        ["hr", "staff"],
    )
    listed = llmops("keys", "list", "--json")
    people = llmops("keys", "list").out
    assert made["key"] not in listed.out + people + str(entries(shop.home))
    (row,) = listed.data["keys"]
    assert (row["id"], row["state"], row["usd_per_month"], row["spent_usd"]) == (
        key.id,
        "active",
        5.0,
        0.0,
    )
    assert "ask, search" in people
    assert listed.data["resets_at"][8:] == "01T00:00:00+00:00"
    assert done("keys", "revoke", "desk")["state"] == "revoked"
    assert keys.verify(shop.home, made["key"]) is None
    assert told()[1:] == [
        ("create_key", f"key/{key.id}", "", "active"),
        ("revoke_key", f"key/{key.id}", "active", ""),
    ]


def test_a_broken_log_ends_with_1_and_names_the_first_wrong_entry(shop: Workshop) -> None:
    shop.build(TEXTS)
    shop.build(EDITED)
    head = done("audit", "verify")["head"]
    assert done("audit", "verify", "--expect", head)["ok"]
    refused(2, "got --expect '3'", "audit", "verify", "--expect", "3")
    refused(2, "did you mean publish", "audit", "list", "--action", "publsh")
    ledger.close_ledgers()
    with closing(sqlite3.connect(shop.home / "ledger.db")) as book:
        book.execute("UPDATE audit SET after = '7' WHERE number = 2")
        book.commit()
    people = llmops("audit", "verify")
    assert people.code == 1
    assert "entry 2 was altered" in people.out
    said = llmops("audit", "verify", "--json")
    assert (said.code, said.data["ok"], said.data["problems"][0]["number"]) == (1, False, 2)


def test_asking_makes_no_home(tmp_path: Path) -> None:
    assert done("audit", "list") == {"entries": [], "total": 0}
    assert done("keys", "list")["keys"] == []
    assert "no log yet" in llmops("audit", "verify").out
    assert not (tmp_path / "home").exists()
