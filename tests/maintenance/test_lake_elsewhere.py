"""What looks after a knowledge base whose lake is not in its home: the same, and nothing of another
ledger's.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.lake import Lake
from llmops.tasks.ledger.leases import hold
from llmops.tasks.maintenance import garbage
from llmops.tasks.maintenance.drop import drop
from llmops.tasks.maintenance.erase import erase
from llmops.tasks.maintenance.garbage import gc
from llmops.tasks.maintenance.repair import repair
from tests import sabotage
from tests.maintenance.haystack import SECRET, SENTENCE, URI
from tests.workshop import EDITED, TEXTS, Workshop

URL = "memory://bucket/lake"


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LLMOPS_LAKE", URL)
    yield
    fsspec.filesystem("memory").store.clear()


def holds(shop: Workshop, needle: str) -> list[str]:
    """The files of the lake in which a text stands."""
    lake = shop.handle.lake
    paths = [file.path for file in lake.files()]
    shards = {path: pq.read_table(lake.parquet(path)).to_pylist() for path in shards_of(lake)}
    return [path for path in paths if needle in str(shards.get(path) or lake.read(path).decode())]


def shards_of(lake: Lake) -> list[str]:
    return [file.path for file in lake.files() if file.path.endswith(".parquet")]


def test_build_verify_repair_gc_erase_and_drop(
    lance_shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = lance_shop
    assert shop.build({**TEXTS, URI: SECRET}) == 1
    assert shop.build({**EDITED, URI: SECRET}, keep=1) == 2
    assert (shop.sound(), (shop.home / "lake").exists()) == (True, False)
    assert shop.handle.lake.where().startswith(URL)
    assert (len(holds(shop, URI)), len(holds(shop, SENTENCE))) > (1, 1)
    sabotage.deleted_by_hand(shop, [str(row["chunk_id"]) for row in shop.rows()[:5]])
    repair(shop.handle)
    assert shop.sound()
    monkeypatch.setattr(garbage, "GRACE", timedelta(seconds=-5))  # all of it is older
    before = len(shop.handle.lake.files())
    freed = gc(shop.handle)
    assert freed["files"] == before - len(shop.handle.lake.files()) > 0
    assert (shop.sound(), shop.handle.run_files()) == (True, [])
    erase(shop.handle, URI)
    assert (shop.sound(), holds(shop, URI), holds(shop, SENTENCE)) == (True, [], [])
    with hold(shop.home, shop.kb) as lease:
        drop(shop.handle, lease)
    assert [file.path for file in shop.handle.lake.files()] == ["ledger.txt"]


def test_a_lake_belongs_to_one_ledger(lance_shop: Workshop, tmp_path: Path) -> None:
    lance_shop.build(TEXTS)
    (tmp_path / "beside").mkdir()
    other = Workshop(tmp_path / "beside", lance_shop.store)
    with pytest.raises(UsageError, match="belongs to another ledger") as caught:
        other.build(TEXTS)
    assert caught.value.where == "LLMOPS_LAKE"
    assert f"{URL}/ledger.txt" in caught.value.hint
    lance_shop.build(EDITED)
    assert lance_shop.sound()
