"""The documents in which two versions differ."""

from pathlib import Path

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.knowledge.versions import close_version
from llmops.tasks.knowledge.views import diff, documents_of
from llmops.tasks.plugins import Spec
from tests.workshop import TEXTS, Workshop

MOVED = {name: text for name, text in TEXTS.items() if name != "d1.txt"} | {
    "moved/d1.txt": TEXTS["d1.txt"]
}


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path, Spec(name="lancedb"))
    made.build(TEXTS)
    made.build({**MOVED, "d2.txt": "Another harbour.", "new.txt": "A new boat."})
    return made


def test_a_rename_is_one_thing_and_neither_new_nor_gone(shop: Workshop) -> None:
    found = diff(shop.handle, None, None)
    assert found["renamed"] == [{"from": "d1.txt", "to": "moved/d1.txt"}]
    assert (found["added"], found["changed"], found["retired"]) == (["new.txt"], ["d2.txt"], [])


def test_only_the_documents_that_were_asked_for(shop: Workshop) -> None:
    found = diff(shop.handle, 1, 2, ["moved/d1.txt", "d2.txt"])
    assert (found["added"], found["changed"]) == ([], ["d2.txt"])
    assert found["renamed"] == [{"from": "d1.txt", "to": "moved/d1.txt"}]
    assert diff(shop.handle, 1, 2, ["d5.txt"])["renamed"] == []


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("rejected", "did not go live: it was rejected"),
        ("expired", "is not kept any more: it is beyond `keep_versions`"),
        ("rolled back", "is not kept any more: it was rolled back"),
    ],
)
def test_a_version_whose_documents_are_not_recorded_is_refused(
    shop: Workshop, status: str, why: str
) -> None:
    """Its rows in the ledger are gone, or never were: nothing would seem to differ."""
    close_version(shop.handle, 1, status=status)
    for start, end in ((1, 2), (2, 1), (None, None)):
        with pytest.raises(UsageError, match=f"version 1 of 'shop' {why}"):
            diff(shop.handle, start, end)


def test_of_two_equal_documents_each_is_renamed_once(tmp_path: Path) -> None:
    shop = Workshop(tmp_path / "twins", Spec(name="lancedb"))
    shop.build({**TEXTS, "a.txt": "One text.", "b.txt": "One text."})
    shop.build({**TEXTS, "x.txt": "One text."})
    found = diff(shop.handle, 1, 2)
    assert found["renamed"] == [{"from": "a.txt", "to": "x.txt"}]
    assert (found["added"], found["retired"]) == ([], ["b.txt"])


def test_a_reader_learns_the_source_and_metadata_of_a_passage(shop: Workshop) -> None:
    row = shop.rows()[0]
    found = documents_of(shop.live, shop.ledger, [str(row["doc_id"]), "unknown"])
    assert list(found) == [row["doc_id"]]
    assert found[str(row["doc_id"])]["source"] == "memory"
