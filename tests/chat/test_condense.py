"""A question that leans on what was said before stands alone, with a model and without one."""

import pytest

from llmops.tasks.chat.condense import joined, leans
from tests.chat.apps import TALL, Record, Towers, said
from tests.chat.test_engine import model
from tests.llm_faults import broken
from tests.openai_server import Body, Service

ASKED = said("Where is the Leaning Tower of Pisa?", "In Italy [1].")


@pytest.mark.parametrize(
    ("question", "alone"),
    [
        (TALL, TALL),
        (
            "When did its construction begin?",
            f"{ASKED[0].content} When did its construction begin?",
        ),
        ("And how tall?", f"{ASKED[0].content} And how tall?"),
        ("Why?", f"{ASKED[0].content} Why?"),
        ("What is the nickname of the Great Bell in London?",) * 2,
    ],
)
def test_the_rule_joins_a_question_that_leans_with_the_one_before(
    question: str, alone: str
) -> None:
    assert joined(question, ASKED) == alone


def test_the_rule_goes_back_to_a_question_that_stands_alone() -> None:
    history = said(TALL, "330 metres.", *(text for one in ASKED for text in [one.content]), "Why?")
    assert joined("And since when?", history) == f"{ASKED[0].content} Why? And since when?"
    assert not leans("Which company built the tower in Paris?")


def test_a_follow_up_is_answered_offline(towers: Towers) -> None:
    record = Record()
    answer = towers.ask("When did its construction begin?", record, turn={"history": ASKED})
    assert "1173" in answer.text
    assert record["condense"].outputs == f"{ASKED[0].content} When did its construction begin?"
    without = Record()
    towers.ask(TALL, without, turn={"history": ASKED}, condense={"turns": 0})
    assert "condense" not in without.names


def test_a_model_condenses_and_its_cost_counts(towers: Towers, service: Service) -> None:
    def reply(messages: list[Body]) -> str:
        condenses = "The last question: And its weight?" in messages[-1]["content"]
        return "How heavy is the Great Bell of London?" if condenses else "13 tonnes [1]."

    service.reply = reply
    history = said("What is the Great Bell?", "A bell.")
    record = Record()
    answer = towers.ask("And its weight?", record, llm=model(service), turn={"history": history})
    assert answer.text == "13 tonnes [1]."
    assert record["condense"].outputs == "How heavy is the Great Bell of London?"
    assert (
        record["retrieve"].attributes["gen_ai.retrieval.query.text"] == record["condense"].outputs
    )
    (owner, _, first), (_, _, second) = towers.paid()
    assert answer.usage.cost_usd == pytest.approx(first + second)
    assert owner == record.id.removeprefix("tr-")
    assert service.requests[1][1]["messages"][-1]["content"] == "And its weight?"


def test_where_no_model_condenses_the_rule_does(towers: Towers, service: Service) -> None:
    service.script = [broken()]
    record = Record()
    condense = {"llm": model(service)}
    answer = towers.ask(
        "When did its construction begin?", record, condense=condense, turn={"history": ASKED}
    )
    assert "1173" in answer.text
    assert "500" in str(record["condense"].attributes["fallback"])
