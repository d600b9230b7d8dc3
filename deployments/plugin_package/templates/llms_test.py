import asyncio

from llmops.deployments.plugin_package.templates.llms import ExampleLlm
from llmops.tasks.plugins.llms import Message, Reply, Request


async def asked(llm: ExampleLlm, text: str) -> Reply:
    async with llm.connect() as connection:
        return await connection.ask(Request(messages=(Message(role="user", content=text),)))


def test_it_answers() -> None:
    reply = asyncio.run(asked(ExampleLlm(prefix="Echo: "), "hello there"))
    assert (reply.text, reply.tokens_in) == ("Echo: hello there", 2)


def test_another_prefix_is_another_model() -> None:
    assert ExampleLlm(prefix="a").fingerprint() != ExampleLlm(prefix="b").fingerprint()
    assert ExampleLlm(timeout=5).fingerprint() == ExampleLlm().fingerprint()
