"""What the tests of judges share: samples, and a model that answers from a list."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import Reply, Request
from llmops.tasks.plugins.scorers import Case, Judge, Passage, Sample, Score, Scorer

LLM = {"name": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
QUESTION = "How tall is it?"
BLOCK = r"^\[{mark} {name}\]\n(.*?)\n\[{mark} end of {name}\]$"


def built(name: str, **options: Any) -> Any:
    """A judge by its options, as a config gives them."""
    judge = Spec(name=name, options={"llm": LLM, **options}).build(Scorer)
    assert isinstance(judge, Judge)
    return judge


def sample(answer: str, expected: Any = None, passages: Sequence[str] = ()) -> Sample:
    case = Case(
        id="c1",
        inputs={"question": QUESTION},
        expected={} if expected is None else {"answer": expected},
    )
    return Sample(
        case=case,
        answer=answer,
        question=QUESTION,
        passages=tuple(Passage(text=text, title="Towers") for text in passages),
    )


class Model:
    """Answers from a list, then by the last; keeps what it was asked."""

    def __init__(self, *replies: str | dict[str, Any] | Reply | Exception) -> None:
        self.replies = [
            Reply(text=json.dumps(one))
            if isinstance(one, dict)
            else Reply(text=one)
            if isinstance(one, str)
            else one
            for one in replies
        ]
        self.asked: list[Request] = []

    async def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        found = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(found, Exception):
            raise found
        return found


def judged(judge: Judge, answer: Sample, model: Callable[[Request], Any]) -> Score:
    return asyncio.run(judge.judge(answer, model))


def block(request: Request, name: str) -> str:
    """What stands in a block, read as the judge is told to read it: between the two lines with the
    mark.
    """
    text = request.messages[-1].content
    found = re.match(r"The mark is (\w+)\.", text)
    assert found
    pattern = BLOCK.format(mark=found[1], name=name)
    blocks = re.findall(pattern, text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    return str(blocks[0])


def graded(grade: object, reason: str = "It says so.") -> dict[str, Any]:
    return {"reason": reason, "grade": grade}
