"""All recommendations together."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from llmops.tasks.errors import Unavailable
from llmops.tasks.monitoring.recommend import FEW, recommendations
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.schemas import Vectors
from tests.ledgers import with_ledger
from tests.monitoring.asked import SINCE, exchange, rated

HASH = Spec(name="hash").build(Embedder)


def test_a_handful_of_exchanges_is_too_few(tmp_path: Path) -> None:
    few = [exchange(number) for number in range(12)]
    found = recommendations(tmp_path, few, HASH, knowledge_bases=["shop"])
    assert found.notes == (f"too few exchanges to recommend anything: 12 of at least {FEW}",)
    assert (found.unanswered, found.unused, found.bad_passages) == ((), (), ())


def test_each_list_is_made_and_a_base_that_is_not_here_is_a_note(tmp_path: Path) -> None:
    home = with_ledger(tmp_path / "home")
    week = [
        *(exchange(number, f"Where is lamp number {number} kept?") for number in range(20)),
        *(rated(100 + number, "down", ["bad"]) for number in range(6)),
        *(rated(200 + number, "up", ["good"]) for number in range(60)),
    ]
    found = recommendations(
        home, week, HASH, knowledge_bases=["shop"], since=SINCE - timedelta(days=1)
    )
    assert found.unanswered[0].why.startswith("20× nothing was found")
    assert [each.chunk_id for each in found.bad_passages] == ["bad"]
    assert found.unused_count == {}
    assert found.notes == found.notes_of["unused"]
    assert found.notes[-1].startswith("shop: unused documents are not known: no knowledge base")


class AbsentEmbedder(HashEmbedder):
    """Is never there."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        raise Unavailable("the model does not answer")


def test_without_an_embedder_the_lists_that_want_none_are_made(tmp_path: Path) -> None:
    home = with_ledger(tmp_path / "home")
    week = [
        *(rated(100 + number, "down", ["bad"]) for number in range(6)),
        *(rated(200 + number, "up", ["good"]) for number in range(60)),
    ]
    found = recommendations(home, week, AbsentEmbedder(), knowledge_bases=[])
    assert found.notes == ("questions without an answer are not known: the model does not answer",)
    assert [each.chunk_id for each in found.bad_passages] == ["bad"]
