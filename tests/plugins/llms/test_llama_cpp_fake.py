"""What is done around llama.cpp: contexts, prompts that begin alike, ends, errors. No model."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks import stopping
from llmops.tasks.errors import DocumentError, Unavailable
from llmops.tasks.plugins import lacking
from llmops.tasks.plugins.llms import Message, Reply, Request
from llmops.tasks.plugins.llms._local import Halt
from llmops.tasks.plugins.llms.llama_cpp import LlamaCppLlm
from tests.llama_fake import END, FakeLlama, installed


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> type[FakeLlama]:
    return installed(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF and more")
    return path


@pytest.fixture(autouse=True)
def _not_interrupted() -> Iterator[None]:
    yield
    stopping.forget()


def request(text: str, **more: Any) -> Request:
    return Request(messages=(Message(role="user", content=text),), **more)


def ask(llm: LlamaCppLlm, text: str = "hello", **more: Any) -> Reply:
    asked = request(text, **more)
    return llm.load().answer(asked, llm.sampling(asked), Halt(), lambda text: None)


def behind(llm: LlamaCppLlm) -> FakeLlama:
    llama = getattr(llm.load(), "_llama")  # noqa: B009 - typed as any loaded model
    assert isinstance(llama, FakeLlama)
    return llama


def test_a_reply_counts_its_tokens(library: type[FakeLlama], file: Path) -> None:
    assert ask(LlamaCppLlm(path=str(file))) == Reply(text="yes", tokens_in=6, tokens_out=4)
    short = ask(LlamaCppLlm(path=str(file), max_tokens=2))
    assert (short.text, short.tokens_out, short.finish) == ("ye", 2, "length")


def test_a_prompt_that_is_too_long_is_refused_before_it_is_read(
    library: type[FakeLlama], file: Path
) -> None:
    small = LlamaCppLlm(path=str(file), context=64)
    with pytest.raises(DocumentError) as refused:
        ask(small, "x" * 64)
    assert refused.value.reason == (
        "the prompt has 65 tokens, and the context holds 64 with the reply; raise `context`: "
        "the model was trained for 512"
    )
    assert behind(small).evaluated == []
    with pytest.raises(DocumentError, match="holds 512 with the reply; the model was trained for"):
        ask(LlamaCppLlm(path=str(file), context=4096), "x" * 600)
    library.made = [*b"y" * 100]
    assert ask(small, "x" * 60).tokens_out == 3  # what is left


def test_what_begins_alike_is_read_once_in_whole_pieces(
    library: type[FakeLlama], file: Path
) -> None:
    llm = LlamaCppLlm(path=str(file))
    ask(llm, "a" * 149)  # 150 tokens with the first one
    ask(llm, "a" * 140 + "b" * 30)
    ask(llm, "a" * 100 + "c")
    ask(llm, "a" * 63)  # exactly one piece: its last token has to be read for the reply
    assert behind(llm).evaluated == [
        *[(0, 64), (64, 64), (128, 22)],
        *[(128, 43)],
        *[(64, 38)],
        *[(0, 64)],
    ]
    assert behind(llm).options["n_batch"] == 64


def test_words_end_the_text_and_letters_come_whole(library: type[FakeLlama], file: Path) -> None:
    llm = LlamaCppLlm(path=str(file))
    library.made = [*"grün, rot".encode(), END]
    heard: list[str] = []
    asked = request("colours")
    reply = llm.load().answer(asked, llm.sampling(asked), Halt(), heard.append)
    assert reply.text == "".join(heard) == "grün, rot"
    assert "ü" in heard
    cut = ask(llm, parameters={"stop": ["rot", ","]})
    assert (cut.text, cut.finish, cut.tokens_out) == ("grün", "stop", 6)
    library.made = [*"grün".encode()[:3], END]
    assert ask(llm).text == "gr\ufffd"


def test_a_reply_that_is_not_wanted_any_more_ends(library: type[FakeLlama], file: Path) -> None:
    llm, halt = LlamaCppLlm(path=str(file)), Halt()
    halt.leave()
    asked = request("a" * 300)
    assert llm.load().answer(asked, llm.sampling(asked), halt, lambda text: None).tokens_out == 0
    assert behind(llm).evaluated == []
    library.made = [*b"y" * 100]
    gone = Halt()
    loaded = llm.load()
    reply = loaded.answer(asked, llm.sampling(asked), gone, lambda text: gone.leave())
    assert reply.tokens_out == 1


def test_an_interrupt_ends_a_reply_and_the_part_is_never_taken_for_the_whole(
    library: type[FakeLlama], file: Path
) -> None:
    llm = LlamaCppLlm(path=str(file))

    class Interrupting(library):  # type: ignore[valid-type, misc]
        def generate(self, tokens: Any, **options: Any) -> Iterator[int]:
            for number in range(100):
                if number == 3:
                    stopping.ask()
                yield ord("y")

    behind(llm).__class__ = Interrupting

    async def once() -> None:
        async with llm.connect() as connection:
            await connection.ask(request("hello"))

    with pytest.raises(stopping.Stopped):
        asyncio.run(once())


def test_what_cannot_be_asked_says_why(library: type[FakeLlama], file: Path) -> None:
    llm = LlamaCppLlm(path=str(file))
    with pytest.raises(DocumentError, match=r"does not know: logit_bias; allowed: top_p, .*stop"):
        ask(llm, parameters={"logit_bias": {}})
    with pytest.raises(DocumentError, match="refuses the parameters: top_p: a number is wanted"):
        ask(llm, parameters={"top_p": "high"})
    with pytest.raises(DocumentError, match="calls no tools"):
        ask(llm, tools=({"type": "function"},))
    alone = Request(messages=(Message(role="system", content="Be short."),))
    with pytest.raises(DocumentError, match="refuses the messages: a user has to speak last"):
        llm.load().answer(alone, llm.sampling(alone), Halt(), lambda text: None)
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    with pytest.raises(DocumentError, match=r"cannot follow the schema .* json_mode: object"):
        ask(llm, output=schema)  # this library can follow none
    assert ask(llm, output={"type": "object"}).text == "yes"
    free = LlamaCppLlm(path=str(file), json_mode="off")
    assert ask(free, output=schema).text == "yes"


def test_what_cannot_be_loaded_says_why(
    library: type[FakeLlama], file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match=r"cannot be read: No such file .*`path` names a \.gguf"):
        LlamaCppLlm(path=str(tmp_path / "absent.gguf")).load()
    other = tmp_path / "other.gguf"
    other.write_text("<html>")
    with pytest.raises(Unavailable, match="no GGUF file: it begins with b'<htm'"):
        LlamaCppLlm(path=str(other)).load()

    def fails(self: FakeLlama, path: str, **options: Any) -> None:
        raise ValueError("Failed to create llama_context")

    def bare(self: FakeLlama, path: str, **options: Any) -> None:
        self.metadata = {}

    for init, said in ((fails, "create llama_context.*smaller `context`"), (bare, "chat template")):
        monkeypatch.setattr(library, "__init__", init)
        with pytest.raises(Unavailable, match=said):
            LlamaCppLlm(path=str(file)).load()


def test_one_model_is_loaded_once_for_all_that_ask_it(library: type[FakeLlama], file: Path) -> None:
    llms = [LlamaCppLlm(path=str(file), max_tokens=most) for most in (5, 6)]
    assert llms[0].load() is llms[1].load()
    assert llms[0].load() is not LlamaCppLlm(path=str(file), context=128).load()
    assert behind(llms[0]).options["n_gpu_layers"] == -1


def test_replies_are_remembered_by_what_the_file_holds(file: Path, tmp_path: Path) -> None:
    def marked(path: Path, **options: Any) -> str:
        return LlamaCppLlm(path=str(path), **options).fingerprint()

    moved = tmp_path / "elsewhere.gguf"
    moved.write_bytes(file.read_bytes())
    assert marked(moved) == marked(file) == marked(file, threads=2, timeout=3, gpu_layers=0)
    changes: tuple[dict[str, Any], ...] = (
        *({"max_tokens": 9}, {"context": 128}, {"json_mode": "off"}),
        *({"seed": 8}, {"temperature": 0.5}, {"label": "mine"}),
    )
    assert len({marked(file), *(marked(file, **change) for change in changes)}) == 7
    moved.write_bytes(b"GGUF and other")
    assert marked(moved) != marked(file)
    assert LlamaCppLlm(path=str(file)).title == "model"
    assert LlamaCppLlm(path=str(file), label="mine").title == "mine"


def test_a_missing_library_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    assert lacking(LlamaCppLlm) == ["pip install 'llmops-pipelines[local]'"]
