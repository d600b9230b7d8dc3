"""Rows of every sort that an exporter meets."""

from collections.abc import Sequence
from typing import Any

from llmops.tasks.plugins.scorers import Passage
from llmops.tasks.rows import FunctionCall, FunctionToolCall, Row, RowMessage

ODD = (
    "- a list\n- of two",
    "=SUM(A1)",
    "x" * 20_000,
    "👩‍👩‍👧 \U0001f600",
    "سلام\u200cدنیا \u202bשלום\u202c",
    "a\tb\r\nc\u2028d\u0085e",
    " starts and ends with a space ",
    '"quoted" \\ back\\slash </s> <|im_end|>',
)
"""Texts that formats like to spoil."""


def say(role: Any, content: str | None, **more: Any) -> RowMessage:
    return RowMessage(role=role, content=content, **more)


def single(answer: str = "Ask the desk.", *, score: float | None = 1.0, **more: Any) -> Row:
    said = (say("system", "Be short."), say("user", "Who helps?"), say("assistant", answer))
    return Row(id="r1", messages=said, score=score, group="g", **more)


def pair(better: str = "The desk helps.", worse: str = "Nobody.") -> Row:
    return Row(
        id="r2",
        messages=(say("user", "Who helps?"),),
        chosen=(say("assistant", better),),
        rejected=(say("assistant", worse),),
        group="g",
    )


def several() -> Row:
    turns = [say("user", "One?"), say("assistant", "1."), say("user", "Two?")]
    return Row(id="r3", messages=(*turns, say("assistant", "2.")), group="g")


def with_tools() -> Row:
    call = FunctionToolCall(
        id="c1", function=FunctionCall(name="weather", arguments='{"city": "Köln"}')
    )
    return Row(
        id="r4",
        messages=(
            say("user", "Rain?"),
            say("assistant", None, tool_calls=(call,)),
            say("tool", "no", tool_call_id="c1"),
            say("assistant", "It is dry."),
        ),
        tools=({"type": "function", "function": {"name": "weather", "parameters": {}}},),
        group="g",
    )


class Shelf:
    """A knowledge base of given passages, in the order in which a search would give them."""

    def __init__(self, *passages: tuple[str, str]) -> None:
        self._found = [Passage(uri=uri, text=text) for uri, text in passages]

    def search(self, knowledge_base: str, question: str, k: int) -> Sequence[Passage]:
        del knowledge_base, question
        return self._found[:k]
