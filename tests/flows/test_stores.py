"""The whole flow on each vector store: what is published, taken back, killed, and what a reader
sees meanwhile.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.errors import Unavailable
from llmops.tasks.knowledge.versions import rollback
from llmops.tasks.ledger.leases import hold
from tests import weaviate
from tests.flows.test_incremental import prose
from tests.flows.test_readers import DOCUMENTS, generation, reading
from tests.killer import killed_build
from tests.laboratory import Laboratory

pytestmark = pytest.mark.slow

COLLECTIONS = {
    "lancedb": "llmops.tasks.plugins.stores.lancedb:LanceDBCollection",
    "weaviate": "llmops.tasks.plugins.stores.weaviate.collection:WeaviateCollection",
}
AFTER = {"d0.txt", "d1.txt", "d2.txt", "d3.txt", "new.txt"}


@pytest.fixture(scope="module")
def weaviate_options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with weaviate.serving(tmp_path_factory.mktemp("weaviate")) as options:
        yield options


@pytest.fixture(params=COLLECTIONS)
def store(request: pytest.FixtureRequest) -> dict[str, Any]:
    options = request.getfixturevalue("weaviate_options") if request.param == "weaviate" else {}
    return {"name": request.param, **options}


@pytest.fixture
def cleared(lab: Laboratory, store: dict[str, Any]) -> Iterator[Laboratory]:
    """A laboratory that leaves nothing behind on a server that others use, too."""
    from llmops.tasks.knowledge.handle import Handle
    from llmops.tasks.maintenance.drop import drop

    lab.kb = f"lab-{abs(hash(lab.folder)):x}"
    yield lab
    kb = Handle(home=lab.home, name=lab.kb)
    with kb.hold() as lease:
        drop(kb, lease)


def kill(lab: Laboratory, store: dict[str, Any], place: str, when: str) -> None:
    killed_build(lab.home, lab.config(store=store), place, when)


def edited(lab: Laboratory) -> None:
    lab.write("d0.txt", prose(0, 8) + " One more sentence about the harbour.")
    lab.write("d1.txt", prose(100, 8))
    lab.write("new.txt", prose(101, 8))
    (lab.documents / "d4.txt").unlink()


def test_killed_builds_change_nothing_and_the_next_one_finishes_without_paying_again(
    cleared: Laboratory, store: dict[str, Any]
) -> None:
    lab = cleared
    for number in range(5):
        lab.write(f"d{number}.txt", prose(number, 8))
    assert lab.build(store=store).status == "published"
    edited(lab)
    before = {f"d{number}.txt" for number in range(5)}
    for call, when in [
        ("stage", "before"),
        ("stage", "after"),
        ("seal", "before"),
        ("seal", "after"),
        ("recover", "after"),
    ]:
        kill(lab, store, f"{COLLECTIONS[store['name']]}.{call}", when)
        assert (lab.live(), lab.visible(), lab.verified()) == (1, before, True), (call, when)
    outcome = lab.build(store=store)
    assert (outcome.status, outcome.embeddings["computed"]) == ("published", 0)
    assert len(lab.bills()) == len(set(lab.bills()))
    assert (lab.visible(), lab.verified()) == (AFTER, True)
    published, paid = lab.live(), lab.paid()
    with hold(lab.home, lab.kb) as lease:
        rollback(lab.handle, lease, 1)
    assert (lab.live(), lab.visible(), lab.verified()) == (1, before, True)
    assert lab.build(store=store).status == "published"
    assert (lab.visible(), lab.verified(), lab.paid()) == (AFTER, True, paid)
    assert (lab.live() or 0) > (published or 0)
    assert lab.build(store=store).status == "unchanged"


def test_every_document_is_visible_in_one_version_while_all_are_updated_and_rolled_back(
    cleared: Laboratory, store: dict[str, Any]
) -> None:
    lab = cleared
    generation(lab, "First")
    lab.build(store=store)
    with reading(lab) as seen:
        generation(lab, "Second")
        assert lab.build(store=store).chunks["retired"] == DOCUMENTS
        with hold(lab.home, lab.kb) as lease:
            rollback(lab.handle, lease, None)
    assert len(seen) > 5
    assert {count for count, _ in seen} == {DOCUMENTS}
    assert {generations for _, generations in seen} <= {frozenset({"First"}), frozenset({"Second"})}
    assert lab.verified()


def test_a_build_ends_cleanly_while_weaviate_is_down_and_goes_on_when_it_is_back(
    lab: Laboratory, tmp_path: Path
) -> None:
    with weaviate.started(tmp_path / "weaviate") as server:
        store = {"name": "weaviate", "url": server.url, "grpc_port": server.grpc_port, "timeout": 3}
        lab.write("a.txt", prose(1, 8))
        assert lab.build(store=store).status == "published"
        lab.write("b.txt", prose(2, 8))
        server.kill()
        with pytest.raises(Unavailable, match="did not answer"):
            lab.build(store=store)
        server.start()
        assert (lab.live(), lab.visible(), lab.verified()) == (1, {"a.txt"}, True)
        assert lab.build(store=store).status == "published"
        assert (lab.visible(), lab.verified()) == ({"a.txt", "b.txt"}, True)
        assert len(lab.bills()) == len(set(lab.bills()))
