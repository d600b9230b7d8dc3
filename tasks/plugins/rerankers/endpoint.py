"""Any service with the /rerank form that Cohere, Jina, Voyage, vLLM, LiteLLM and Text Embeddings
Inference share.
"""

import json
from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict, Field, SecretStr

from llmops.tasks.endpoints.address import Address
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.llms import Llm, Message, Request
from llmops.tasks.plugins.rerankers import AskingReranker
from llmops.tasks.plugins.rerankers._serving import RerankingLlm


class EndpointReranker(AskingReranker):
    """`base_url` is what stands before /rerank. `documents`: what the service calls them; Text
    Embeddings Inference says `texts` and wants `batch: 32`. `parameters`: more of the body, such as
    `max_tokens_per_doc`.

    `price_per_million` tokens, or `price_per_search` where requests are paid, in US dollars;
    without either it counts as free, and `llmops cost` says that nobody knows. Further options are
    those of the model `openai`.
    """

    model_config = ConfigDict(hide_input_in_errors=True)
    base_url: Address
    model: str = ""
    """Its name at the service; empty where the service has one model."""
    api_key: SecretStr | None = None
    """Sent as the bearer token."""
    documents: Literal["documents", "texts"] = "documents"
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    price_per_million: float | None = Field(default=None, ge=0)
    price_per_search: float | None = Field(default=None, ge=0)
    requests_per_minute: int | None = Field(default=None, ge=1)
    """As many requests start in a minute at most."""
    timeout: float = Field(default=30, gt=0)
    """Seconds of one attempt."""
    retries: int = Field(default=5, ge=0, le=20)
    """Further attempts."""
    patience: float = Field(default=600, gt=0)
    """Seconds that one request may take after its first trouble."""

    def fingerprint(self) -> str:
        return digest(f"{self.spelling()}/{self.revision}", self.service().fingerprint())

    def service(self) -> Llm:
        price = self.price_per_search
        return RerankingLlm(
            model=self.model,
            base_url=self.base_url,
            api_key=self.api_key,
            documents=self.documents,
            parameters=self.parameters,
            price_in=self.price_per_million if price is None else self.price_per_million or 0.0,
            price_out=None if price is None else price * 1e6,
            requests_per_minute=self.requests_per_minute,
            timeout=self.timeout,
            retries=self.retries,
            patience=self.patience,
        )

    def request(self, question: str, texts: Sequence[str]) -> Request:
        asked = {"query": question, "documents": [text or " " for text in texts]}
        content = json.dumps(asked, ensure_ascii=False)
        return Request(messages=(Message(role="user", content=content),))

    def read(self, reply: str, count: int) -> list[float]:
        scores: list[float] = json.loads(reply)
        if len(scores) != count:
            raise ValueError(f"{count} scores are wanted")
        return scores
