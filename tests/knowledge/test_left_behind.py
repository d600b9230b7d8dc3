"""Questions of the gate whose sentence has left the documents."""

from pathlib import Path

import pytest

from llmops.tasks.knowledge.left_behind import left_behind
from llmops.tasks.knowledge.measuring import measure_version
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.plugins import Spec
from llmops.tasks.retrieval.golden import Question, Relevant
from llmops.tasks.schemas import Lineage
from tests.workshop import TEXTS, Workshop

SENTENCE = "The key of the shed hangs behind the blue door."
SAID = Lineage(trace_id="tr-1")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """Version 1 has the sentence, version 2 another one in its place."""
    made = Workshop(tmp_path, Spec(name="lancedb"))
    made.build({**TEXTS, "shed.txt": SENTENCE})
    made.build({**TEXTS, "shed.txt": "Nobody needs a key for the shed any more."})
    return made


def question(**more: object) -> Question:
    relevant = (Relevant(uri="shed.txt", quote=SENTENCE),)
    given = {"id": "q1", "question": "Where is the key of the shed?", "relevant": relevant}
    return Question.model_validate(given | more)


def left_out(shop: Workshop, asked: Question, start: int = 1, end: int = 2) -> tuple[str, ...]:
    versions = [shop.handle.version(number) for number in (start, end)]
    before, after = (measure_version(shop.home, each, [asked], 5, ("text",)) for each in versions)
    live, candidate = (searcher(shop.home, each).reader for each in versions)
    return left_behind([asked], before, after, live, candidate)


def test_a_question_from_feedback_whose_sentence_is_gone_is_left_out(shop: Workshop) -> None:
    assert left_out(shop, question(lineage=SAID)) == ("q1",)


def test_a_question_that_somebody_wrote_counts(shop: Workshop) -> None:
    assert left_out(shop, question()) == ()


def test_one_that_is_answered_as_before_is_not_looked_up(shop: Workshop) -> None:
    assert left_out(shop, question(lineage=SAID), 2, 2) == ()


def test_one_that_a_search_lost_counts(shop: Workshop) -> None:
    """Its sentence stands where it stood: the gate has to know of it."""
    shop.build({**TEXTS, "shed.txt": SENTENCE})
    asked = question(lineage=SAID)
    versions = [shop.handle.version(number) for number in (1, 3)]
    before = measure_version(shop.home, versions[0], [asked], 5, ("text",))
    lost = before.model_copy(
        update={
            "modes": {
                "text": before.first.model_copy(
                    update={
                        "values": {
                            name: tuple(0.0 for _ in values)
                            for name, values in before.first.values.items()
                        }
                    }
                )
            }
        }
    )
    live, candidate = (searcher(shop.home, each).reader for each in versions)
    assert left_behind([asked], before, lost, live, candidate) == ()


def test_the_others_of_a_measurement_stay(shop: Workshop) -> None:
    other = question(id="q2", question="Which boat passes the lighthouse of harbour 1?")
    found = measure_version(shop.home, shop.live, [question(), other], 5, ("text",))
    kept = found.without({"q1"})
    assert [each.id for each in kept.questions] == ["q2"]
    assert kept.first.got == found.first.got[1:]
    assert {len(values) for values in kept.first.values.values()} == {1}
