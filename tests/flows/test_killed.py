"""kill -9 at every stage: the live version is served throughout, a rerun finishes the work, nothing
is paid twice.
"""

import pytest

from llmops.tasks.plugins.embedders import Embedder
from tests.flows.test_incremental import prose
from tests.killer import killed_build
from tests.laboratory import Laboratory

pytestmark = pytest.mark.slow

BEFORE_PUBLISH = [
    ("llmops.tasks.knowledge.planner:plan_build", "after", 1),
    ("llmops.tasks.knowledge.collect:collect", "after", 1),
    ("llmops.tasks.knowledge.transform:clean", "after", 1),
    ("llmops.tasks.knowledge.checking:check_rows", "after", 1),
    ("llmops.tasks.knowledge.transform:chunk", "after", 1),
    ("llmops.tasks.knowledge.checking:check_whole", "before", 1),
    ("llmops.tasks.knowledge.caches:save_embeddings", "before", 1),
    ("llmops.tasks.knowledge.caches:save_embeddings", "after", 1),
    ("llmops.tasks.knowledge.versions:open_version", "after", 1),
    ("llmops.tasks.plugins.stores.lancedb:LanceDBCollection.stage", "before", 1),
    ("llmops.tasks.plugins.stores.lancedb:LanceDBCollection.stage", "after", 1),
    ("llmops.tasks.plugins.stores.lancedb:LanceDBCollection.seal", "before", 1),
    ("llmops.tasks.plugins.stores.lancedb:LanceDBCollection.seal", "after", 1),
    ("llmops.tasks.knowledge.publish:publish", "before", 1),
    ("llmops.tasks.knowledge.publish:_point", "after", 1),
]
AFTER_PUBLISH = [
    ("llmops.tasks.knowledge.publish:publish", "after", 1),
    ("llmops.tasks.knowledge.versions:tidy", "before", 1),
]


def kill(lab: Laboratory, place: str, when: str, turn: int) -> None:
    """Run a build in another process until it dies at a place."""
    killed_build(lab.home, lab.config(), place, when, turn)


def published(lab: Laboratory) -> set[str]:
    """A first version of five documents, then edits that the next build has to bring in."""
    for number in range(5):
        lab.write(f"d{number}.txt", prose(number, 8))
    assert lab.build().status == "published"
    lab.write("d0.txt", prose(0, 8) + " One more sentence about the harbour.")
    lab.write("d1.txt", prose(100, 8))
    lab.write("new.txt", prose(101, 8))
    (lab.documents / "d4.txt").unlink()
    return {f"d{number}.txt" for number in range(5)}


def test_builds_killed_at_every_stage_before_they_publish_change_nothing(lab: Laboratory) -> None:
    """One crash upon the other: each starts from what the one before it left behind."""
    uris = published(lab)
    for place, when, turn in BEFORE_PUBLISH:
        kill(lab, place, when, turn)
        assert (lab.live(), lab.visible(), lab.verified()) == (1, uris, True), place
    finish(lab)


@pytest.mark.parametrize("place", AFTER_PUBLISH, ids=str)
def test_a_build_killed_after_it_published_stays_published(
    lab: Laboratory, place: tuple[str, str, int]
) -> None:
    published(lab)
    kill(lab, *place)
    assert (lab.live() or 0) > 1
    assert lab.build().status == "unchanged"
    assert lab.visible() == {"d0.txt", "d1.txt", "d2.txt", "d3.txt", "new.txt"}
    assert lab.verified()


def finish(lab: Laboratory) -> None:
    """A rerun publishes; a text was paid for twice only when the process died between its call and
    its record.
    """
    outcome = lab.build()
    assert (outcome.status, outcome.embeddings["computed"]) == ("published", 0)
    paid = [text for text in lab.bills() if lab.bills().count(text) > 1]
    assert len(paid) <= Embedder.texts_per_call
    assert len(lab.bills()) - len(set(lab.bills())) == len(set(paid))
    assert lab.visible() == {"d0.txt", "d1.txt", "d2.txt", "d3.txt", "new.txt"}
    assert lab.verified()


def test_what_was_embedded_before_the_kill_is_not_paid_again(lab: Laboratory) -> None:
    published(lab)
    kill(lab, "llmops.tasks.plugins.stores.lancedb:LanceDBCollection.seal", "before", 1)
    paid = lab.paid()
    assert lab.build().embeddings["computed"] == 0
    assert lab.paid() == paid
    assert len(lab.bills()) == len(set(lab.bills()))
