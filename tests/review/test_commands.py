"""`llmops review …`, from an answer in the queue to a file of reviews."""

import json
from pathlib import Path

from sqlalchemy import update

from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.tables import versions
from llmops.tasks.review.items import ask_a_person
from tests.alerts.ledgers import built
from tests.commandline import llmops
from tests.datasets.made import APP, answered, say


def test_an_answer_goes_from_the_queue_to_a_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    trace = answered(home, "How do I reset it?", "Call the king.")
    say(home, trace.id, "down", "With the red button.")
    item = ask_a_person(home, APP, "", trace.id, "", "\x1b[31mIs that so?")
    (listed,) = llmops("review", "list", APP, "--json").data["items"]
    assert (listed["id"], listed["state"], listed["reasons"]) == (item, "open", ["asked"])

    shown = llmops("review", "show", APP, item, "--json").data
    assert (shown["question"], shown["answer"]) == ("How do I reset it?", "Call the king.")
    assert shown["facts"]["down"] == 1
    assert [each["correction"] for each in shown["feedback"]] == ["With the red button."]
    told = llmops("review", "show", APP, item).out
    assert "user down With the red button." in told
    assert "\x1b" not in told

    words = ("review", "submit", APP, item, "--verdict")
    said = llmops(*words, "bad", "--correction", "=Press it.", "--reviewer", "ann", "--json")
    assert (said.code, said.data["state"], said.data["verdict"]) == (0, "done", "bad")
    assert llmops(*words, "withdrawn", "--reviewer", "ann", "--json").data["state"] == "open"
    llmops(*words, "bad", "--correction", "=Press it.", "--relevant", "a.md", "--reviewer", "ann")
    ruled = llmops(*words, "good", "--reviewer", "bob", "--adjudicate", "--json")
    assert ruled.data["verdict"] == "good"
    history = llmops("review", "show", APP, item, "--json").data["history"]
    assert [each["verdict"] for each in history] == ["bad", "withdrawn", "bad", "good"]

    come = llmops("review", "progress", APP, "--json").data
    assert (come["done"], come["agreement"]["n"]) == (1, 0)
    assert {each["name"]: each["agreed"] for each in come["reviewers"]} == {
        f"{APP}/ann": 0,
        f"{APP}/bob": 0,
    }
    for name in ("reviews.jsonl", "reviews.csv"):
        out = tmp_path / name
        filters = ("--text", "PRESS", "--rating", "down")
        assert llmops("review", "export", APP, "--out", out, *filters, "--json").data["rows"] == 2
    rows = [json.loads(line) for line in (tmp_path / "reviews.jsonl").read_text().splitlines()]
    assert [(each["reviewer"], each["relevant"]) for each in rows] == [
        (f"{APP}/ann", ["a.md"]),
        (f"{APP}/bob", []),
    ]
    assert "'=Press it." in (tmp_path / "reviews.csv").read_text()


def test_what_cannot_be_said_is_told_with_what_is_allowed(tmp_path: Path) -> None:
    item = ask_a_person(tmp_path / "home", APP, "", answered(tmp_path / "home").id, "")
    for words, told in (
        (("show", APP, "nothing"), "is no review item"),
        (("show", "other", item), "is no review item"),
        (("submit", APP, item, "--verdict", "great"), "allowed: good, bad, discard"),
        (("submit", APP, item, "--verdict", "withdrawn"), "no review of this person"),
        (("submit", APP, item, "--verdict", "good", "--correction", "Oh"), "good, without it"),
        (("list", APP, "--state", "new"), "allowed: open, done, disputed, discarded"),
        (("export", APP, "--out", tmp_path / "x.xlsx"), "allowed: .jsonl, .csv"),
    ):
        said = llmops("review", *words)
        assert (said.code, told in said.err) == (2, True), said.err


def test_a_passage_that_the_knowledge_base_does_not_have_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    item = ask_a_person(home, APP, "", answered(home).id, "")
    words = ("review", "submit", APP, item, "--verdict", "good", "--relevant", "nosuch.md")
    assert llmops(*words, "--json").data["warnings"] == []  # nothing to compare it with
    built(home, "handbook", now())
    with open_ledger(home).write() as connection:
        connection.execute(update(versions).values(config={}))
    (told,) = llmops(*words, "--json").data["warnings"]
    assert "version 1 of 'handbook' does not have, such as 'nosuch.md'" in told
