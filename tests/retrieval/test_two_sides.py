"""A model that takes questions on one side and passages on the other is used on the right one: in a
build, in each search, and wherever questions are compared. On the wrong side it is an error.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.chat.knowledge import OpenVersion
from llmops.tasks.evaluation.answering import Retriever
from llmops.tasks.evaluation.run import Retrieval
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.retrieval.golden import Question
from llmops.tasks.retrieval.hybrid import MODES
from llmops.tasks.retrieval.judging import judged
from llmops.tasks.schemas import embedded_text, records
from llmops.tasks.training.embedder_search import EMBEDDED
from tests.workshop import TEXTS, Workshop

pytestmark = pytest.mark.skipif(
    find_spec("llama_index") is None, reason="llama-index-core is not installed"
)
MODEL = {"path": "tests.plugins.embedders.meanings.TwoSided", "dimensions": 384}
ASKED = [f"where is harbour {n}" for n in range(6)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("two"), Spec(name="lancedb"))
    made.embedder = Spec(name="llamaindex", options=dict(MODEL))
    made.build(TEXTS)
    return made


def first(found: Sequence[Sequence[tuple[str, str]]]) -> list[str]:
    return [ranking[0][0] for ranking in found]


def test_a_build_embeds_passages(shop: Workshop) -> None:
    reader = searcher(shop.home, shop.live).reader
    parts = [*reader.rows((*EMBEDDED, "vector"))]
    rows = [row for part in parts for row in records(part)]
    assert len(rows) >= len(TEXTS)
    expected = HashEmbedder().embed([embedded_text(row) for row in rows])
    np.testing.assert_allclose(np.stack([row["vector"] for row in rows]), expected, atol=1e-6)


def test_every_search_asks_questions(shop: Workshop) -> None:
    searches = searcher(shop.home, shop.live)
    for mode in MODES:
        assert first(searches.documents_many(ASKED, 3, mode)) == sorted(TEXTS)
        assert searches.uris_many([ASKED[3]], 1, mode) == [["d3.txt"]]
        assert [row["uri"] for row in searches.passages(ASKED[2], 1, mode)] == ["d2.txt"]
    assert next(searches.candidates_many([ASKED[1]])).near[0].uri == "d1.txt"
    asked = {"id": "q", "question": ASKED[4], "relevant": [{"uri": "d4.txt"}]}
    [judgement] = judged(searches, [Question.model_validate(asked)])
    assert judgement.candidates.near[0].uri == "d4.txt"


def test_evaluations_and_the_application_ask_questions(shop: Workshop) -> None:
    async def run() -> tuple[str, str]:
        settings = Retrieval(knowledge_base=shop.kb, version=shop.live.version, k=1, mode="vector")
        async with Gateway(shop.home, payer=Payer("evaluate", "try")) as gateway:
            retriever = Retriever(shop.home, gateway)
            [passage] = (await retriever.passages(settings, ASKED[5])).passages
            await retriever.close()
        with ThreadPoolExecutor(1) as pool:
            opened = OpenVersion(shop.live, searcher(shop.home, shop.live), pool)
            vector = await opened.embed(ASKED[0])
            found = await opened.search(ASKED[0], 1, "vector", vector=vector)
        return passage.uri, found.hits[0].uri

    assert asyncio.run(run()) == ("d5.txt", "d0.txt")


def test_another_way_to_ask_is_another_version_of_the_same_vectors(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    shop.embedder = Spec(name="llamaindex", options=dict(MODEL))
    before = shop.build(TEXTS)
    collection, rows = shop.live.collection, shop.rows()
    assert shop.build(TEXTS) == before
    shop.embedder = Spec(name="llamaindex", options=MODEL | {"query_prefix": "where is "})
    assert shop.build(TEXTS) == before + 1
    assert (shop.live.collection, shop.rows()) == (collection, rows)
    assert searcher(shop.home, shop.live).uris_many(["harbour 3"], 1, "vector") == [["d3.txt"]]
    assert shop.build(TEXTS) == before + 1
    assert shop.sound()


def test_adapters_embed_questions_as_questions(shop: Workshop) -> None:
    from llmops.integrations.llama_index import Embedding
    from llmops.knowledge_base import KnowledgeBase

    theirs = Embedding({"name": "llamaindex", **MODEL})
    [passage] = HashEmbedder().embed(["harbour 0"])
    np.testing.assert_allclose(theirs.get_query_embedding(ASKED[0]), passage, atol=1e-6)
    np.testing.assert_allclose(theirs.get_text_embedding("harbour 0"), passage, atol=1e-6)
    found = KnowledgeBase(shop.kb, shop.home).search(ASKED[0], 1, "vector")
    assert found[0].uri == min(TEXTS)
