"""Marks in an answer, and what they stand for."""

import pytest

from llmops.tasks.chat.citations import marked
from tests.chat.apps import TALL, Towers
from tests.chat.test_engine import model
from tests.openai_server import Service


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Yes [1].", [1]),
        ("Yes [2][1], and [2].", [2, 1]),
        ("Yes [1, 3; 5].", [1, 3, 5]),
        ("Yes [2-4] and [ 1 ].", [2, 3, 4, 1]),
        ("是的【2】。", [2]),
        ("list[0] is no mark, [x] and [] are none, [1999] neither", [0]),
        ("[9-1]", [9, 1]),
        ("", []),
    ],
)
def test_marks_are_read(text: str, numbers: list[int]) -> None:
    assert marked(text) == numbers


@pytest.mark.parametrize(
    ("said", "numbers", "cited"),
    [
        ("It is so [3] and [1].", [1, 3], True),
        ("It is so [7].", [1, 2, 3], False),
        ("It is so.", [1, 2, 3], False),
    ],
)
def test_an_answer_is_never_without_its_sources(
    towers: Towers, service: Service, said: str, numbers: list[int], cited: bool
) -> None:
    service.reply = lambda messages: said
    answer = towers.ask(TALL, llm=model(service))
    assert [each.number for each in answer.citations] == numbers
    assert {each.cited for each in answer.citations} == {cited}
    assert answer.text == said
