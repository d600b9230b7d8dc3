"""Any model of sentence-transformers, by its name in the model hub or in a folder, with prompts for
questions and for passages.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins import digest
from llmops.tasks.plugins._model_folder import contents_of
from llmops.tasks.plugins.embedders import Embedder, normalised
from llmops.tasks.plugins.embedders._wordpiece import encodable, offsets
from llmops.tasks.schemas import Vectors

INSTALL = "pip install 'llmops-pipelines[sentence-transformers]'"
LOADING = Lock()


class SentenceTransformersEmbedder(Embedder):
    """`model`: a name in the model hub, or a folder. `offline`: nothing is fetched; a name is then
    looked for in the hub's cache on this machine (as with `HF_HUB_OFFLINE=1`).

    A question is embedded by the model's `encode_query`, a passage by its `encode_document`, with
    the model's own prompts, where it has some. `query_prompt` and `passage_prompt` stand before
    the texts in their stead; `query_prompt_name` and `passage_prompt_name` choose among the
    model's. `dimensions` shortens the vectors, for models that are made for it. `batch`: texts a
    run; with 1, the quickest on a CPU, a text's vector is bitwise independent of its neighbours.

    The model is loaded at first use, also to tell its dimension. The fingerprint is of a folder's
    contents, or of the name.
    """

    requires: ClassVar[Mapping[str, str]] = {"sentence_transformers": INSTALL}
    paths: ClassVar[tuple[str, ...]] = ("model",)
    model: str = Field(min_length=1)
    language: tuple[str, ...] = ()
    """ISO 639-1 codes that its vectors are good for; none: all."""
    dimensions: int | None = Field(default=None, ge=1)
    query_prompt: str | None = None
    passage_prompt: str | None = None
    query_prompt_name: str | None = None
    passage_prompt_name: str | None = None
    batch: int = Field(default=1, ge=1, le=1024)
    device: str | None = None
    """Such as cpu or cuda; none: the best that there is."""
    offline: bool = False

    @field_validator("language", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @property
    def languages(self) -> frozenset[str]:
        return frozenset(self.language)

    @property
    def dimension(self) -> int:
        return self.dimensions or self._loaded.dimension

    @property
    def max_tokens(self) -> int:
        return self._loaded.max_tokens

    def fingerprint(self) -> str:
        """Of the model and of what says that a text is a passage."""
        return digest(*self._plain, repr((self.passage_prompt, self.passage_prompt_name)))

    def query_fingerprint(self) -> str:
        """Of the model and of what says that a text is a question."""
        return digest(*self._plain, "query", repr((self.query_prompt, self.query_prompt_name)))

    @property
    def _plain(self) -> tuple[str, ...]:
        folder = Path(self.model).expanduser()
        parts = [folder, *sorted(each for each in folder.glob("*") if each.is_dir())]
        contents = [contents_of(each) for each in parts] if folder.is_dir() else [self.model]
        return f"{self.spelling()}/{self.revision}", *contents, str(self.dimensions)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the base class says. Whatever the model raises becomes Unavailable."""
        how = {"prompt": self.passage_prompt, "prompt_name": self.passage_prompt_name}
        return self._encoded("encode_document", texts, how)

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        how = {"prompt": self.query_prompt, "prompt_name": self.query_prompt_name}
        return self._encoded("encode_query", texts, how)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """By the model's own tokenizer."""
        return offsets(self._loaded.tokenizer, text)

    def _encoded(self, way: str, texts: Sequence[str], how: Mapping[str, str | None]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        loaded = self._loaded
        try:
            vectors = getattr(loaded.model, way)(
                [encodable(text) for text in texts],
                batch_size=self.batch,
                show_progress_bar=False,
                convert_to_numpy=True,
                truncate_dim=self.dimensions,
                **{name: value for name, value in how.items() if value is not None},
            )
        except Exception as error:  # torch and the model raise what they like
            raise Unavailable(
                f"{self.model} did not embed: {type(error).__name__}: {error}",
                hint="check the options of embed",
            ) from error
        return normalised(np.asarray(vectors, np.float32))

    @property
    def _loaded(self) -> "LoadedTransformer":
        with LOADING:
            return _load(str(Path(self.model).expanduser()), self.device, self.offline)


class LoadedTransformer(NamedTuple):
    model: Any
    tokenizer: Any
    dimension: int
    max_tokens: int


@cache
def _load(model: str, device: str | None, offline: bool) -> LoadedTransformer:
    from sentence_transformers import SentenceTransformer

    try:
        made = SentenceTransformer(model, device=device, local_files_only=offline)
        tokenizer = made.tokenizer.backend_tokenizer
        special = made.tokenizer.num_special_tokens_to_add(pair=False)
    except Exception as error:  # the hub, the files and torch raise what they like
        raise Unavailable(
            f"the model {model} cannot be loaded: {type(error).__name__}: {error}",
            hint="embed.model is a name in the model hub, or a folder as sentence-transformers "
            "saves it; offline: true takes it from the cache alone",
        ) from error
    longest = made.max_seq_length or made.tokenizer.model_max_length
    plain = type(tokenizer).from_str(tokenizer.to_str())  # the model goes on cutting with its own
    plain.no_truncation()
    plain.no_padding()
    return LoadedTransformer(
        made, plain, int(made.get_embedding_dimension() or 0), int(longest) - special
    )
