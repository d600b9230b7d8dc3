"""Any endpoint that speaks OpenAI's chat completions: OpenAI, Azure's v1 API, vLLM, Ollama,
llama.cpp, LiteLLM and others.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from llmops.tasks.endpoints.address import Address
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.llms import Connection
from llmops.tasks.plugins.llms._chat import Chat


class OpenAILlm(Chat):
    """`json_mode`: how a reply that has to follow a schema is asked for: `schema` sends the schema
    (a schema that only asks for an object asks for any JSON object), `object_schema` sends it
    beside `json_object`, as llama-cpp-python's server wants it, `object` asks for any JSON object,
    `off` leaves it to the messages.

    `stream` reads replies as they are made; one that breaks off is never taken for a whole.
    `parameters`: more of the body, such as top_p or seed. `max_tokens_name`: newer models of OpenAI
    want max_completion_tokens. Options that a server does not know can be left out: `temperature:
    null`. Parameters of a request go before all of these.

    Replies are remembered by model and parameters, whichever `base_url` gave them; a `label` keeps
    those of another service under the same name apart. An empty reply is a reply; one that a filter
    withheld or the model refused is a DocumentError.
    """

    base_url: Address = "https://api.openai.com/v1"
    stream: bool = False

    @property
    def quota(self) -> str:
        """Address, key and model."""
        return digest("openai", self.base_url.rstrip("/"), self.key or "", self.model)

    @property
    def address(self) -> str:
        return self.base_url

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        return self._connected()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        from llmops.tasks.endpoints.http import opened
        from llmops.tasks.endpoints.trouble import hidden
        from llmops.tasks.plugins.llms._completions import OpenAIConnection

        async with opened(f"{self.base_url.rstrip('/')}/chat/completions", self.key) as http:
            yield OpenAIConnection(
                http, hidden(self.base_url, self.key), self.body, streaming=self.stream
            )
