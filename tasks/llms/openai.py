"""Any endpoint that speaks OpenAI's chat completions: OpenAI, Azure's v1 API, vLLM, Ollama, llama.cpp, LiteLLM and others."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field, SecretStr

from tasks.errors import Unavailable
from tasks.llms import Llm, Message, Reply
from tasks.llms._endpoint import Address, Endpoint
from tasks.plugins import digest


class OpenAi(Llm):
    """`json_mode`: ask for JSON by `response_format` where it is wanted; switch it off for servers that do not know it.

    Replies are remembered by model, temperature and length, whichever `base_url` gave them.
    """

    model: str = Field(min_length=1)
    base_url: Address = "https://api.openai.com/v1"
    api_key: SecretStr | None = None
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    json_mode: bool = True
    timeout: float = Field(default=120, gt=0)
    retries: int = Field(default=5, ge=0, le=20)

    def fingerprint(self) -> str:
        """Model and parameters; not the place, the key or the price."""
        return digest(type(self).__qualname__, self.model, str(self.temperature), str(self.max_tokens), str(self.json_mode))

    def complete(self, messages: Sequence[Message], *, structured: bool = False) -> Reply:
        """As the base class says. An empty reply is a reply."""
        body: dict[str, Any] = {"model": self.model, "messages": [message.model_dump() for message in messages]}
        body |= {"temperature": self.temperature} if self.temperature is not None else {}
        body |= {"max_tokens": self.max_tokens} if self.max_tokens is not None else {}
        body |= {"response_format": {"type": "json_object"}} if structured and self.json_mode else {}
        answer = self._endpoint().post("chat/completions", body)
        return self._reply(answer)

    def _endpoint(self) -> Endpoint:
        return Endpoint(base_url=self.base_url, api_key=self.api_key, timeout=self.timeout, retries=self.retries)

    def _reply(self, answer: dict[str, Any]) -> Reply:
        try:
            text = answer["choices"][0]["message"]["content"] or ""
        except (KeyError, IndexError, TypeError) as error:
            raise Unavailable(f"{self.base_url} gave an answer without choices[0].message.content: {str(answer)[:200]}",
                              hint="base_url must lead to an OpenAI-compatible API") from error
        usage = answer.get("usage") or {}
        return Reply(text=text, tokens_in=usage.get("prompt_tokens") or 0, tokens_out=usage.get("completion_tokens") or 0)
