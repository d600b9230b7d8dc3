"""One request to a model, with patience and without a cache."""

import asyncio
from collections.abc import Sequence

from llmops.tasks.calls.client import LlmClient
from llmops.tasks.plugins.llms import Llm, Message, Reply, Request


def complete(llm: Llm, messages: Sequence[Message], *, structured: bool = False) -> Reply:
    """`structured` asks for a JSON object, which the messages describe."""

    async def once() -> Reply:
        async with LlmClient(llm) as client:
            return await client.ask(
                Request(messages=tuple(messages), output={"type": "object"} if structured else None)
            )

    return asyncio.run(once())
