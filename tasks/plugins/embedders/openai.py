"""Any endpoint that speaks OpenAI's embeddings: OpenAI, Azure's v1 API, vLLM, Ollama, llama.cpp,
TEI, LiteLLM and others.
"""

import base64
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SecretStr, field_validator, model_validator

from llmops.tasks.endpoints.address import Address
from llmops.tasks.endpoints.patience import HINT, patiently
from llmops.tasks.endpoints.quota import Quota, quota_of
from llmops.tasks.endpoints.trouble import NO_API, Garbled, JsonObject
from llmops.tasks.errors import TransientDocumentError, Unavailable
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins.embedders import Embedder, normalised
from llmops.tasks.plugins.embedders._counting import TIKTOKEN, Counter, counter
from llmops.tasks.schemas import Vectors

if TYPE_CHECKING:
    from llmops.tasks.endpoints.http import Http

KNOWN = {
    "text-embedding-3-small": (1536, 0.02),
    "text-embedding-3-large": (3072, 0.13),
    "text-embedding-ada-002": (1536, 0.10),
}
LONGEST = 8191
OWN = frozenset({"model", "input", "encoding_format", "dimensions"})


class OpenAIEmbedder(Embedder):
    """`dimensions` may be left out for OpenAI's own models; given for them, vectors are shortened
    by the service.

    `tokenizer` counts: cl100k_base (the default for OpenAI's models), o200k_base, the path of a
    `tokenizer.json`, or `cautious` (the default for others), which never counts too few. `context`
    is the longest text in these tokens.

    Models with two sides: `passage_prefix` and `query_prefix` stand before each text, and
    `passage_body` and `query_body` are further fields of the request, such as
    `{input_type: query}`.
    """

    model: str = Field(min_length=1)
    """Its name at the service."""
    dimensions: int | None = Field(default=None, ge=1, le=65_536)
    base_url: Address = "https://api.openai.com/v1"
    """Where the API is, up to and with its version."""
    api_key: SecretStr | None = None
    """Sent as the bearer token."""
    context: int = Field(default=LONGEST, ge=8)
    tokenizer: str = ""
    batch: int = Field(default=64, ge=1, le=2048)
    """Texts in a request."""
    encoding: Literal["float", "base64"] = "base64"
    """How vectors come; base64 is the shorter way."""
    price_per_million: float | None = Field(default=None, ge=0)
    """US dollars per million tokens; none: the service's list price, where it is known."""
    passage_prefix: str = ""
    query_prefix: str = ""
    passage_body: dict[str, str | int | float | bool] = Field(default_factory=dict)
    query_body: dict[str, str | int | float | bool] = Field(default_factory=dict)
    requests_per_minute: int | None = Field(default=None, ge=1)
    """As many requests start in a minute at most."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """As many tokens are sent in a minute at most."""
    timeout: float = Field(default=60, gt=0)
    """Seconds of one attempt."""
    retries: int = Field(default=5, ge=0, le=20)
    """Further attempts."""
    patience: float = Field(default=600, gt=0)
    """Seconds that one request may take after its first trouble."""

    @model_validator(mode="after")
    def _dimension_is_known(self) -> Self:
        if self.dimensions is None and self.model not in KNOWN:
            raise ValueError(
                f"the option dimensions is missing: how long a vector of {self.model} is; "
                f"it may be left out for {', '.join(KNOWN)}"
            )
        return self

    @field_validator("passage_body", "query_body")
    @classmethod
    def _adds_only(cls, value: dict[str, str | int | float | bool]) -> object:
        if own := sorted(OWN & value.keys()):
            raise ValueError(f"{', '.join(own)} of the request is said by the other options")
        return value

    @property
    def dimension(self) -> int:
        return self.dimensions or KNOWN[self.model][0]

    @property
    def max_tokens(self) -> int:
        return self.context

    @property
    def price(self) -> float:
        return (
            KNOWN.get(self.model, (0, 0.0))[1]
            if self.price_per_million is None
            else self.price_per_million
        )

    @property
    def priced(self) -> bool:
        return self.price_per_million is not None or self.model in KNOWN

    def fingerprint(self) -> str:
        """Model, length, place and how texts are counted, and what says that a text is a passage;
        not the key, the price or the batches.
        """
        return digest(*self._plain, *_side(self.passage_prefix, self.passage_body))

    def query_fingerprint(self) -> str:
        """The same with what says that a text is a question."""
        return digest(*self._plain, *_side(self.query_prefix, self.query_body))

    @property
    def _plain(self) -> tuple[str, ...]:
        return (
            self.spelling().rpartition(".")[0],
            str(self.revision),
            self.model,
            str(self.dimension),
            self.base_url.rstrip("/"),
            str(self.context),
            self._counting,
        )

    @property
    def quota(self) -> str:
        """Address, key and model."""
        return digest("embed", self.base_url.rstrip("/"), self._key or "", self.model)

    @property
    def title(self) -> str:
        return self.model

    @property
    def _key(self) -> str | None:
        return self.api_key.get_secret_value() if self.api_key else None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the base class says; empty texts are sent as a space, which services refuse less.

        Raises Unavailable also where the vectors are not of the expected number or length,
        DocumentError for refused texts.
        """
        return self._embedded([self.passage_prefix + text for text in texts], self.passage_body)

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        """The same with the prefix and the fields of questions."""
        return self._embedded([self.query_prefix + text for text in texts], self.query_body)

    def _embedded(self, texts: Sequence[str], more: Mapping[str, object]) -> Vectors:
        from llmops.tasks.endpoints.http import waited

        parts = waited(self._parts([text or " " for text in texts], more)) if texts else []
        return normalised(np.concatenate([np.zeros((0, self.dimension), np.float32), *parts]))

    async def _parts(self, texts: Sequence[str], more: Mapping[str, object]) -> list[Vectors]:
        from llmops.tasks.endpoints.http import opened

        quota, parts = quota_of(self), []
        quota.join(self)
        async with opened(f"{self.base_url.rstrip('/')}/embeddings", self._key) as http:
            for first in range(0, len(texts), self.batch):
                part = texts[first : first + self.batch]
                parts.append(await self._part(http, quota, part, more))
        return parts

    async def _part(
        self, http: "Http", quota: Quota, texts: Sequence[str], more: Mapping[str, object]
    ) -> Vectors:
        async def attempt() -> tuple[list[NDArray[np.float32]], int]:
            answer = await http.post(self._body(texts, more))
            return self._read(answer, http), _tokens(answer)

        counted = sum(map(self.count, texts)) if self.tokens_per_minute else 0
        try:
            tried = await patiently(self, quota, attempt, tokens=counted)
        except TransientDocumentError as error:  # no fault of these texts: others fare no better
            raise Unavailable(error.reason, hint=HINT) from error
        vectors, used = tried.value
        quota.succeeded(tried.ticket, used)
        return self._checked(vectors, len(texts))

    def _body(self, texts: Sequence[str], more: Mapping[str, object]) -> dict[str, object]:
        shortened = self.dimensions and self.model in KNOWN
        return {
            "model": self.model,
            "input": list(texts),
            "encoding_format": self.encoding,
            **more,
            **({"dimensions": self.dimensions} if shortened else {}),
        }

    def _read(self, answer: JsonObject, http: "Http") -> list[NDArray[np.float32]]:
        """In the order of the texts. Raises Garbled where there are none to be read, or two for one
        place.
        """
        try:
            rows = {int(row["index"]): _vector(row["embedding"]) for row in answer["data"]}
            if len(rows) != len(answer["data"]):
                raise ValueError("two vectors of one index")
            return [rows[index] for index in sorted(rows)]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            said = http.hidden(str(answer))[:200]
            place = http.hidden(self.base_url)
            raise Garbled(
                f"{place} gave an answer without data[].embedding: {said}",
                f"{NO_API}; the model must be one that gives one vector for a text",
            ) from error

    def _checked(self, vectors: Sequence[NDArray[np.float32]], count: int) -> Vectors:
        got = {len(vector) for vector in vectors}
        if len(vectors) != count or got != {self.dimension}:
            lengths = ", ".join(map(str, sorted(got))) or "0"
            raise Unavailable(
                f"{self.base_url} gave {len(vectors)} vectors of length {lengths} for "
                f"{count} texts; {self.dimension} is wanted",
                hint=f"set embed.dimensions to the length of {self.model}"
                if len(vectors) == count
                else "one vector for each text is wanted: check base_url and model",
            )
        return np.array(vectors, dtype=np.float32)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """By the tokenizer of the option."""
        return self._counter(text)

    @property
    def _counting(self) -> str:
        return self.tokenizer or (TIKTOKEN[0] if self.model in KNOWN else "cautious")

    @cached_property
    def _counter(self) -> Counter:
        return counter(self._counting)


def _side(prefix: str, body: Mapping[str, object]) -> tuple[str, ...]:
    """Nothing where nothing is said: vectors that were paid for before stay what they are."""
    return (prefix, canonical(body)) if prefix or body else ()


def _vector(value: object) -> NDArray[np.float32]:
    """Servers that do not know base64 answer with numbers."""
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), "<f4")
    vector = np.array(value, np.float32)
    if vector.ndim != 1:
        raise ValueError("a vector for each token")
    return vector


def _tokens(answer: JsonObject) -> int:
    """What the service counted; 0 where it does not say."""
    usage = answer.get("usage")
    said = usage.get("total_tokens") if isinstance(usage, dict) else None
    return said if isinstance(said, int) else 0
