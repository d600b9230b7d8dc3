"""`kb gc` frees what no kept version of any knowledge base needs, and nothing else."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from llmops.tasks.errors import Blocked, Unavailable, UsageError
from llmops.tasks.knowledge.versions import rollback
from llmops.tasks.ledger import now
from llmops.tasks.ledger.leases import hold
from llmops.tasks.ledger.runs import save_outcome
from llmops.tasks.ledger.tables import embeddings, leases, parsed, runs
from llmops.tasks.maintenance.garbage import gc
from llmops.tasks.maintenance.repair import repair
from llmops.tasks.plugins import Spec
from tests import sabotage
from tests.workshop import TEXTS, Workshop


def edited(number: int) -> dict[str, str]:
    return TEXTS | {
        f"d{n}.txt": f"The pier number {number} of {n} was painted. Its lamp burns all winter."
        for n in range(3)
    }


def aged(shop: Workshop, seconds: float = 7_200) -> None:
    """Let everything in the lake have been written that long ago."""
    for path in (shop.home / "lake").rglob("*"):
        os.utime(path, (time.time() - seconds,) * 2)


def files(shop: Workshop) -> set[Path]:
    return {path for path in (shop.home / "lake").rglob("*") if path.is_file()}


def count(shop: Workshop, table: object) -> int:
    with shop.ledger.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]


def test_it_frees_the_lake_and_every_kept_version_stays_whole(shop: Workshop) -> None:
    shop.build(TEXTS)
    for number in range(3):
        shop.build(edited(number), keep=2)
    rows, paid, before = shop.rows(), shop.paid(), files(shop)
    aged(shop)
    found = gc(shop.handle)
    gone = before - files(shop)
    assert (found["files"], found["bytes"] >= len(gone) > 0) == (len(gone), True)
    assert not list((shop.home / "lake" / "runs").iterdir())
    assert gc(shop.handle)["files"] == 0
    with hold(shop.home, shop.kb) as lease:
        rollback(shop.handle, lease, 3)
    assert shop.sound()
    with hold(shop.home, shop.kb) as lease:
        rollback(shop.handle, lease, 4)
    shop.drop()
    assert repair(shop.handle)["ok"]
    assert (shop.rows(), shop.paid()) == (rows, paid)


def test_it_keeps_what_another_knowledge_base_needs(shop: Workshop) -> None:
    other = Workshop(shop.folder, shop.store, kb=f"{shop.kb}-b")
    shop.build(TEXTS)
    other.build(edited(1))
    aged(shop)
    gc(shop.handle, paid=True)
    assert [one.verified(thorough=True)["unbacked"] for one in (shop, other)] == [0, 0]
    other.drop()
    assert repair(other.handle)["embeddings"]["computed"] == 0
    other.drop()


def test_files_that_a_running_build_may_have_written_stay(shop: Workshop) -> None:
    shop.build(TEXTS)
    aged(shop)
    stray = shop.home / "lake" / "documents" / "ab" / "stray.parquet"
    stray.parent.mkdir(exist_ok=True)
    stray.touch()
    gc(shop.handle)
    assert stray.exists()  # it was written just now
    os.utime(stray, (time.time() - 60,) * 2)
    with hold(shop.home, "other"):
        with shop.ledger.write() as connection:
            connection.execute(
                update(leases)
                .where(leases.c.kb == "other")
                .values(acquired_at=now() - timedelta(minutes=2))
            )
        gc(shop.handle)
        assert stray.exists()  # the other build has begun before
    gc(shop.handle)
    assert not stray.exists()


def test_paid_embeddings_are_forgotten_only_when_asked_to(shop: Workshop) -> None:
    shop.build(TEXTS)
    shop.build(edited(1), keep=1)
    all_of_them, texts = count(shop, embeddings), len({row["text"] for row in shop.rows()})
    assert all_of_them > texts
    assert gc(shop.handle)["embeddings"] == 0
    assert count(shop, embeddings) == all_of_them
    found = gc(shop.handle, paid=True)
    assert (found["embeddings"], found["parsed"]) == (all_of_them - texts, 3)
    assert (count(shop, embeddings), count(shop, parsed)) == (texts, len(TEXTS))
    paid = shop.paid()
    assert shop.build(edited(1)) == 2
    assert shop.paid() == paid
    with hold(shop.home, "other"), pytest.raises(Blocked, match="a build of 'other' is running"):
        gc(shop.handle, paid=True)


def test_collections_of_forgotten_versions_go(shop: Workshop) -> None:
    """A tidy that died after it had forgotten a version, and before it dropped the collection."""
    shop.build(TEXTS)
    first = shop.live.collection
    shop.embedder = Spec(name="hash")
    shop.build(TEXTS)
    shop.recorded(1, status="expired")
    assert shop.open(first, shop.model.dimension).at(sabotage.snapshot_of(shop, 1)).count()
    assert gc(shop.handle)["collections"] == 1
    assert not sabotage.holds(shop, first, sabotage.snapshot_of(shop, 1))
    assert gc(shop.handle)["collections"] == 0
    assert shop.sound()


@pytest.mark.slow
def test_the_store_is_freed_too(lance_shop: Workshop) -> None:
    lance_shop.build(TEXTS)
    for number in range(4):
        lance_shop.build(edited(number))
    for number in range(1, 5):
        lance_shop.recorded(number, status="expired")
    before = sum(
        path.stat().st_size
        for path in sabotage.lance_folder(lance_shop).rglob("*")
        if path.is_file()
    )
    found = gc(lance_shop.handle)
    after = sum(
        path.stat().st_size
        for path in sabotage.lance_folder(lance_shop).rglob("*")
        if path.is_file()
    )
    assert found["bytes"] == before - after > 0
    assert lance_shop.sound()


def test_old_outcomes_go_but_for_those_of_kept_versions(shop: Workshop) -> None:
    shop.build(TEXTS)
    for name in ("old", "kept", "new"):
        save_outcome(shop.ledger, name, shop.kb, {"status": name})
    with shop.ledger.write() as connection:
        connection.execute(
            update(runs).where(runs.c.id != "new").values(finished_at=now() - timedelta(days=40))
        )
    shop.recorded(prefect_run_id="kept")
    assert gc(shop.handle)["runs"] == 1
    with shop.ledger.read() as connection:
        assert set(connection.scalars(select(runs.c.id))) == {"kept", "new"}


def test_it_blocks_during_a_build_and_names_unknown_bases(shop: Workshop) -> None:
    with pytest.raises(UsageError, match="no knowledge base"):
        gc(shop.handle)
    shop.build(TEXTS)
    with hold(shop.home, shop.kb), pytest.raises(Blocked, match="another build"):
        gc(shop.handle)


STEPS = [
    "versions.drop_unused",
    "mark_cleared",
    "_collections",
    "_forget_paid",
    "_forget_runs",
    "_needed",
    "_lake",
]


@pytest.mark.slow
@pytest.mark.parametrize("error", [sabotage.Killed, Unavailable])
def test_whatever_it_dies_of_it_can_be_run_again(
    shop: Workshop, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.build(TEXTS)
    for number in range(3):
        shop.build(edited(number), keep=2)
    aged(shop)
    for step in STEPS:
        for when in ("before", "after"):
            place = (
                f"llmops.tasks.knowledge.{step.replace('.', ':')}"
                if "." in step
                else f"llmops.tasks.maintenance.garbage:{step}"
            )
            with monkeypatch.context() as patched:
                sabotage.armed(patched, place, when, 1, error)
                with pytest.raises((sabotage.Killed, Unavailable)):
                    gc(shop.handle, paid=True)
            assert shop.sound()
    gc(shop.handle, paid=True)
    with hold(shop.home, shop.kb) as lease:
        rollback(shop.handle, lease, 3)
    assert shop.sound()
