"""A reader that searches without pause, while everything it reads is replaced, rolled back, and a
build is killed.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from llmops.tasks.errors import LlmopsError
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.knowledge.versions import rollback
from llmops.tasks.ledger.leases import hold
from tests.flows.test_killed import kill
from tests.laboratory import Laboratory

pytestmark = pytest.mark.slow

DOCUMENTS = 60


@contextmanager
def reading(lab: Laboratory) -> Iterator[list[tuple[int, frozenset[str]]]]:
    """Collects (version, generations of the texts seen) of every full read of the live version."""
    seen: list[tuple[int, frozenset[str]]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            live = lab.handle.published()
            frame = searcher(lab.home, live).search("generation of the document", 1000, "text")
            seen.append(
                (frame["doc_id"].nunique(), frozenset(text.split()[0] for text in frame["text"]))
            )

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def generation(lab: Laboratory, name: str) -> None:
    for number in range(DOCUMENTS):
        lab.write(f"d{number}.txt", f"{name} generation of the document number {number}.")


def test_readers_see_one_whole_version_at_any_moment(lab: Laboratory) -> None:
    generation(lab, "First")
    lab.build()
    with reading(lab) as seen:
        generation(lab, "Second")
        assert lab.build().chunks["retired"] == DOCUMENTS
        with hold(lab.home, lab.kb) as lease:
            rollback(lab.handle, lease, None)
        kill(lab, "llmops.tasks.plugins.stores.lancedb:LanceDBCollection.seal", "after", 1)
        assert lab.build().status == "published"
    assert len(seen) > 20
    assert {count for count, _ in seen} == {DOCUMENTS}
    assert {generations for _, generations in seen} == {frozenset({"First"}), frozenset({"Second"})}


def test_two_builds_at_once_one_runs_the_other_names_it(lab: Laboratory) -> None:
    lab.write("a.txt", "A text.")
    with hold(lab.home, lab.kb, "some-run"):
        outcome = lab.build()
    assert (outcome.status, outcome.exit_code) == ("blocked", 3)
    assert "another build of 'lab' is running: process" in (outcome.reason or "")
    assert "some-run" in (outcome.reason or "")
    assert lab.build().status == "published"


def test_a_lease_that_was_taken_over_cannot_publish(lab: Laboratory) -> None:
    lab.write("a.txt", "A text.")
    lab.build()
    with hold(lab.home, lab.kb) as lease:
        lease.release()
        with pytest.raises(LlmopsError, match="taken over"):
            rollback(lab.handle, lease, 1)
