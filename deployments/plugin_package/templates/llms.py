"""A language model that says what it was told."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from llmops.tasks.plugins.llms import Connection, Llm, Reply, Request


class ExampleConnection(Connection):
    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    async def ask(self, request: Request) -> Reply:
        asked = request.messages[-1].content
        words = len(asked.split())
        return Reply(text=f"{self.prefix}{asked}", tokens_in=words, tokens_out=words)


class ExampleLlm(Llm):
    """The last message again, behind `prefix`. Limits, retries, prices and the memory of replies
    are the house's: `ask` makes one attempt.
    """

    prefix: str = "You said: "

    @property
    def free(self) -> bool:
        return True

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        return self._connection()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        yield ExampleConnection(self.prefix)
