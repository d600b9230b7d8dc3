"""`kb gc` where the store has lost something: a note that says what to do, and the rest is
freed.
"""

import os
import time

from llmops.tasks.maintenance.garbage import gc
from llmops.tasks.maintenance.repair import repair
from llmops.tasks.plugins import Spec
from tests import sabotage
from tests.maintenance.test_garbage import aged, edited
from tests.workshop import TEXTS, Workshop


def test_a_lost_collection_is_no_obstacle(shop: Workshop) -> None:
    shop.build(TEXTS)
    shop.drop()
    assert gc(shop.handle)["bytes"] == 0
    assert not shop.verified()["ok"]


def lossy(shop: Workshop) -> None:
    for file in (sabotage.lance_folder(shop) / "data").iterdir():
        file.unlink()


def test_lost_files_are_a_note_that_says_what_to_do_and_the_rest_is_freed(
    lance_shop: Workshop,
) -> None:
    shop = lance_shop
    for number in range(2):
        shop.build(edited(number))
    shop.embedder = Spec(name="hash")
    shop.build(TEXTS)
    shop.build(edited(2))
    lossy(shop)
    aged(shop)
    stray = shop.home / "lake" / "documents" / "stray.parquet"
    stray.write_bytes(b"12345")
    os.utime(stray, (time.time() - 60,) * 2)
    found = gc(shop.handle)
    assert "collection of versions 3, 4: the LanceDB table" in found["note"]
    assert "lost files" in found["note"]
    assert f"`llmops kb repair {shop.kb}` makes the live version 4 whole again" in found["note"]
    assert not any(sign in found["note"] for sign in (".rs", "\n", "Wrapped"))
    assert not stray.exists()
    assert repair(shop.handle)["ok"]
    again = gc(shop.handle)
    assert (again["collections"], again["note"]) == (0, "")


def test_lost_files_of_other_versions_are_a_note_without_a_cure(lance_shop: Workshop) -> None:
    shop = lance_shop
    for number in range(2):
        shop.build(edited(number))
    lossy(shop)
    shop.embedder = Spec(name="hash")
    shop.build(TEXTS)
    note = gc(shop.handle)["note"]
    assert "collection of versions 1, 2" in note
    assert "no rollback to what is lost" in note
    assert "repair" not in note


def test_the_bytes_of_a_dropped_collection_count(lance_shop: Workshop) -> None:
    shop = lance_shop
    shop.build(TEXTS)
    folder = sabotage.lance_folder(shop)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shop.embedder = Spec(name="hash")
    shop.build(TEXTS)
    shop.recorded(1, status="expired")
    found = gc(shop.handle)
    assert found["collections"] == 1
    assert found["bytes"] >= size > 0
    assert not folder.exists()
