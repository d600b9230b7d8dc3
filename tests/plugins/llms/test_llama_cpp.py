"""A real model of a GGUF file in the process: what it answers, and how it ends."""

import asyncio
import json
import shutil
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.calls.client import LlmClient
from llmops.tasks.errors import DocumentError, TransientDocumentError, Unavailable
from llmops.tasks.plugins.llms import Llm, Message, Reply, Request
from tests.local_model import NEEDS_MODEL, smollm

pytestmark = [pytest.mark.slow, NEEDS_MODEL]
QUESTION = (
    Message(role="system", content="Be short."),
    Message(role="user", content="What is the capital of France?"),
)
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "kind": {"enum": ["child", "adult"]},
    },
    "required": ["name", "age", "kind"],
}


def ask(llm: Llm, *texts: str, **more: Any) -> Reply:
    asked = tuple(Message(role="user", content=text) for text in texts) or QUESTION

    async def once() -> Reply:
        async with LlmClient(llm) as client:
            return await client.ask(Request(messages=asked, **more))

    return asyncio.run(once())


def test_it_answers_the_same_whatever_was_asked_before() -> None:
    first = ask(smollm())
    assert (first.tokens_in, first.tokens_out, first.finish) == (24, 8, "stop")
    assert first.text == "The capital of France is Paris."
    long = "France is a country in Europe. " * 20
    alone = ask(smollm(), long + "Which country?").text
    ask(smollm(), long + "Which part of the world?")  # it begins like the other, for two pieces
    assert ask(smollm(), long + "Which country?").text == alone
    assert ask(smollm()).text == first.text


def test_chance_follows_the_seed() -> None:
    drawn = [ask(smollm(temperature=1.5, seed=seed), "Tell a story.").text for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    once = ask(smollm(), "Tell a story.", parameters={"temperature": 1.5, "seed": 1})
    assert once.text == drawn[0]
    assert ask(smollm(), parameters={"max_tokens": 3}).tokens_out == 3
    cut = ask(smollm(), parameters={"stop": " France"})
    assert (cut.text, cut.finish) == ("The capital of", "stop")
    penalty = {"repeat_penalty": 1.3, "top_k": 5, "top_p": 0.9, "min_p": 0.1, "typical_p": 1.0}
    more = {"frequency_penalty": 0.1, "presence_penalty": 0.1}
    assert ask(smollm(temperature=0.5, parameters=penalty | more)).text
    with pytest.raises(DocumentError, match="refuses the parameters"):
        ask(smollm(temperature=0.5), parameters={"top_p": "high"})


def test_a_reply_follows_the_schema_of_the_output() -> None:
    model = smollm(max_tokens=60)
    found = json.loads(ask(model, "Anna is 31 years old.", output=PERSON).text)
    assert list(found) == ["name", "age", "kind"]
    assert isinstance(found["age"], int)
    assert found["kind"] in ("child", "adult")
    loose = smollm(max_tokens=120)
    anything = ask(loose, "Anna is 31. Answer in JSON.", output={"type": "object"}).text
    assert isinstance(json.loads(anything), dict)
    free = ask(smollm(json_mode="off"), "What is the capital of France?", output=PERSON).text
    assert "Paris" in free
    elsewhere = {"type": "object", "properties": {"a": {"$ref": "https://example.org/a.json"}}}
    with pytest.raises(DocumentError, match=r"no grammar: .*Fetching remote .*json_mode: object"):
        ask(model, output=elsewhere)


def test_text_comes_in_pieces_and_the_reply_last() -> None:
    async def pieces(most: int) -> list[str | Reply]:
        found: list[str | Reply] = []
        request = Request(messages=QUESTION)
        async with LlmClient(smollm()) as client, aclosing(client.stream(request)) as stream:
            async for piece in stream:
                found.append(piece)
                if len(found) == most:
                    break
        return found

    *text, reply = asyncio.run(pieces(99))
    assert isinstance(reply, Reply)
    assert len(text) == 7
    assert reply.text == "".join(map(str, text)) == ask(smollm()).text
    assert len(asyncio.run(pieces(1))) == 1  # a reader may leave
    assert ask(smollm()).text == reply.text


def test_several_ask_at_once_and_waiting_is_no_time_of_their_own() -> None:
    async def several() -> list[Reply]:
        async with LlmClient(smollm(max_tokens=4)) as client:
            texts = [Message(role="user", content=f"Number {number}?") for number in range(4)]
            return await asyncio.gather(*(client.ask(Request(messages=(text,))) for text in texts))

    began = time.perf_counter()
    replies = asyncio.run(several())
    assert sum(reply.latency_ms for reply in replies) <= 1000 * (time.perf_counter() - began)
    alone = [ask(smollm(max_tokens=4), f"Number {number}?").text for number in range(4)]
    assert [reply.text for reply in replies] == alone


def test_who_is_not_waited_for_stops_in_the_middle_of_the_prompt() -> None:
    slow = smollm(timeout=0.1, retries=0, context=8192)
    with pytest.raises((TransientDocumentError, Unavailable), match="no answer within"):
        ask(slow, "number " * 6_000)  # a minute's reading
    began = time.perf_counter()
    ask(smollm(max_tokens=1), "Yes?")  # the same worker is free
    assert time.perf_counter() - began < 30


def test_a_prompt_is_measured_by_the_models_own_tokens() -> None:
    with pytest.raises(DocumentError, match=r"holds 512 with the reply; raise `context`: .* 8,192"):
        ask(smollm(), "number " * 2_000)
    assert smollm().free


def test_a_file_that_is_damaged_says_so(tmp_path: Path) -> None:
    whole, damaged = getattr(smollm(), "path"), tmp_path / "damaged.gguf"  # noqa: B009
    with open(whole, "rb") as file:  # noqa: PTH123 - of an option
        damaged.write_bytes(file.read(1 << 20))
    with pytest.raises(Unavailable, match=r"llama\.cpp cannot load"):
        ask(smollm(path=str(damaged)))
    moved = Path(shutil.copy(whole, tmp_path / "moved.gguf"))
    assert smollm(path=str(moved)).fingerprint() == smollm().fingerprint()
