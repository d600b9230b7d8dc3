"""`kb drop` leaves no text behind, and takes nothing that another knowledge base needs."""

import os
import time
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import now
from llmops.tasks.ledger.leases import hold
from llmops.tasks.ledger.tables import calls, embeddings, knowledge_bases, leases, parsed
from llmops.tasks.maintenance.drop import Dropped, belongings, drop
from tests import sabotage
from tests.maintenance.haystack import OWNER, SECRET, SENTENCE, URI, places
from tests.workshop import TEXTS, Workshop


def dropped(shop: Workshop) -> Dropped:
    with hold(shop.home, shop.kb) as lease:
        return drop(shop.handle, lease)


def count(shop: Workshop, table: object) -> int:
    with shop.ledger.read() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]


def lake(shop: Workshop) -> set[str]:
    return {
        str(path.relative_to(shop.home))
        for path in (shop.home / "lake").rglob("*")
        if path.is_file()
    }


def two(shop: Workshop, **own: str) -> Workshop:
    """Another base beside it with the same documents, and some of its own."""
    other = Workshop(shop.folder, shop.store, kb=f"{shop.kb}-b")
    other.build(TEXTS | own)
    return other


@pytest.mark.slow
def test_no_text_stays_when_the_last_base_goes(shop: Workshop) -> None:
    """Neither of any version, nor of a candidate that was never published: the paid vectors
    alone.
    """
    for text in (SECRET, f"{SECRET} And more."):
        shop.build({**TEXTS, URI: text})
    stray = shop.home / "lake" / "documents" / "ab" / ".stray.parquet.1.2"
    stray.parent.mkdir(exist_ok=True)
    stray.write_text(SENTENCE)
    with shop.ledger.write() as connection:
        connection.execute(
            insert(calls).values(key="k1", owner=OWNER, reply=SENTENCE, created_at=now())
        )
    paid, before = count(shop, embeddings), lake(shop)
    assert places(shop.home, SENTENCE)
    found = dropped(shop)
    assert (found["files"], found["note"], lake(shop)) == (len(before), "", set())
    assert int(str(found["bytes"])) > 0
    assert places(shop.home / "lake", SENTENCE) == []
    assert (count(shop, embeddings), count(shop, parsed), count(shop, calls)) == (paid, 0, 0)
    with pytest.raises(UsageError, match="no knowledge base"):
        belongings(shop.handle)
    bill = shop.paid()
    shop.build({**TEXTS, URI: SECRET})
    assert shop.paid() == bill


def test_what_another_base_needs_stays_and_it_alone(shop: Workshop) -> None:
    shop.build({**TEXTS, URI: SECRET})
    other = two(shop, **{"own.txt": "A ferry of its own."})
    rows = other.rows()
    assert int(str(dropped(shop)["files"])) > 0
    assert places(shop.home / "lake", SENTENCE) == []
    assert (other.rows(), other.sound()) == (rows, True)
    bill = other.paid()
    other.build(TEXTS, full=True)
    assert other.paid() == bill
    dropped(other)
    assert lake(shop) == set()


def test_a_build_of_another_base_keeps_what_it_may_have_written(shop: Workshop) -> None:
    shop.build({**TEXTS, URI: SECRET})
    texts = count(shop, parsed)
    for path in (shop.home / "lake").rglob("*"):
        os.utime(path, (time.time() - 7_200,) * 2)
    fresh = shop.home / "lake" / "documents" / "ab" / "fresh.parquet"
    fresh.parent.mkdir(exist_ok=True)
    fresh.touch()
    with hold(shop.home, "other"):
        with shop.ledger.write() as connection:
            connection.execute(
                update(leases)
                .where(leases.c.kb == "other")
                .values(acquired_at=now() - timedelta(minutes=2))
            )
        found = dropped(shop)
        assert "kb gc other --embeddings" in str(found["note"])
        assert fresh.exists()
        assert count(shop, parsed) == texts
        assert not [*(shop.home / "lake" / "chunks").rglob("*.parquet")]


@pytest.mark.parametrize("step", ["_forget_texts", "free_after_drop", "_files"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_drop_that_is_killed_is_run_again_to_its_end(
    shop: Workshop, step: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.build({**TEXTS, URI: SECRET})
    with monkeypatch.context() as patched:
        sabotage.armed(patched, f"llmops.tasks.maintenance.drop:{step}", when, 1, sabotage.Killed)
        with pytest.raises(sabotage.Killed):
            dropped(shop)
    assert belongings(shop.handle)["versions"] in (0, 1)
    dropped(shop)
    assert (count(shop, knowledge_bases), lake(shop)) == (0, set())
