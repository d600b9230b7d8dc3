"""A language model of a local folder, in the process: no service, no network."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins._model_folder import contents_of
from llmops.tasks.plugins.llms import Connection, Llm, Reply, Request
from llmops.tasks.plugins.llms.transformers.sampling import Sampling

if TYPE_CHECKING:
    from llmops.tasks.plugins.llms.transformers.running import LocalModel

INSTALL = "pip install 'llmops-pipelines[transformers]'"
WORKER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="local-model")
"""Of all local models of the process: two at once are slower than one after the other."""


class TransformersLlm(Llm):
    """`model`: a folder as transformers saves it, with a chat template, or a name that is in the
    cache of the model hub; nothing is fetched. `adapter`: a folder of LoRA weights on top of it.
    Greedy: `temperature` above 0 draws, by `seed`. `max_tokens`: of a reply; `parameters`: more of
    what transformers calls a generation config, such as repetition_penalty. `threads`: of torch on
    the CPU.

    Requests are answered one at a time, all local models of a process in one row; `timeout` counts
    from one's turn on. A schema for the output is not enforced: say in the prompt what is wanted.
    Replies are remembered by what the folder holds, wherever it lies. A call costs nothing.
    """

    requires: ClassVar[Mapping[str, str]] = {"transformers": INSTALL, "torch": INSTALL}
    model: str = Field(min_length=1)
    adapter: str | None = Field(default=None, min_length=1)
    label: str | None = Field(default=None, min_length=1)
    """Keeps replies of one model apart from those of another under the same name."""
    max_tokens: int = Field(default=512, ge=1)
    temperature: float = Field(default=0.0, ge=0, le=2)
    seed: int = Field(default=7, ge=0)
    threads: int | None = Field(default=None, ge=1)
    parameters: dict[str, Any] = Field(default_factory=dict)

    def fingerprint(self) -> str:
        """The folder's contents, and what a reply depends on beside."""
        said = self.model_dump(mode="json", include={"max_tokens", "temperature", "parameters"})
        drawn = [str(self.seed)] if self.temperature else []
        return digest(
            f"{self.spelling()}/{self.revision}",
            contents_of(Path(self.model)),
            contents_of(Path(self.adapter)) if self.adapter else "",
            self.label or "",
            canonical(said),
            *drawn,
        )

    @property
    def title(self) -> str:
        """The label, else the end of the path: a training's folder and the model's in it."""
        return self.label or "/".join(Path(self.adapter or self.model).parts[-2:])

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
        from llmops.tasks.plugins.llms.transformers.running import opened

        loop = asyncio.get_running_loop()
        loaded = await loop.run_in_executor(
            WORKER, opened, self.model, self.adapter, self.threads, self.fingerprint()
        )
        yield TransformersConnection(loaded, self.sampling)

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


class TransformersConnection(Connection):
    """To a model that is loaded."""

    def __init__(self, loaded: "LocalModel", sampling: Callable[[Request], Sampling]) -> None:
        self._loaded, self._sampling = loaded, sampling

    async def ask(self, request: Request) -> Reply:
        stop = threading.Event()
        return await self._answered(request, stop, _unheard)

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """Word by word; in one piece where a word may end the text, which is cut off at the end."""
        if self._sampling(request).more.get("stop"):
            reply = await self.ask(request)
            yield reply.text
            yield reply
            return
        loop, pieces, stop = asyncio.get_running_loop(), asyncio.Queue[str](), threading.Event()

        def heard(text: str) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, text)

        answer = asyncio.create_task(self._answered(request, stop, heard))
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
            stop.set()
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)

    async def _answered(
        self, request: Request, stop: threading.Event, heard: Callable[[str], None]
    ) -> Reply:
        loop = asyncio.get_running_loop()
        sampling = self._sampling(request)
        try:
            return await loop.run_in_executor(
                WORKER, self._loaded.answer, request, sampling, stop, heard
            )
        finally:
            stop.set()  # who is no longer waited for stops at its next token


def _unheard(text: str) -> None:
    """Where the text is wanted whole."""
