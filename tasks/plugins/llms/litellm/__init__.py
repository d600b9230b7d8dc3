"""Any model that LiteLLM knows, by names such as anthropic/claude-sonnet-4-5: Anthropic, Gemini,
Bedrock, Vertex, Mistral and others.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar

from llmops.tasks.endpoints.endpoint import Address
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.llms import Connection
from llmops.tasks.plugins.llms._chat import Chat


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

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        return self._connected()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        from llmops.tasks.plugins.llms.litellm.connection import opened

        given = {"api_base": self.base_url, "api_key": self.key, "timeout": self.timeout}
        async with opened(
            self.body, {name: value for name, value in given.items() if value is not None}
        ) as connection:
            yield connection
