"""Erasing where things are not as usual: renamed documents, twins, files that cannot be changed,
lost versions.
"""

import shutil

import pytest

from llmops.tasks.errors import Damaged, UsageError
from llmops.tasks.knowledge.reading import collection_of
from llmops.tasks.knowledge.suppressed import suppressed_hashes, uri_hash
from llmops.tasks.knowledge.views import history
from llmops.tasks.maintenance.erase import erase
from llmops.tasks.maintenance.repair import repair
from llmops.tasks.maintenance.versions import rollback as back
from tests.maintenance.haystack import SECRET, SENTENCE, URI, places
from tests.maintenance.test_erase import published, uris
from tests.workshop import TEXTS, Workshop


def test_a_renamed_document_goes_under_its_old_name_too(shop: Workshop) -> None:
    shop.build({**TEXTS, "old.txt": SECRET})
    shop.build({**TEXTS, "new.txt": SECRET})
    found = erase(shop.handle, "new.txt")
    assert found["counts"]["versions"] == 2
    assert any("old.txt" in note for note in found["notes"])
    assert places(shop.home, SENTENCE) == []
    assert suppressed_hashes(shop.handle) == {
        uri_hash(shop.kb, "new.txt"),
        uri_hash(shop.kb, "old.txt"),
    }


def test_another_document_of_the_same_text_stays_and_is_named(shop: Workshop) -> None:
    shop.build({**TEXTS, "one.txt": SECRET, "two.txt": SECRET})
    found = erase(shop.handle, "one.txt")
    assert any("two.txt" in note for note in found["notes"])
    assert "two.txt" in uris(shop)
    assert shop.verified()["ok"]


def test_what_could_not_be_changed_is_named_until_it_is_gone(shop: Workshop) -> None:
    shop.build({**TEXTS, URI: SECRET})
    stubborn = shop.home / "mlflow" / "bin.dat"
    stubborn.parent.mkdir(parents=True, exist_ok=True)
    stubborn.write_bytes(b"\xff\xfe\xff" + SENTENCE.encode())
    for _ in range(2):
        assert erase(shop.handle, URI)["left"] == ["mlflow/bin.dat"]
    stubborn.unlink()
    assert erase(shop.handle, URI)["left"] == []


@pytest.mark.slow
def test_versions_that_are_lost_do_not_stop_an_erasure_and_a_lost_live_one_is_said_first(
    lance_shop: Workshop,
) -> None:
    shop = lance_shop
    published(shop)
    collection = shop.home / "lancedb" / f"{shop.live.collection}.lance"
    moved = collection.rename(shop.home / "elsewhere")
    with pytest.raises(Damaged, match="nothing was erased"):
        erase(shop.handle, URI)
    assert repair(shop.handle)["ok"]
    shutil.rmtree(moved)
    assert {one["status"] for one in history(shop.handle)} == {"live", "damaged"}
    with pytest.raises(UsageError, match="cannot be served any more"):
        back(shop.handle, 1)
    assert erase(shop.handle, URI)["left"] == []
    assert places(shop.home, SENTENCE) == []
    assert shop.verified()["ok"]


def test_a_rollback_to_what_the_store_has_lost_is_refused_and_changes_nothing(
    lance_shop: Workshop,
) -> None:
    shop = lance_shop
    published(shop)
    collection_of(shop.home, shop.live).gc([shop.live.snapshot or ""])
    with pytest.raises(Damaged, match="cannot be served, so nothing was changed"):
        back(shop.handle, 1)
    assert shop.live.version == 3
