"""kill -9 and errors at each boundary of stage, retire, seal, publish, repair and gc, on every
store that is at hand.

After each: no document is lost, the live version is served, `repair` leaves no orphan and nothing
missing, nothing is paid twice. The rows of the table in docs/reliability.md.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.errors import Unavailable
from llmops.tasks.knowledge.versions import rollback
from llmops.tasks.ledger.leases import hold
from llmops.tasks.maintenance.garbage import gc
from llmops.tasks.maintenance.repair import repair
from llmops.tasks.plugins import digest
from tests import sabotage
from tests.crash import killed
from tests.workshop import STORES, TEXTS, Workshop

COLLECTIONS = {
    "lancedb": "llmops.tasks.plugins.stores.lancedb:LanceDBCollection",
    "weaviate": "llmops.tasks.plugins.stores.weaviate.collection:WeaviateCollection",
}
CHANGED = {key: text for key, text in TEXTS.items() if key != "d5.txt"} | {
    "d1.txt": "The lamp of the northern pier was lit by hand. Nobody counts the boats there now.",
    "new.txt": "A new pier is built of stone.",
}
BEFORE_PUBLISH = [
    ("llmops.tasks.knowledge.versions:open_version", "after", 1),
    ("STORE.stage", "before", 1),
    ("STORE.stage", "after", 1),
    ("STORE.stage", "after", 2),
    ("STORE.seal", "before", 1),
    ("STORE.seal", "after", 1),
    ("llmops.tasks.knowledge.publish:publish", "before", 1),
    ("llmops.tasks.knowledge.publish:_retire", "after", 1),
    ("llmops.tasks.knowledge.publish:_point", "after", 1),
]
AFTER_PUBLISH = [
    ("llmops.tasks.knowledge.publish:publish", "after", 1),
    ("llmops.tasks.knowledge.versions:expire", "after", 1),
    ("STORE.gc", "after", 1),
]
REPAIR = [
    ("llmops.tasks.maintenance.repair:open_version", "after", 1),
    ("STORE.stage", "before", 1),
    ("STORE.stage", "after", 1),
    ("STORE.seal", "before", 1),
    ("STORE.seal", "after", 1),
    ("llmops.tasks.maintenance.repair:_publish", "before", 1),
]
KILLED = [
    BEFORE_PUBLISH[n] for n in (2, 3, 5, 8)
]  # in processes of their own, which cost seconds; the rest by an error that none catches
GC = [
    ("STORE.gc", "before", 1),
    ("llmops.tasks.maintenance.garbage:_forget_paid", "after", 1),
    ("llmops.tasks.maintenance.garbage:_lake", "before", 1),
]


@pytest.fixture(params=STORES)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path, request.param, kb=f"faults-{digest(str(tmp_path))[:8]}")
    yield workshop
    workshop.drop()


def place(shop: Workshop, name: str) -> str:
    return name.replace("STORE", COLLECTIONS[shop.store.name])


def mended(shop: Workshop) -> None:
    """A repair finds nothing to restore, takes away what was left behind, and pays for nothing."""
    found = repair(shop.handle)
    assert (found["ok"], found["restored"], found["removed"], found["embeddings"]["computed"]) == (
        True,
        0,
        0,
        0,
    )
    assert shop.sound()


def paid_once(shop: Workshop) -> bool:
    bills = shop.bill.read_text().splitlines()
    return len(bills) == len(set(bills))


@pytest.mark.slow
def test_builds_killed_before_they_publish(shop: Workshop) -> None:
    """One crash upon the other."""
    shop.build(TEXTS)
    rows = shop.rows()
    for name, when, turn in KILLED:
        killed(shop, "build", place(shop, name), when, turn, CHANGED)
        assert (shop.live.version, shop.rows(), shop.verified()["ok"]) == (1, rows, True), name
    mended(shop)
    finished(shop)


@pytest.mark.slow
@pytest.mark.parametrize("error", [sabotage.Killed, Unavailable])
def test_builds_that_end_at_any_boundary(
    shop: Workshop, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second one is repaired, the others are left to the next build."""
    shop.build(TEXTS)
    rows = shop.rows()
    for number, (name, when, turn) in enumerate(BEFORE_PUBLISH):
        with monkeypatch.context() as patched:
            sabotage.armed(patched, place(shop, name), when, turn, error)
            with pytest.raises(error, match="ended here"):
                shop.build(CHANGED)
        assert (shop.live.version, shop.rows(), shop.verified()["ok"]) == (1, rows, True), name
        if number % 2:
            mended(shop)
    finished(shop)


@pytest.mark.slow
def test_a_build_killed_after_it_published(shop: Workshop) -> None:
    shop.build(TEXTS)
    killed(
        shop, "build", place(shop, "llmops.tasks.knowledge.versions:expire"), "after", 1, CHANGED
    )
    assert shop.live.version == 2
    mended(shop)
    finished(shop)


@pytest.mark.parametrize("where", AFTER_PUBLISH, ids=lambda where: where[0].rpartition(":")[2])
def test_builds_that_end_after_they_published(
    shop: Workshop, where: tuple[str, str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.build(TEXTS)
    with monkeypatch.context() as patched:
        sabotage.armed(patched, place(shop, where[0]), *where[1:], sabotage.Killed)
        with pytest.raises(sabotage.Killed):
            shop.build(CHANGED, keep=1)
    assert shop.live.version == 2
    mended(shop)
    finished(shop)


def finished(shop: Workshop) -> None:
    """A rerun has the whole, and no text was paid for twice."""
    number = shop.live.version
    assert shop.build(CHANGED) == shop.build(CHANGED) >= number
    assert ({str(row["uri"]) for row in shop.rows()}, shop.sound(), paid_once(shop)) == (
        set(CHANGED),
        True,
        True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["rows", "collection"])
def test_repairs_that_end_at_any_boundary(
    shop: Workshop, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of them by SIGKILL."""
    shop.build(TEXTS)
    rows, live = shop.rows(), shop.live
    if fault == "rows":
        sabotage.tampered(shop, gone=[str(row["chunk_id"]) for row in rows[1:4]])
    else:
        shop.drop()
    before = shop.verified()["missing"]
    for name, when, turn in REPAIR:
        with monkeypatch.context() as patched:
            sabotage.armed(patched, place(shop, name), when, turn, sabotage.Killed)
            with pytest.raises(sabotage.Killed):
                repair(shop.handle)
        assert (shop.live.version, shop.verified()["missing"]) == (live.version, before), name
    killed(shop, "repair", place(shop, "STORE.seal"), "after")
    assert (shop.live.version, shop.verified()["missing"]) == (live.version, before)
    found = repair(shop.handle)
    assert (found["ok"], found["restored"], found["embeddings"]["computed"]) == (True, before, 0)
    assert (shop.rows(), shop.sound(), paid_once(shop)) == (rows, True, True)


@pytest.mark.slow
def test_a_repair_that_is_killed_after_it_published(shop: Workshop) -> None:
    shop.build(TEXTS)
    rows = shop.rows()
    shop.drop()
    killed(shop, "repair", "llmops.tasks.knowledge.versions:drop_unused", "before", 2)
    assert (shop.live.version, shop.rows(), shop.sound()) == (2, rows, True)
    mended(shop)
    assert gc(shop.handle)["collections"] == 1
    assert shop.sound()


@pytest.mark.slow
def test_gc_that_is_killed(shop: Workshop) -> None:
    """All kept versions stay whole, and what was not freed is freed the next time."""
    shop.build(TEXTS)
    shop.build(CHANGED)
    shop.build(TEXTS | {"d2.txt": "Only the keeper knows the way to the second lamp."}, keep=2)
    for file in (shop.home / "lake").rglob("*"):
        os.utime(file, (0, 0))
    rows = shop.rows()
    for name, when, turn in GC:
        killed(shop, "gc", place(shop, name), when, turn)
        assert (shop.rows(), shop.sound()) == (rows, True), name
    gc(shop.handle, paid=True)
    with hold(shop.home, shop.kb) as lease:
        assert rollback(shop.handle, lease, 2) == (2, 3)
    assert ({str(row["uri"]) for row in shop.rows()}, shop.sound(), paid_once(shop)) == (
        set(CHANGED),
        True,
        True,
    )
