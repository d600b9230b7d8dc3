"""The /rerank form over HTTP: one question, some documents, a score for each of them.

Cohere, Jina, vLLM, LiteLLM, Voyage and others take `query` and `documents`; Text Embeddings
Inference calls the latter `texts` and answers with a bare list.
"""

import json
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar

from pydantic import ConfigDict, Field, SecretStr

from llmops.tasks.endpoints.address import Address
from llmops.tasks.endpoints.http import Http
from llmops.tasks.endpoints.trouble import Bill, Garbled, JsonObject
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins.llms import Connection, Llm, Reply, Request

NO_RERANKER = "base_url must lead to a service with /rerank; it usually ends with /v1 or /v2"


class RerankingLlm(Llm):
    """A service that scores, asked as models are: the one message of a request is a JSON object of
    `query` and `documents`, and a reply is the JSON list of their scores. Its tokens are those that
    the service counts; a request counts as one token out, which is what `price_out` is of.
    """

    model_config = ConfigDict(hide_input_in_errors=True)
    model: str = ""
    base_url: Address
    api_key: SecretStr | None = None
    documents: str = "documents"
    parameters: dict[str, str | int | float | bool] = Field(default_factory=dict)
    max_tokens: ClassVar[int] = 1

    def fingerprint(self) -> str:
        """Model, place and parameters; not the key, the price or the limits."""
        parts = (self.model, self.base_url.rstrip("/"), canonical(self.parameters))
        return digest("rerankers.endpoint", str(self.revision), *parts)

    @property
    def quota(self) -> str:
        return digest("rerank", self.base_url.rstrip("/"), self.key or "", self.model)

    @property
    def title(self) -> str:
        return self.model or "rerank"

    @property
    def key(self) -> str | None:
        return self.api_key.get_secret_value() if self.api_key else None

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        return self._connected()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        from llmops.tasks.endpoints.http import opened

        url = f"{self.base_url.rstrip('/')}/rerank"
        async with opened(url, self.key, lists=True) as http:
            yield _RerankConnection(http, self)


class _RerankConnection(Connection):
    def __init__(self, http: Http, llm: RerankingLlm) -> None:
        self._http, self._llm = http, llm

    async def ask(self, request: Request) -> Reply:
        asked = json.loads(request.messages[0].content)
        body = {"query": asked["query"], self._llm.documents: asked["documents"]}
        body |= {"model": self._llm.model} if self._llm.model else {}
        answer = await self._http.post(body | self._llm.parameters, request.repeat)
        tokens = _tokens(answer)
        try:
            scores = _scores(answer, len(asked["documents"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            said = self._http.hidden(str(answer))[:200]
            raise Garbled(
                f"{self._llm.base_url} gave an answer without a score for each document: {said}",
                NO_RERANKER,
                Bill((tokens, 1)),
            ) from error
        return Reply(text=json.dumps(scores), tokens_in=tokens, tokens_out=1)


def _scores(answer: JsonObject, count: int) -> list[float]:
    """In the order of the documents. Raises KeyError, TypeError, ValueError or OverflowError for
    any other answer.
    """
    rows = answer["results"] if "results" in answer else answer["data"]
    scores = {
        int(row["index"]): float(row["relevance_score" if "relevance_score" in row else "score"])
        for row in rows
    }
    if sorted(scores) != [*range(count)] or not all(map(math.isfinite, scores.values())):
        raise ValueError("a finite score for each document is wanted")
    return [scores[place] for place in range(count)]


def _tokens(answer: JsonObject) -> int:
    """As Jina, Voyage and vLLM say them, or Cohere; 0 where nobody does."""
    usage = answer.get("usage")
    meta = answer.get("meta")
    cohere = meta.get("tokens") if isinstance(meta, Mapping) else None
    for part, name in ((usage, "total_tokens"), (cohere, "input_tokens")):
        value = part.get(name) if isinstance(part, Mapping) else None
        if isinstance(value, int | float) and value > 0:
            return int(value)
    return 0
