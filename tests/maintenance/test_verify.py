"""`kb verify` names every way in which a store can differ from the ledger, and what is no fault at
all.
"""

import shutil

import pytest

from llmops.tasks.knowledge.versions import rollback
from llmops.tasks.ledger.leases import hold
from llmops.tasks.maintenance.verify import KINDS, verify
from tests import sabotage
from tests.workshop import EDITED, TEXTS, Workshop

NOTHING = dict.fromkeys(KINDS, 0)


def troubles(shop: Workshop, *, thorough: bool = False) -> dict[str, int]:
    """The kinds of trouble that are there, with their numbers."""
    found = shop.verified(thorough=thorough)
    assert found["ok"] is not any(found[kind] for kind in KINDS)
    return {kind: found[kind] for kind in KINDS if found[kind]}


def test_a_sound_base_is_ok(shop: Workshop) -> None:
    shop.build(TEXTS)
    shop.build(EDITED)
    found = shop.verified(thorough=True)
    assert found | NOTHING == found
    assert (
        found["ok"],
        found["version"],
        found["documents"],
        found["unpublished"],
        found["unbacked"],
    ) == (True, 2, len(TEXTS), 0, 0)
    assert (found["chunks"], found["note"]) == (len(shop.rows()), "")


def test_missing_orphaned_and_altered_rows_are_told_apart(shop: Workshop) -> None:
    shop.build(TEXTS)
    rows = shop.rows()
    foreign = rows[0] | {"chunk_id": "f" * 32}
    sabotage.tampered(
        shop,
        [foreign, rows[4] | {"row_hash": "0" * 32}],
        gone=[str(row["chunk_id"]) for row in rows[1:4]],
    )
    assert troubles(shop) == {"missing": 3, "orphans": 1, "mismatched": 1}
    named = verify(shop.handle)
    assert (named["orphans"], named["mismatched"]) == (["f" * 32], [rows[4]["chunk_id"]])
    assert named["missing"] == [row["chunk_id"] for row in rows[1:4]]
    assert f"kb repair {shop.kb}" in named["note"]


@pytest.mark.slow
def test_duplicates_are_counted_once_each(shop: Workshop) -> None:
    shop.build(TEXTS)
    sabotage.duplicated(shop, [str(row["chunk_id"]) for row in shop.rows()[:2]])
    assert troubles(shop) == {"duplicates": 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    [
        {"text": "Somebody else wrote this."},
        {"terms": "somebody els"},
        {"field_year": 1999},
        {"labels": ["board"]},
    ],
    ids=str,
)
def test_a_row_that_was_altered_under_its_hash_is_found_when_asked_to(
    shop: Workshop, what: dict[str, object]
) -> None:
    shop.build(TEXTS)
    row = shop.rows()[2]
    sabotage.tampered(shop, [row | what], embedded=[row])
    assert troubles(shop) == {}
    assert troubles(shop, thorough=True) == {"mismatched": 1}


@pytest.mark.slow
def test_a_vector_that_is_not_the_one_paid_for_is_found_when_asked_to(shop: Workshop) -> None:
    shop.build(TEXTS)
    row, other = shop.rows()[:2]
    sabotage.tampered(shop, [row], embedded=[other])
    assert troubles(shop) == {}
    assert troubles(shop, thorough=True) == {"mismatched": 1}


def test_what_is_staged_is_a_note_and_no_fault(shop: Workshop) -> None:
    shop.build(TEXTS)
    rows = [row | {"chunk_id": f"{n:032}"} for n, row in enumerate(shop.rows()[:3])]
    sabotage.staged(shop, rows, number=2)
    found = shop.verified()
    assert (found["ok"], found["unpublished"]) == (True, 3)
    assert "left behind" in found["note"]
    with hold(shop.home, shop.kb):
        assert "a build is running" in shop.verified()["note"]


@pytest.mark.slow
def test_a_rollback_leaves_nothing_unpublished(shop: Workshop) -> None:
    shop.build(TEXTS)
    shop.build(EDITED)
    with hold(shop.home, shop.kb) as lease:
        rollback(shop.handle, lease, 1)
    found = shop.verified(thorough=True)
    assert (found["ok"], found["version"], found["unpublished"], found["note"]) == (True, 1, 0, "")


def test_a_lost_collection_is_named(shop: Workshop) -> None:
    shop.build(TEXTS)
    shop.drop()
    found = shop.verified()
    assert (found["ok"], found["missing"], found["unpublished"]) == (False, found["chunks"], 0)
    assert shop.live.collection in found["note"]
    assert f"kb repair {shop.kb}" in found["note"]


def test_a_collection_of_another_dimension_is_named(shop: Workshop) -> None:
    shop.build(TEXTS)
    live = shop.live
    shop.drop()
    shop.open(live.collection, dimension=3)
    assert "dimension" in shop.verified()["note"]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["data", "_indices", "_versions"])
def test_files_deleted_from_a_table_are_noticed(lance_shop: Workshop, what: str) -> None:
    lance_shop.build(TEXTS)
    shutil.rmtree(sabotage.lance_folder(lance_shop) / what)
    found = lance_shop.verified()
    assert (found["ok"], found["missing"]) == (False, found["chunks"])
    assert lance_shop.live.collection in found["note"]


@pytest.mark.slow
def test_documents_whose_text_is_missing_from_the_lake_are_counted(shop: Workshop) -> None:
    shop.build(TEXTS)
    shop.build(EDITED)
    shutil.rmtree(shop.home / "lake" / "chunks")
    found = shop.verified()
    assert (found["ok"], found["unbacked"]) == (True, len(TEXTS))
    assert "llmops index CONFIG --full" in found["note"]
