"""The whole flow with its ledger on PostgreSQL: builds, a kill at the worst moments, rollback, and
nothing paid twice.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmops.tasks import ledger
from llmops.tasks.knowledge import versions
from llmops.tasks.ledger.leases import hold
from llmops.tasks.plugins import Spec
from tests.flows.test_killed import kill, published
from tests.laboratory import Laboratory
from tests.postgres import fresh_database
from tests.workshop import EDITED, TEXTS, Workshop

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def database(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LLMOPS_LEDGER_URL", fresh_database(postgres))
    yield
    ledger.close_ledgers()


def test_kills_change_nothing_and_the_rerun_pays_nothing_twice(lab: Laboratory) -> None:
    uris = published(lab)
    for place, when in (
        ("llmops.tasks.plugins.stores.lancedb:LanceDBCollection.stage", "after"),
        ("llmops.tasks.knowledge.publish:_point", "after"),
    ):
        kill(lab, place, when, 1)
        assert (lab.live(), lab.visible(), lab.verified()) == (1, uris, True), place
    paid = lab.paid()
    outcome = lab.build()
    assert (outcome.status, outcome.documents["new"], outcome.documents["retired"]) == (
        "published",
        1,
        1,
    )
    assert lab.paid() == paid
    assert lab.verified()


def test_unchanged_rollback_and_on(lab: Laboratory, tmp_path: Path) -> None:
    uris = published(lab)
    assert lab.build().status == "published"
    assert lab.build().status == "unchanged"
    with hold(lab.home, lab.kb) as lease:
        assert versions.rollback(lab.handle, lease, None) == (1, 2)
    assert lab.visible() == uris
    paid = lab.paid()
    assert lab.build().version == 3
    assert lab.paid() == paid
    assert not (lab.home / "ledger.db").exists()


def test_two_knowledge_bases_are_built_at_once_on_one_ledger(tmp_path: Path) -> None:
    shops = [Workshop(tmp_path, Spec(name="lancedb"), kb=f"shop-{letter}") for letter in "ab"]
    with ThreadPoolExecutor(len(shops)) as pool:
        for version, texts in enumerate((TEXTS, EDITED), 1):
            built = [pool.submit(shop.build, texts) for shop in shops]
            assert [each.result() for each in built] == [version, version]
    assert [(shop.sound(), len(shop.rows())) for shop in shops] == [
        (True, len(shops[0].rows()))
    ] * 2
