"""`llmops kb verify`, `kb repair` and `kb gc` as a user meets them."""

import shutil
from pathlib import Path

import pytest

from llmops.tasks.ledger.leases import hold
from llmops.tasks.plugins import Spec
from tests import sabotage
from tests.commandline import llmops, refused
from tests.workshop import TEXTS, Workshop

FIGURES = ("ok", "version", "documents", "chunks", "missing", "orphans", "duplicates", "mismatched")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """Its home is the LLMOPS_HOME of the tests."""
    workshop = Workshop(tmp_path, Spec(name="lancedb"))
    workshop.build(TEXTS)
    return workshop


def test_verify_repair_verify(shop: Workshop) -> None:
    chunks = len(shop.rows())
    shutil.rmtree(shop.home / "lancedb")
    said = llmops("kb", "verify", "shop", "--json")
    assert (said.code, [said.data[name] for name in FIGURES]) == (
        1,
        [False, 1, len(TEXTS), chunks, chunks, 0, 0, 0],
    )
    detailed = llmops("kb", "verify", "shop", "--details", "--json").data
    assert (len(detailed["missing"]), detailed["orphans"]) == (chunks, [])
    mended = llmops("kb", "repair", "shop", "--json")
    assert (mended.code, [mended.data[name] for name in FIGURES]) == (
        0,
        [True, 2, len(TEXTS), chunks, 0, 0, 0, 0],
    )
    assert (mended.data["restored"], mended.data["removed"], mended.data["embeddings"]) == (
        chunks,
        0,
        {"computed": 0, "reused": chunks},
    )
    assert llmops("kb", "verify", "shop", "--vectors").code == 0
    assert [row["status"] for row in llmops("kb", "log", "shop", "--json").data["versions"]] == [
        "live",
        "damaged",
    ]
    refused(
        2, "version 1 of 'shop' cannot be served any more", "kb", "rollback", "shop", "--to", "1"
    )


def test_a_repair_that_cannot_says_what_to_do(shop: Workshop) -> None:
    shutil.rmtree(shop.home / "lancedb")
    shutil.rmtree(shop.home / "lake")
    refused(
        1,
        r"6 documents of 'shop' cannot be restored from the lake, so nothing was changed: "
        r"d0.txt: the shard .* is missing.*\n?.*"
        r"llmops index CONFIG --full",
        "kb",
        "repair",
        "shop",
    )
    assert shop.statuses() == {1: "published"}


def test_gc_prints_what_it_freed(shop: Workshop) -> None:
    said = llmops("kb", "gc", "shop", "--embeddings", "--json")
    assert said.code == 0
    assert (
        said.data
        | {"collections": 0, "files": 0, "runs": 0, "embeddings": 0, "parsed": 0, "note": ""}
        == said.data
    )
    assert said.data["bytes"] >= 0
    people = llmops("kb", "gc", "shop")
    assert (people.code, "bytes" in people.out) == (0, True)


@pytest.mark.parametrize("what", ["repair", "gc"])
def test_wrong_and_untimely_requests(shop: Workshop, what: str) -> None:
    refused(2, "no knowledge base 'nope'", "kb", what, "nope")
    with hold(shop.home, "shop"):
        refused(3, "another build of 'shop' is running", "kb", what, "shop")


def test_people_read_what_is_wrong(shop: Workshop) -> None:
    sabotage.foreign_by_hand(shop, 2)
    said = llmops("kb", "verify", "shop")
    assert (said.code, "2 rows were left behind" in said.out) == (0, True)
    assert "undone" in llmops("kb", "repair", "shop").out
