"""The most trivial model there is, for measuring what everything around a model costs: it answers
with the last word of the question.
"""

import contextlib
from collections.abc import AsyncIterator

from llmops.tasks.plugins.llms import Connection, Llm, Reply, Request


def last_word(question: str) -> str:
    """What is asked of both sides of a measurement."""
    return question.rpartition(" ")[2]


class Echo(Llm):
    """Answers with the last word of the last message, at once and for nothing."""

    @property
    def free(self) -> bool:
        return True

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        yield Line()


class Line(Connection):
    async def ask(self, request: Request) -> Reply:
        return Reply(text=last_word(request.messages[-1].content))
