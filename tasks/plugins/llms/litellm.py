"""Any model that LiteLLM knows, by names such as anthropic/claude-sonnet-4-5: Anthropic, Gemini,
Bedrock, Vertex, Mistral and others.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, ClassVar

from llmops.tasks.endpoints.address import Address
from llmops.tasks.endpoints.trouble import Busy, Lost, hidden, trouble
from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins.llms import Connection, Reply, Request
from llmops.tasks.plugins.llms._chat import Chat

QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_MODE": "PRODUCTION",
}
"""Its own copies of tables instead of those on the network; and no .env of a folder that happens to
be the current one.
"""
NEVER = ("UnsupportedParamsError", "LiteLLMUnknownProvider")
OURS = {"num_retries": 0, "max_retries": 0}


class LiteLLMLlm(Chat):
    """`model` with its provider before it. Keys come from `api_key`, else from the environment as
    LiteLLM reads them (ANTHROPIC_API_KEY, GEMINI_API_KEY and others). `base_url`: another address
    than the provider's. The other options are those of `openai`; `parameters` may hold LiteLLM's
    own, such as drop_params. Streams come in one piece, since LiteLLM does not tell a stream that
    was cut from one that ended. LiteLLM's retries are off, it fetches nothing when it is loaded,
    and it prints nothing.
    """

    requires: ClassVar[Mapping[str, str]] = {"litellm": "pip install 'llmops-pipelines[litellm]'"}
    base_url: Address | None = None

    @property
    def quota(self) -> str:
        """Address, key and model."""
        return digest("litellm", self.base_url or "", self.key or "", self.model)

    @property
    def provider(self) -> str:
        return self.model.partition("/")[0] if "/" in self.model else ""

    @property
    def address(self) -> str:
        return self.base_url or ""

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        return self._connected()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        given = {"api_base": self.base_url, "api_key": self.key, "timeout": self.timeout}
        async with opened(
            self.body, {name: value for name, value in given.items() if value is not None}
        ) as connection:
            yield connection


class LiteLLMConnection(Connection):
    """`given`: address, key and time-out."""

    def __init__(
        self,
        library: ModuleType,
        body: Callable[[Request], dict[str, Any]],
        given: Mapping[str, Any],
    ) -> None:
        self._library, self._body, self._given = library, body, given

    async def ask(self, request: Request) -> Reply:
        from llmops.tasks.plugins.llms._completions import read_reply

        body = self._body(request)
        try:
            answer = await self._library.acompletion(
                **body, **self._given, **OURS, **_without_mcp(body)
            )
        except Exception as error:  # noqa: BLE001 - it raises those of every provider's library, and plain ones where it did not foresee
            raise self._translated(error, body["model"]) from None  # its own text may hold the key
        return read_reply(answer.model_dump(), body["model"], self._hidden)

    def _translated(self, error: Exception, model: str) -> Exception:
        name, said = type(error).__name__, self._hidden(" ".join(str(error).split()))[:300]
        if name in NEVER or "LLM Provider NOT provided" in said:
            return Unavailable(
                said,
                hint="check model, as in anthropic/claude-sonnet-4-5; parameters: {drop_params: "
                "true} leaves out what "
                "a model does not know",
            )
        if "No module named" in said:
            return Unavailable(
                said, hint="a library that LiteLLM needs for this model is missing: install it"
            )
        if name == "APIConnectionError" or said.endswith("Connection error."):
            return Lost(f"{model} cannot be reached: {said}")
        status = getattr(error, "status_code", None)
        if name == "Timeout" or not isinstance(status, int):
            return Busy(f"{model}: {said}")
        response = getattr(error, "response", None)
        headers = (
            getattr(error, "litellm_response_headers", None)
            or getattr(response, "headers", None)
            or {}
        )
        return trouble(
            model, status, said, headers, canonical({"error": getattr(error, "body", None)})
        )

    def _hidden(self, text: str) -> str:
        for key in (
            self._given.get("api_key"),
            *(value for name, value in os.environ.items() if name.endswith("API_KEY")),
        ):
            text = hidden(text, key)
        return text


def _without_mcp(body: Mapping[str, object]) -> dict[str, bool]:
    """LiteLLM looks for servers of the Model Context Protocol among the functions, with a library
    that it does not require.
    """
    return {"_skip_mcp_handler": True} if "tools" in body and find_spec("mcp") is None else {}


@asynccontextmanager
async def opened(
    body: Callable[[Request], dict[str, Any]], given: Mapping[str, Any]
) -> AsyncIterator[Connection]:
    """LiteLLM keeps its connections itself, one set for each event loop; they are closed here,
    before the loop ends.
    """
    library = await asyncio.to_thread(_library)
    try:
        yield LiteLLMConnection(library, body, given)
    finally:
        await library.close_litellm_async_clients()


def _library() -> ModuleType:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    library = import_module("litellm")
    library.telemetry, library.suppress_debug_info = False, True  # type: ignore[attr-defined]
    return library
