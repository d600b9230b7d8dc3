"""Any embedding of LlamaIndex by import path: dozens of providers and local models."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins._foreign import (
    checked_objects,
    lacking,
    with_objects,
    without_secrets,
)
from llmops.tasks.plugins.embedders import Embedder, normalised
from llmops.tasks.plugins.embedders._counting import Counter, counter
from llmops.tasks.plugins.importing import imported
from llmops.tasks.schemas import Vectors

if TYPE_CHECKING:
    from llama_index.core.base.embeddings.base import BaseEmbedding

SECRETS = {"key", "token", "secret", "password"}


class LlamaIndexEmbedder(Embedder):
    """`path`: an import path such as llama_index.embeddings.huggingface.HuggingFaceEmbedding, or
    `package.module:Class`; `options` are its own.

    `dimensions` is the length of its vectors, `context` the longest text in tokens of `tokenizer`:
    cl100k_base, o200k_base, the path of a `tokenizer.json`, or `cautious`, which never counts too
    few. The class is imported when the config is read, the model is made at first use. `prefix`
    stands before each text, for models that want one, `query_prefix` before questions in its stead.
    Questions are embedded by the model's `get_query_embedding`. An object among the options is
    written `{path: package.module.Class, options: {…}}`.
    """

    requires: ClassVar[Mapping[str, str]] = {
        "llama_index": "pip install 'llmops-pipelines[llamaindex]'"
    }
    path: str = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)
    dimensions: int = Field(ge=1, le=65_536)
    context: int = Field(default=512, ge=8)
    tokenizer: str = "cautious"
    prefix: str = ""
    query_prefix: str | None = None
    price_per_million: float = Field(default=0.0, ge=0)
    """US dollars per million tokens."""

    @model_validator(mode="after")
    def _is_embedding(self) -> Self:
        kind = self._kind()
        unknown = sorted(self.options.keys() - {*kind.model_fields} - _parameters(kind))
        if unknown:
            known = sorted({*kind.model_fields} | _parameters(kind))
            raise ValueError(
                f"{kind.__name__} has no option {', '.join(unknown)}; allowed: {', '.join(known)}"
            )
        if why := lacking(kind):
            raise ValueError(why)
        checked_objects(self.options)
        return self

    @property
    def dimension(self) -> int:
        return self.dimensions

    @property
    def max_tokens(self) -> int:
        return self.context

    @property
    def price(self) -> float:
        return self.price_per_million

    def fingerprint(self) -> str:
        """Class and options but for keys, and how texts are counted."""
        plain = {
            name: value
            for name, value in self.options.items()
            if not SECRETS & {*name.lower().split("_")}
        }
        return digest(
            self.spelling().rpartition(".")[0],
            str(self.revision),
            self.path,
            canonical(without_secrets(plain)),
            str(self.dimension),
            self.tokenizer,
            str(self.context),
            self.prefix,
        )

    def query_fingerprint(self) -> str:
        """Apart from that of passages: whether the model has two sides, it does not say."""
        return digest(self.fingerprint(), "query", self._before_questions)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the base class says. Whatever the model raises becomes Unavailable."""
        return self._embedded(
            [self.prefix + text for text in texts],
            lambda given: self._model.get_text_embedding_batch(given),
        )

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        """The same by `get_query_embedding`, which takes one text at a time."""
        return self._embedded(
            [self._before_questions + text for text in texts],
            lambda given: [self._model.get_query_embedding(each) for each in given],
        )

    @property
    def _before_questions(self) -> str:
        return self.prefix if self.query_prefix is None else self.query_prefix

    def _embedded(
        self, texts: list[str], embed: Callable[[list[str]], list[list[float]]]
    ) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        try:
            vectors = np.array(embed(texts), np.float32)
        except Exception as error:  # providers raise their own
            raise Unavailable(
                f"{self.path} did not embed: {type(error).__name__}: {error}",
                hint="check embed.options",
            ) from error
        if vectors.shape != (len(texts), self.dimension):
            raise Unavailable(
                f"{self.path} gave vectors of shape {vectors.shape}, ({len(texts)}, "
                f"{self.dimension}) is wanted",
                hint="set embed.dimensions to the length of its vectors",
            )
        return normalised(vectors)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """By the tokenizer of the option."""
        return self._counter(text)

    @cached_property
    def _counter(self) -> Counter:
        return counter(self.tokenizer)

    @cached_property
    def _model(self) -> "BaseEmbedding":
        try:
            return self._kind()(**with_objects(self.options))
        except ValidationError as error:
            said = error.errors(include_url=False)[0]["msg"]
            raise Unavailable(
                f"{self.path} cannot be made: {said}", hint="check embed.options"
            ) from error

    def _kind(self) -> "type[BaseEmbedding]":
        from llama_index.core.base.embeddings.base import BaseEmbedding

        embedding = imported(self.path)
        if not (isinstance(embedding, type) and issubclass(embedding, BaseEmbedding)):
            said = "an import path such as llama_index.embeddings.openai.OpenAIEmbedding is wanted"
            raise ValueError(f"{self.path} is no embedding of LlamaIndex; {said}")  # noqa: TRY004 - what pydantic turns into a mistake
        return embedding


def _parameters(kind: type[Any]) -> set[str]:
    import inspect

    return {*inspect.signature(kind.__init__).parameters} - {"self", "kwargs", "args"}
