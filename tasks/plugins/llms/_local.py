"""What models that run in this process have in common: their options, their turn, and how they
stop.
"""

import asyncio
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple, Protocol

from pydantic import Field

from llmops.tasks import stopping
from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins.llms import Connection, Llm, Message, Reply, Request
from llmops.tasks.plugins.llms._chat import ResponseFormat

WORKER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="local-model")
"""Of all local models of the process: two at once are slower than one after the other."""
KEPT = 2
"""Models of a library that stay in memory: two arms of an evaluation."""
Heard = Callable[[str], None]
"""Is given the text as it comes."""


class Sampling(NamedTuple):
    """How a reply is made. `more`: what the library calls its other parameters, and `stop`; `form`:
    the JSON that it has to be, where the model can be held to it.
    """

    max_tokens: int
    temperature: float
    seed: int
    more: Mapping[str, object]
    form: ResponseFormat | None = None

    @property
    def stops(self) -> list[str]:
        """The words that end the text. Raises DocumentError for what are no words."""
        given = self.more.get("stop") or ()
        words = [given] if isinstance(given, str) else given
        if isinstance(words, list | tuple) and all(isinstance(each, str) for each in words):
            return [str(each) for each in words if each]
        raise DocumentError(f"stop: got {given!r}; allowed: a text or a list of texts")


class Halt:
    """Whether a reply is no longer wanted: nobody waits for it, or the command was interrupted."""

    def __init__(self) -> None:
        self._left = threading.Event()

    def leave(self) -> None:
        """Whoever waited has gone."""
        self._left.set()

    def __call__(self) -> bool:
        return self._left.is_set() or stopping.asked()


class LoadedLlm(Protocol):
    """A model in memory."""

    def answer(self, request: Request, sampling: Sampling, halt: Halt, heard: Heard) -> Reply:
        """Ends early, with any reply, where `halt` says so; looks at it before each token. Raises
        DocumentError for a request that it cannot answer.
        """


class LocalLlm(Llm, ABC):
    """See the plugins."""

    label: str | None = Field(default=None, min_length=1)
    """Keeps replies of one model apart from those of another under the same name."""
    max_tokens: int = Field(default=512, ge=1)
    temperature: float = Field(default=0.0, ge=0, le=2)
    seed: int = Field(default=7, ge=0)
    threads: int | None = Field(default=None, ge=1)
    parameters: dict[str, Any] = Field(default_factory=dict)

    @abstractmethod
    def contents(self) -> tuple[str, ...]:
        """What tells the model's files from others, wherever they lie, and further options that a
        reply depends on.
        """

    @abstractmethod
    def load(self) -> LoadedLlm:
        """The model, loaded once for each content of its files. In the worker's thread. Raises
        Unavailable where it cannot be.
        """

    def fingerprint(self) -> str:
        """The files' contents, and what a reply depends on beside."""
        said = self.model_dump(mode="json", include={"max_tokens", "temperature", "parameters"})
        usual = type(self).model_fields["seed"].default
        drawn = [str(self.seed)] if self.temperature or self.seed != usual else []
        return digest(
            f"{self.spelling()}/{self.revision}",
            *self.contents(),
            self.label or "",
            canonical(said),
            *drawn,
        )

    @property
    def free(self) -> bool:
        return True

    @property
    def one_at_a_time(self) -> bool:
        return True

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        return self._connected()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        loaded = await asyncio.get_running_loop().run_in_executor(WORKER, self.load)
        yield LocalConnection(loaded, self.sampling)

    def sampling(self, request: Request) -> Sampling:
        """What is asked for; parameters of the request go before the options."""
        own: dict[str, Any] = {
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "seed": self.seed,
            **self.parameters,
        }
        own |= {name: value for name, value in request.parameters.items() if value is not None}
        most, heat, seed = (own.pop(name) for name in ("max_tokens", "temperature", "seed"))
        return Sampling(int(most), float(heat), int(seed), own)


class LocalConnection(Connection):
    """To a model that is loaded."""

    def __init__(self, loaded: LoadedLlm, sampling: Callable[[Request], Sampling]) -> None:
        self._loaded, self._sampling = loaded, sampling

    async def ask(self, request: Request) -> Reply:
        return await self._answered(request, Halt(), _unheard)

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Word by word; in one piece where a word may end the text, which is cut off at the end."""
        if self._sampling(request).stops:
            reply = await self.ask(request)
            yield reply.text
            yield reply
            return
        loop, pieces, halt = asyncio.get_running_loop(), asyncio.Queue[str](), Halt()

        def heard(text: str) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, text)

        answer = asyncio.create_task(self._answered(request, halt, heard))
        try:
            while not answer.done() or not pieces.empty():
                piece = asyncio.create_task(pieces.get())
                await asyncio.wait({piece, answer}, return_when=asyncio.FIRST_COMPLETED)
                if piece.done():
                    yield piece.result()
                else:
                    piece.cancel()
            yield await answer
        finally:
            halt.leave()
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)

    async def _answered(self, request: Request, halt: Halt, heard: Heard) -> Reply:
        sampling = self._sampling(request)

        def answer() -> Reply:
            stopping.check()
            reply = self._loaded.answer(request, sampling, halt, heard)
            stopping.check()  # it may be a part: nothing was paid for it, so it is not waited for
            return reply

        try:
            return await asyncio.get_running_loop().run_in_executor(WORKER, answer)
        finally:
            halt.leave()  # who is no longer waited for stops at its next token


def plain(message: Message) -> dict[str, object]:
    """As chat templates take it: arguments of calls as objects."""
    plainly: dict[str, object] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        plainly["tool_calls"] = [
            {"type": "function", "function": {"name": e.name, "arguments": json.loads(e.arguments)}}
            for e in message.tool_calls
        ]
    return plainly


def cut_at(text: str, stops: list[str]) -> str | None:
    """The text before the first of the words that end it; None where there is none."""
    places = [text.index(word) for word in stops if word in text]
    return text[: min(places)] if places else None


def _unheard(text: str) -> None:
    """Where the text is wanted whole."""
