"""A trained embedder is served only where it gains on documents that it was not trained on, and
loses nothing on a second set.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.trainers.sentence_transformers import (
    SecondSet,
    SentenceTransformersTrainer,
)
from llmops.tasks.schemas import Vectors, sha256
from llmops.tasks.training.embedder_gate import CandidateEmbedder, decide_embedder
from llmops.tasks.training.embedder_search import TrainedRows
from tests.training.test_ranking import ASKED, DOCUMENTS, WORDS, corpus, golden
from tests.workshop import Workshop

MEANT = {asked: word for word, asked in ASKED.items()}
NOTHING = TrainedRows([], [], frozenset())
OTHERS = {f"e{n:02}.txt": f"lantern {WORDS[n % 9]}ish harbour {n * 7919} pier" for n in range(60)}
PAID: list[str] = []


class Learnt(Embedder):
    """Knows what people mean by their words; `forgets`: texts about lanterns are noise to it;
    `blind`: so is everything.
    """

    forgets: bool = False
    blind: bool = False
    dimension: ClassVar[int] = HashEmbedder.dimension
    max_tokens: ClassVar[int] = HashEmbedder.max_tokens

    def embed(self, texts: Sequence[str]) -> Vectors:
        PAID.extend(texts)
        plain = [" ".join(MEANT.get(word, word) for word in text.split()) for text in texts]
        lost = [self.blind or (self.forgets and "lantern" in text) for text in texts]
        vectors = HashEmbedder().embed(plain)
        noise = HashEmbedder().embed([sha256(text) for text in texts])
        return np.where(np.array(lost)[:, None], noise, vectors).astype(np.float32)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return HashEmbedder().token_offsets(text)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("shop"), Spec(name="lancedb"))
    made.embedder = Spec(name="hash")
    texts, said = corpus()
    made.build(texts)
    golden(made.folder / "asked.jsonl", list(range(DOCUMENTS)), said)
    made.kb = "other"
    made.build(OTHERS)
    rows = [
        {"id": uri, "question": f"the lantern of {text[-14:]}", "relevant": [{"uri": uri}]}
        for uri, text in OTHERS.items()
    ]
    lines = [json.dumps(row) + "\n" for row in rows]
    (made.folder / "others.jsonl").write_text("".join(lines))
    return made


def gate(shop: Workshop, embedder: Embedder, rows: TrainedRows = NOTHING, **options: object):  # type: ignore[no-untyped-def]
    given = {"knowledge_base": "shop", "questions": "asked.jsonl", **options}
    trainer = SentenceTransformersTrainer.model_validate(given)
    candidate = CandidateEmbedder(shop.home, shop.folder, embedder, rows, lambda text: None)
    return decide_embedder(candidate, trainer)


def second(margin: float = 0.02) -> SecondSet:
    return SecondSet(knowledge_base="other", questions=Path("others.jsonl"), margin=margin)


def test_what_gains_is_promoted_and_embeds_nothing_twice(shop: Workshop) -> None:
    made = gate(shop, Learnt(), second=second(), test="asked.jsonl")
    assert made.status == "promoted"
    assert made.served.difference > 0.2
    assert made.first[1] > made.first[0]
    assert (made.judged, made.usable, made.unseen) == (DOCUMENTS, DOCUMENTS, DOCUMENTS)
    assert made.second.difference == pytest.approx(0, abs=0.02)
    assert made.test == made.test_unseen == made.served
    assert made.test_seen is None
    assert made.warnings == ()
    PAID.clear()
    assert gate(shop, Learnt(), second=second()).served == made.served
    assert not {*PAID} & {*corpus()[0].values(), *OTHERS.values()}


def test_without_a_gain_nothing_is(shop: Workshop) -> None:
    same = gate(shop, HashEmbedder())
    assert same.status == "rejected"
    assert same.served.difference == 0
    assert "nothing says what the embedder forgot" in same.warnings[0]
    assert gate(shop, Learnt(blind=True)).status == "rejected"


def test_what_was_trained_on_does_not_decide(shop: Workshop) -> None:
    texts, said = corpus()
    asked = [" ".join(ASKED[word] for word in words) for words in said]
    by_words = TrainedRows(asked[:20], ["nothing like it"] * 20, frozenset())
    by_passage = TrainedRows(["?"] * 20, [texts[f"d{n:03}.txt"] for n in range(20)], frozenset())
    by_document = TrainedRows([], [], frozenset(f"d{n:03}.txt" for n in range(20)))
    for rows in (by_words, by_passage, by_document):
        made = gate(shop, Learnt(), rows)
        assert made.unseen <= DOCUMENTS - 20
        assert made.served.questions == made.unseen
        assert made.seen.questions == DOCUMENTS - made.unseen
        assert made.status == "promoted"
    many = TrainedRows([], [], frozenset(f"d{n:03}.txt" for n in range(70)))
    made = gate(shop, Learnt(), many)
    assert made.status == "inconclusive"
    assert "40 of 110 judged questions" in made.reason
    assert made.seen.difference > 0.2


def test_what_it_forgets_stops_it(shop: Workshop) -> None:
    made = gate(shop, Learnt(forgets=True), second=second())
    assert made.status == "rejected"
    assert made.served.shown
    assert "it loses on other" in made.reason
    assert made.second.difference < -0.02
    assert gate(shop, Learnt(forgets=True), second=second(1.0)).status == "promoted"


def test_a_knowledge_base_that_there_is_not_is_told(shop: Workshop) -> None:
    with pytest.raises(UsageError, match="nobody"):
        gate(shop, Learnt(), knowledge_base="nobody")
