"""The offline model, for the chains of other frameworks."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from llmops.tasks.plugins.llms import Message, Request
from llmops.tasks.plugins.llms.extractive import ExtractiveLlm

PROMPT = "Answer in one sentence.\n\nContext:\n{context}\n\nQuestion: {question}"


def answered(prompt: str) -> str:
    """What the model `extractive` says, also beside a running event loop."""

    async def ask() -> str:
        async with ExtractiveLlm().connect() as connection:
            messages = (Message(role="user", content=prompt),)
            return (await connection.ask(Request(messages=messages))).text

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(ask())).result()
