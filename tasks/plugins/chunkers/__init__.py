"""From a document to the passages that are searched."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from llmops.tasks.plugins import Plugin
from llmops.tasks.plugins.llms import Llm, Message
from llmops.tasks.schemas import Vectors

T = TypeVar("T")


class Tokenizer(Protocol):
    """What a chunker needs of an embedder. Where it has `token_starts` as well, that is asked
    instead of `token_offsets` for where tokens begin.
    """

    @property
    def max_tokens(self) -> int: ...

    @property
    def languages(self) -> frozenset[str]:
        """ISO 639-1 codes of what it reads; empty means all."""

    def token_offsets(self, text: str) -> list[tuple[int, int]]: ...


@runtime_checkable
class EmbeddingTokenizer(Tokenizer, Protocol):
    """What a chunker needs that compares sentences by meaning. A build hands one over that pays for
    each text once.
    """

    def embed(self, texts: Sequence[str]) -> Vectors: ...


@runtime_checkable
class AskingTokenizer(Tokenizer, Protocol):
    """What a chunker needs that asks a language model. A build hands one over that pays for each
    question once.
    """

    def ask(self, llm: Llm, messages: Sequence[Message], read: Callable[[str], T]) -> T:
        """What `read` makes of the reply. `read` raises ValueError for a malformed one, which is
        then asked for again.

        Raises DocumentError when no reply can be read, Unavailable when the model does not answer.
        """


class Span(BaseModel):
    """One chunk as offsets into the document's text: `text[start:end]`, which is what a reader
    gets. `context` is embedded before it.

    `search`: what is embedded and searched instead of context and text. Spans with the same offsets
    are one passage that can be found in several ways; a search returns it once. `tokens` counts
    `search`, and where that is None `text[start:end]`; where the embedder does not read the
    language, no more than it takes.
    """

    model_config = ConfigDict(frozen=True)
    start: int
    end: int
    tokens: int
    headings: tuple[str, ...] = ()
    page: int | None = None
    context: str = ""
    search: str | None = None


class Chunker(Plugin, ABC):
    """`size` and `overlap` are in tokens of the embedder's own tokenizer, and where it does not
    read the language, in letters that carry as much text as a token of English. At most half of
    `size` overlaps.

    A context (title, headings) counts against the embedder's limit, not against `size`: it is cut
    when it would not fit.

    `alone`: it asks nobody, neither a model nor a service, so that a build may let it work in
    several processes at once. Each class says so of itself; it is not inherited.
    """

    family: ClassVar[str] = "chunkers"
    alone: ClassVar[bool] = False
    size: int = Field(default=200, ge=8, le=8192)
    overlap: int = Field(default=20, ge=0)

    @field_validator("overlap")
    @classmethod
    def _overlap_is_smaller(cls, value: int, info: ValidationInfo) -> int:
        """Only of an overlap that is given: the default shrinks with a small size."""
        size = info.data.get("size")
        if size is not None and value >= size:
            raise ValueError(f"the overlap must be smaller than the size, which is {size}")
        return value

    @abstractmethod
    def split(
        self, text: str, *, markup: str, title: str | None, tokenizer: Tokenizer, uri: str = ""
    ) -> Sequence[Span]:
        """The spans of a document in order. `uri` may tell the language of code.

        Every character that is not white space lies in at least one of them.
        """
