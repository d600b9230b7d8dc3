"""An erasure that is killed at any step: it is finished by the next one, and until then nothing
that is served is wrong.
"""

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.knowledge.suppressed import lift
from llmops.tasks.maintenance.erase import erase
from tests.maintenance.haystack import SECRET, URI, littered, places
from tests.maintenance.test_erase import published, uris
from tests.sabotage import Killed, armed
from tests.workshop import TEXTS, Workshop

pytestmark = pytest.mark.slow
STEPS = ["forget", "redact_ledger", "redact_files", "_stores", "compacted"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_an_interrupted_erasure_is_finished_by_the_next(
    lance_shop: Workshop, step: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = lance_shop
    published(shop)
    littered(shop)
    with monkeypatch.context() as patched:
        armed(patched, f"llmops.tasks.maintenance.erase:{step}", when, 1, Killed)
        with pytest.raises(Killed):
            erase(shop.handle, URI)
    if step != "forget":
        with pytest.raises(UsageError, match="interrupted"):
            lift(shop.handle, URI)
    assert erase(shop.handle, URI)["status"] == "erased"
    assert places(shop.home, "zeppelin of Quixotic") == []
    assert shop.verified()["ok"]


@pytest.mark.parametrize("turn", [1, 3, 6])
def test_killed_while_the_lake_is_rewritten(
    lance_shop: Workshop, turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = lance_shop
    published(shop)
    with monkeypatch.context() as patched:
        armed(patched, "llmops.tasks.maintenance.erase_lake:_move", "after", turn, Killed)
        with pytest.raises(Killed):
            erase(shop.handle, URI)
    erase(shop.handle, URI)
    assert places(shop.home, "zeppelin of Quixotic") == []
    assert shop.verified(thorough=True)["ok"]
    shop.build({**TEXTS, "d0.txt": "A new boat."}, full=True)


def test_killed_while_the_store_is_rewritten(
    lance_shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("follow", "without", "forget"):
        for when in ("before", "after"):
            with monkeypatch.context() as patched:
                armed(patched, f"llmops.tasks.plugins.stores.lancedb:{place}", when, 1, Killed)
                lance_shop.build(TEXTS)
                lance_shop.build({**TEXTS, URI: SECRET})
                lance_shop.build({**TEXTS, "d0.txt": f"{place} {when}", URI: SECRET})
                with pytest.raises(Killed):
                    erase(lance_shop.handle, URI)
            assert uris(lance_shop) >= set(TEXTS)
            erase(lance_shop.handle, URI)
            assert places(lance_shop.home, "zeppelin of Quixotic") == [], (place, when)
            assert lance_shop.verified()["ok"]
            lift(lance_shop.handle, URI)
