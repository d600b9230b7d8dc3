"""`kb repair` makes the store what the ledger says, from the lake, without paying; or says why it
cannot, and changes nothing.
"""

from collections.abc import Callable
from typing import Any

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.knowledge.versions import rollback
from llmops.tasks.knowledge.views import history
from llmops.tasks.ledger.leases import hold
from llmops.tasks.maintenance.repair import repair
from llmops.tasks.maintenance.verify import KINDS, counts
from llmops.tasks.plugins import Spec
from tests import sabotage
from tests.workshop import EDITED, TEXTS, Workshop


def mended(shop: Workshop, *, thorough: bool = False) -> dict[str, Any]:
    """The object of `kb repair` with counts."""
    return counts(repair(shop.handle, thorough=thorough))


def troubles(shop: Workshop) -> tuple[int, ...]:
    """The live version and what is wrong with it."""
    found = shop.verified()
    return (found["version"], *(found[kind] for kind in KINDS))


def missing(shop: Workshop) -> None:
    sabotage.tampered(shop, gone=[str(row["chunk_id"]) for row in shop.rows()[1:4]])


def orphaned(shop: Workshop) -> None:
    sabotage.tampered(
        shop, [row | {"chunk_id": f"{n:032}"} for n, row in enumerate(shop.rows()[:2])]
    )


def altered(shop: Workshop) -> None:
    sabotage.tampered(
        shop, [row | {"row_hash": "0" * 32, "text": "Nonsense."} for row in shop.rows()[:2]]
    )


def altered_under_the_hash(shop: Workshop) -> None:
    rows = shop.rows()
    sabotage.tampered(shop, [rows[0] | {"text": "Nonsense."}, rows[1]], embedded=rows[2:4])


def duplicated(shop: Workshop) -> None:
    sabotage.duplicated(shop, [str(row["chunk_id"]) for row in shop.rows()[:2]])


def lost(shop: Workshop) -> None:
    shop.drop()


def rebuilt_with_another_dimension(shop: Workshop) -> None:
    name = shop.live.collection
    shop.drop()
    shop.open(name, dimension=3)


EVERYTHING = -1
FAULTS = [
    (missing, 3, 0),
    (orphaned, 0, 2),
    (altered, 2, 0),
    (altered_under_the_hash, 2, 0),
    (duplicated, 2, 2),
    (lost, EVERYTHING, 0),
    (rebuilt_with_another_dimension, EVERYTHING, 0),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "restored", "removed"), FAULTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_every_fault_is_healed_and_nothing_is_paid(
    shop: Workshop, fault: Callable[[Workshop], None], restored: int, removed: int
) -> None:
    shop.build(TEXTS)
    rows, before = (
        shop.rows(),
        searcher(shop.home, shop.live).search("lighthouse of harbour 3", 5)["chunk_id"].tolist(),
    )
    paid = shop.paid()
    fault(shop)
    assert not shop.sound()
    found = mended(shop, thorough=True)
    restored = len(rows) if restored == EVERYTHING else restored
    assert (found["ok"], found["version"], found["restored"], found["removed"]) == (
        True,
        2,
        restored,
        removed,
    )
    assert (found["embeddings"], shop.paid()) == ({"computed": 0, "reused": restored}, paid)
    assert (shop.rows(), found["documents"], found["chunks"]) == (rows, len(TEXTS), len(rows))
    assert (
        searcher(shop.home, shop.live).search("lighthouse of harbour 3", 5)["chunk_id"].tolist()
        == before
    )
    assert shop.statuses() == {1: "damaged", 2: "published"}
    assert history(shop.handle)[0]["gate"]["reason"] == "repaired: the content is that of version 1"


def test_builds_go_on_from_a_repaired_base(shop: Workshop) -> None:
    shop.build(TEXTS)
    lost(shop)
    mended(shop)
    paid = shop.paid()
    assert shop.build(TEXTS) == 2
    assert shop.build(EDITED) == 3
    assert shop.paid() == paid + len([row for row in shop.rows() if row["uri"] == "d1.txt"])
    assert shop.sound()


def test_a_sound_base_is_left_alone(shop: Workshop) -> None:
    shop.build(TEXTS)
    snapshot = shop.live.snapshot
    found = mended(shop, thorough=True)
    assert (
        found["ok"],
        found["version"],
        found["restored"],
        found["removed"],
        found["undone"],
    ) == (True, 1, 0, 0, 0)
    assert (shop.statuses(), shop.live.snapshot) == ({1: "published"}, snapshot)


def test_rows_that_came_after_the_snapshot_are_undone_without_a_new_version(shop: Workshop) -> None:
    shop.build(TEXTS)
    rows = shop.rows()
    sabotage.staged(
        shop, [rows[0] | {"chunk_id": "f" * 32}], number=2, gone=[str(rows[1]["chunk_id"])]
    )
    found = mended(shop)
    assert (found["ok"], found["version"], found["unpublished"]) == (True, 1, 0)
    assert found["undone"] >= 1
    assert shop.build(EDITED) == 2
    assert shop.sound()


@pytest.mark.slow
def test_rows_deleted_with_the_stores_own_client_come_back(shop: Workshop) -> None:
    """LanceDB's snapshots do not notice, Weaviate's do."""
    shop.build(TEXTS)
    rows, paid = shop.rows(), shop.paid()
    sabotage.deleted_by_hand(shop, [str(row["chunk_id"]) for row in rows[2:5]])
    found = shop.verified()
    assert found["missing"] + found["unpublished"] >= 3
    assert (found["ok"], "llmops kb repair" in found["note"]) == (found["missing"] == 0, True)
    found = mended(shop)
    assert (found["ok"], found["unpublished"], found["restored"] + found["undone"]) == (True, 0, 3)
    assert (shop.rows(), shop.paid(), shop.sound()) == (rows, paid, True)
    shop.build(EDITED)
    assert shop.sound()


def test_objects_added_with_the_stores_own_client_go(shop: Workshop) -> None:
    shop.build(TEXTS)
    rows = shop.rows()
    sabotage.foreign_by_hand(shop, 3)
    found = shop.verified()
    assert (found["ok"], found["unpublished"], shop.rows()) == (True, 3, rows)
    found = mended(shop)
    assert (found["version"], found["undone"], shop.rows(), shop.sound()) == (1, 3, rows, True)
    shop.build(EDITED)
    assert shop.sound()


@pytest.mark.slow
def test_a_build_takes_what_was_added_by_hand_away(shop: Workshop) -> None:
    shop.build(TEXTS)
    sabotage.foreign_by_hand(shop, 3)
    shop.build(EDITED)
    assert shop.sound()


def test_after_a_rollback_one_can_still_roll_forward(shop: Workshop) -> None:
    shop.build(TEXTS)
    shop.build(EDITED)
    with hold(shop.home, shop.kb) as lease:
        rollback(shop.handle, lease, 1)
    assert mended(shop)["undone"] == 0
    with hold(shop.home, shop.kb) as lease:
        rollback(shop.handle, lease, 2)
    assert shop.sound()


@pytest.mark.slow
def test_a_version_that_was_lost_cannot_be_rolled_back_to(shop: Workshop) -> None:
    shop.build(TEXTS)
    shop.build(EDITED)
    lost(shop)
    mended(shop)
    for number in (1, 2, None):
        with (
            hold(shop.home, shop.kb) as lease,
            pytest.raises(UsageError, match="cannot be served any more: a part of it was lost"),
        ):
            rollback(shop.handle, lease, number)


@pytest.mark.slow
def test_a_whole_version_in_another_collection_can_be_rolled_back_to(shop: Workshop) -> None:
    shop.build(TEXTS)
    shop.embedder = Spec(name="hash")
    shop.build(TEXTS)
    lost(shop)
    shop.embedder = Spec(name="costly", options={"bill": str(shop.bill)})
    shop.build(TEXTS)
    shop.build(EDITED)
    missing(shop)
    mended(shop)
    assert shop.statuses()[3] == "published"
    with hold(shop.home, shop.kb) as lease:
        assert rollback(shop.handle, lease, None) == (3, 5)
    assert shop.sound()
