"""A model folder in the process: what it answers, and how it is remembered."""

import asyncio
import shutil
import time
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.calls.client import LlmClient
from llmops.tasks.errors import DocumentError, TransientDocumentError, Unavailable
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import Llm, Message, Reply, Request
from tests.llm_asked import complete
from tests.tiny_model import tiny_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("transformers") is None or find_spec("torch") is None,
        reason="the extra transformers is not installed",
    ),
    pytest.mark.filterwarnings("ignore"),  # of torch and transformers
]
QUESTION = (Message(role="system", content="Be short."), Message(role="user", content="Who?"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("models") / "base")


def model(folder: Path, **options: Any) -> Llm:
    given = {"model": str(folder), "max_tokens": 12, **options}
    return Spec(name="transformers", options=given).build(Llm)


def ask(llm: Llm, **more: Any) -> Reply:
    async def once() -> Reply:
        async with LlmClient(llm) as client:
            return await client.ask(Request(messages=QUESTION, **more))

    return asyncio.run(once())


def test_it_answers_the_same_every_time_and_counts_tokens(base: Path) -> None:
    first, again = ask(model(base)), ask(model(base))
    assert first.text == again.text != ""
    assert (first.tokens_in, first.tokens_out, first.finish) == (28, 12, "length")
    assert model(base).free
    assert model(base).title == f"{base.parent.name}/base"


def test_parameters_of_a_request_go_first(base: Path) -> None:
    whole = ask(model(base)).text
    assert ask(model(base), parameters={"max_tokens": 3}).tokens_out == 3
    cut = ask(model(base), parameters={"stop": whole[3]})
    assert (cut.text, cut.finish) == (whole.partition(whole[3])[0], "stop")
    drawn = [ask(model(base, temperature=1.5, seed=seed)).text for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    with pytest.raises(DocumentError, match="does not know: logit_bias"):
        ask(model(base), parameters={"logit_bias": {}})
    with pytest.raises(DocumentError, match="refuses the request"):
        ask(model(base, temperature=1), parameters={"repetition_penalty": -1.0})
    with pytest.raises(DocumentError, match="stop: got 7"):
        ask(model(base), parameters={"stop": 7})


def test_text_comes_in_pieces_and_the_reply_last(base: Path) -> None:
    async def pieces(most: int, **parameters: Any) -> list[str | Reply]:
        found: list[str | Reply] = []
        request = Request(messages=QUESTION, parameters=parameters)
        async with LlmClient(model(base)) as client, aclosing(client.stream(request)) as stream:
            async for piece in stream:
                found.append(piece)
                if len(found) == most:
                    break
        return found

    *text, reply = asyncio.run(pieces(99))
    assert isinstance(reply, Reply)
    assert reply.text == "".join(map(str, text)) == ask(model(base)).text
    assert len(asyncio.run(pieces(1))) == 1  # a reader may leave
    *cut, reply = asyncio.run(pieces(99, stop=reply.text[3]))
    assert isinstance(reply, Reply)
    assert reply.text == "".join(map(str, cut))
    assert ask(model(base)).tokens_out == 12


def test_it_answers_one_at_a_time_and_waiting_is_no_time_of_its_own(base: Path) -> None:
    async def several() -> list[Reply]:
        async with LlmClient(model(base)) as client:
            texts = [Message(role="user", content=f"Number {number}?") for number in range(6)]
            requests = [Request(messages=(text,)) for text in texts]
            return await asyncio.gather(*map(client.ask, requests))

    began = time.perf_counter()
    replies = asyncio.run(several())
    assert sum(reply.latency_ms for reply in replies) <= 1000 * (time.perf_counter() - began)


def test_who_is_not_waited_for_stops(base: Path) -> None:
    slow = model(base, timeout=0.2, max_tokens=400, retries=0)
    with pytest.raises((TransientDocumentError, Unavailable), match="no answer within"):
        ask(slow, parameters={"max_tokens": 100_000, "min_new_tokens": 400})
    assert ask(model(base)).tokens_out == 12


def test_what_cannot_be_answered_says_why(base: Path, tmp_path: Path) -> None:
    long = Message(role="user", content="number " * 2_000)
    with pytest.raises(DocumentError, match="and the model takes 512"):
        complete(model(base), [long])
    with pytest.raises(Unavailable, match="cannot be loaded"):
        ask(model(tmp_path / "absent"))
    with pytest.raises(Unavailable, match="has no chat template"):
        ask(model(tiny_model(tmp_path / "bare", None)))
    with pytest.raises(DocumentError, match="calls no tools"):
        ask(model(base), tools=({"type": "function", "function": {"name": "f"}},))


def test_replies_are_remembered_by_what_the_folder_holds(base: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(base, moved)
    assert model(moved).fingerprint() == model(base).fingerprint()
    assert model(base, timeout=3, threads=1).fingerprint() == model(base).fingerprint()
    assert model(base, max_tokens=13).fingerprint() != model(base).fingerprint()
    weights = bytearray((moved / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (moved / "model.safetensors").write_bytes(weights)
    assert model(moved).fingerprint() != model(base).fingerprint()
