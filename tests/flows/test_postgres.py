"""The whole flow with its ledger on PostgreSQL: builds, a kill at the worst moments, rollback, and
nothing paid twice.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks import ledger
from llmops.tasks.knowledge import versions
from llmops.tasks.ledger.leases import hold
from tests.flows.test_killed import kill, published
from tests.laboratory import Laboratory
from tests.postgres import fresh_database, postgres

__all__ = ["postgres"]
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
