"""Where `kb repair` has less to go by: embeddings, texts or the ledger itself are lost too, files
are gone, or it dies on the way.
"""

import os
import shutil
from collections.abc import Callable

import pytest
from sqlalchemy import delete, func, select

from llmops.tasks.errors import Blocked, Damaged, Unavailable, UsageError
from llmops.tasks.ledger.leases import hold
from llmops.tasks.ledger.tables import embeddings
from llmops.tasks.maintenance.garbage import gc
from llmops.tasks.plugins import Spec
from tests import sabotage
from tests.maintenance.test_repair import altered, lost, mended, missing, orphaned, troubles
from tests.workshop import EDITED, TEXTS, Workshop


@pytest.mark.slow
def test_embeddings_that_the_ledger_lost_are_paid_for_again_and_only_those(shop: Workshop) -> None:
    shop.build(TEXTS)
    rows, paid = shop.rows(), shop.paid()
    with shop.ledger.write() as connection:
        some = connection.scalars(select(embeddings.c.text_hash).limit(3)).all()
        connection.execute(delete(embeddings).where(embeddings.c.text_hash.in_(some)))
    lost(shop)
    found = mended(shop)
    assert (found["embeddings"], shop.paid()) == (
        {"computed": 3, "reused": len(rows) - 3},
        paid + 3,
    )
    assert shop.rows() == rows


@pytest.mark.slow
def test_an_embedder_that_is_down_changes_nothing(shop: Workshop) -> None:
    shop.embedder = Spec(name="costly", options={"bill": str(shop.bill), "down": False})
    shop.build(TEXTS)
    with shop.ledger.write() as connection:
        connection.execute(delete(embeddings))
    missing(shop)
    before = shop.verified()
    shop.recorded(
        config=shop.live.config
        | {"embed": {"name": "costly", "bill": str(shop.bill), "down": True}}
    )
    with pytest.raises(Unavailable, match="does not answer"):
        mended(shop)
    assert (shop.verified(), shop.statuses()) == (before, {1: "published"})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["chunks", "documents"])
@pytest.mark.parametrize("harm", ["deleted", "altered"])
def test_what_the_lake_has_lost_is_named_and_nothing_is_changed_until_it_is_read_again(
    shop: Workshop, kind: str, harm: str
) -> None:
    shop.build(TEXTS)
    rows, paid = shop.rows(), shop.paid()
    for file in (shop.home / "lake" / kind).rglob("*.parquet"):
        file.unlink() if harm == "deleted" else file.write_bytes(file.read_bytes() + b"!")
    lost(shop)
    before = shop.verified()
    with pytest.raises(
        Damaged, match=rf"{len(TEXTS)} documents .* nothing was changed: d0.txt: the shard .* is"
    ) as refused:
        mended(shop)
    assert "index CONFIG --full" in refused.value.hint
    assert (shop.verified(), shop.statuses()) == (before, {1: "published"})
    assert shop.build(TEXTS, full=True) == 2
    assert (shop.rows(), shop.paid()) == (rows, paid)
    assert shop.verified(thorough=True)["unbacked"] == 0


@pytest.mark.slow
def test_a_full_build_that_changes_nothing_mends_the_lake(shop: Workshop) -> None:
    """The store is not whole, but has as many rows as it should: such a build finds nothing to do,
    and repair can do its part.
    """
    shop.build(TEXTS)
    rows = shop.rows()
    shutil.rmtree(shop.home / "lake" / "chunks")
    shutil.rmtree(shop.home / "lake" / "documents")
    altered(shop)
    with pytest.raises(Damaged, match=r"\d documents .* cannot be restored"):
        mended(shop)
    assert shop.build(TEXTS, full=True) == 1
    assert mended(shop)["ok"]
    assert shop.rows() == rows


@pytest.mark.slow
def test_a_shard_that_is_not_needed_may_be_missing(shop: Workshop) -> None:
    shop.build(TEXTS)
    orphaned(shop)
    shutil.rmtree(shop.home / "lake")
    assert mended(shop)["ok"]


@pytest.mark.slow
def test_it_waits_for_no_build(shop: Workshop) -> None:
    shop.build(TEXTS)
    missing(shop)
    with hold(shop.home, shop.kb), pytest.raises(Blocked, match="another build"):
        mended(shop)


def test_an_unknown_base_is_a_mistake(shop: Workshop) -> None:
    with pytest.raises(UsageError, match="no knowledge base"):
        mended(shop)


@pytest.mark.slow
def test_a_ledger_restored_from_a_backup_finds_its_store_ahead(shop: Workshop) -> None:
    shop.build(TEXTS)
    rows = shop.rows()
    backup = sabotage.backup(shop)
    shop.build(EDITED)
    shop.build(TEXTS | {"new.txt": "A new pier was built of stone."})
    sabotage.restored(shop, backup)
    found = shop.verified()
    assert (found["ok"], found["version"]) == (True, 1)
    assert found["unpublished"] > 0
    assert mended(shop)["version"] == 1
    assert shop.build(EDITED) == 2
    assert shop.sound()
    assert len(shop.rows()) < len(rows)


@pytest.mark.slow
def test_a_ledger_restored_from_a_backup_whose_snapshot_was_freed(shop: Workshop) -> None:
    shop.build(TEXTS)
    rows, backup = shop.rows(), sabotage.backup(shop)
    for number in range(3):
        shop.build(TEXTS | {"d1.txt": f"The pier number {number} is new."}, keep=1)
    paid = shop.paid()
    sabotage.restored(shop, backup)
    assert not shop.verified()["ok"]
    found = mended(shop)
    assert (found["ok"], found["version"], found["embeddings"]["computed"], shop.paid()) == (
        True,
        2,
        0,
        paid,
    )
    assert shop.rows() == rows
    assert shop.build(EDITED) == 3
    assert shop.sound()


@pytest.mark.slow
def test_a_ledger_restored_from_a_backup_whose_texts_were_freed_is_refused(shop: Workshop) -> None:
    shop.build(TEXTS)
    copy = sabotage.backup(shop)
    for number in range(2):
        shop.build(
            {f"other{number}-{key}": f"The pier number {number} of {key} is new." for key in TEXTS},
            keep=1,
        )
    for path in (shop.home / "lake").rglob("*"):
        os.utime(path, (0, 0))
    assert gc(shop.handle, paid=True)["files"] > 0
    sabotage.restored(shop, copy)
    before = shop.verified()
    assert (before["ok"], before["unbacked"]) == (False, len(TEXTS))
    with pytest.raises(
        Damaged,
        match=rf"{len(TEXTS)} documents .* cannot be restored from the lake, so nothing was "
        rf"changed",
    ):
        mended(shop)
    assert (shop.verified(), shop.statuses()) == (before, {1: "published"})
    assert shop.build(TEXTS, full=True) == 2
    assert shop.sound()


@pytest.mark.slow
@pytest.mark.parametrize("what", ["data", "_indices", "_versions"])
def test_a_table_half_wiped_by_hand_is_healed(lance_shop: Workshop, what: str) -> None:
    lance_shop.build(TEXTS)
    lance_shop.build(EDITED)
    rows, paid = lance_shop.rows(), lance_shop.paid()
    for file in sorted((sabotage.lance_folder(lance_shop) / what).rglob("*"))[::2]:
        if file.is_file():
            file.unlink()
    found = mended(lance_shop)
    assert (found["ok"], found["version"], lance_shop.paid()) == (True, 3, paid)
    assert lance_shop.rows() == rows
    assert lance_shop.build(TEXTS) == 4
    assert lance_shop.sound()


BOUNDARIES = [
    ("llmops.tasks.maintenance.repair:open_version", 1),
    ("llmops.tasks.maintenance.repair:_stage", 1),
    ("llmops.tasks.maintenance.repair:_stage", 2),
    ("llmops.tasks.maintenance.repair:load_embeddings", 1),
    ("llmops.tasks.maintenance.repair:examine", 3),
    ("llmops.tasks.maintenance.repair:_publish", 1),
    ("llmops.tasks.knowledge.versions:drop_unused", 1),
    ("llmops.tasks.knowledge.versions:drop_unused", 2),
    ("llmops.tasks.knowledge.versions:recover", 1),
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", [missing, lost])
@pytest.mark.parametrize("error", [sabotage.Killed, Unavailable])
def test_a_repair_that_dies_anywhere_can_be_run_again(
    shop: Workshop,
    fault: Callable[[Workshop], None],
    error: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One death upon the other, before and after each step; what readers see changes only when the
    whole is right.
    """
    shop.build(TEXTS)
    rows, paid = shop.rows(), shop.paid()
    fault(shop)
    before, died = troubles(shop), 0
    for place, turn in BOUNDARIES:
        for when in ("before", "after"):
            with monkeypatch.context() as patched:
                sabotage.armed(patched, place, when, turn, error)
                try:
                    mended(shop)
                except (sabotage.Killed, Unavailable):
                    died += 1
            if shop.verified()["ok"]:
                assert shop.rows() == rows
                fault(shop)
                before = troubles(shop)
            assert troubles(shop) == before
    found = mended(shop, thorough=True)
    assert (found["ok"], shop.rows(), shop.paid(), died >= 8) == (True, rows, paid, True)
    with shop.ledger.read() as connection:
        assert connection.scalar(select(func.count()).select_from(embeddings)) == len(
            {row["text"] for row in rows}
        )
