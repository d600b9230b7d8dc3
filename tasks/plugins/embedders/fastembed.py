"""The models of fastembed: ONNX Runtime, without torch."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from llmops.tasks.errors import Unavailable, UsageError
from llmops.tasks.plugins import digest
from llmops.tasks.plugins._model_folder import contents_of
from llmops.tasks.plugins.embedders import Embedder, normalised
from llmops.tasks.plugins.embedders._wordpiece import encodable, offsets
from llmops.tasks.schemas import Vectors

INSTALL = "pip install 'llmops-pipelines[fastembed]'"
FRAME = 2
"""Special tokens around a text."""
LOADING = Lock()


class FastembedEmbedder(Embedder):
    """`model`: one of those that fastembed knows, such as BAAI/bge-small-en-v1.5; `folder`: where
    its files lie, if they are not to be fetched. `offline`: nothing is fetched; the files are
    looked for on this machine, in `cache` or where `FASTEMBED_CACHE_PATH` says.

    A question is embedded by `query_embed`, a passage by `passage_embed`; `query_prefix` and
    `passage_prefix` stand before the texts, for models that want one (E5: "query: " and
    "passage: "). The model is loaded at first use. The fingerprint is of a folder's contents, or of
    the name.
    """

    requires: ClassVar[Mapping[str, str]] = {"fastembed": INSTALL}
    paths: ClassVar[tuple[str, ...]] = ("folder",)
    model: str = Field(min_length=1)
    folder: str = ""
    cache: str | None = None
    language: tuple[str, ...] = ()
    """ISO 639-1 codes that its vectors are good for; none: all."""
    query_prefix: str = ""
    passage_prefix: str = ""
    threads: int | None = Field(default=None, ge=1)
    """Of the processor; none: all."""
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
        """As fastembed lists it. Raises UsageError for a model that it does not know."""
        return _dimension(self.model)

    @property
    def max_tokens(self) -> int:
        return self._loaded.max_tokens

    def fingerprint(self) -> str:
        return digest(*self._plain, self.passage_prefix)

    def query_fingerprint(self) -> str:
        return digest(*self._plain, "query", self.query_prefix)

    @property
    def _plain(self) -> tuple[str, ...]:
        folder = Path(self.folder).expanduser()
        what = f"{self.spelling()}/{self.revision}", self.model
        return (*what, _contents(folder)) if self.folder else what

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the base class says, one text a run. Whatever the model raises becomes Unavailable."""
        return self._embedded("passage_embed", [self.passage_prefix + text for text in texts])

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        return self._embedded("query_embed", [self.query_prefix + text for text in texts])

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """By the model's own tokenizer."""
        return offsets(self._loaded.tokenizer, text)

    def _embedded(self, way: str, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        embed = getattr(self._loaded.model, way)
        try:
            vectors = np.stack([next(iter(embed([encodable(text)]))) for text in texts])
        except Exception as error:  # ONNX Runtime and the model raise what they like
            raise Unavailable(
                f"{self.model} did not embed: {type(error).__name__}: {error}",
                hint="check the options of embed",
            ) from error
        return normalised(vectors.astype(np.float32))

    @property
    def _loaded(self) -> "LoadedFastembed":
        with LOADING:
            return _load(self.model, self.folder, self.cache, self.threads, self.offline)


class LoadedFastembed(NamedTuple):
    model: Any
    tokenizer: Any
    max_tokens: int


def _contents(folder: Path) -> str:
    """With the model itself, which `contents_of` does not know as one."""
    marks = [f"{each.name}/{each.stat().st_size}" for each in sorted(folder.glob("*.onnx"))]
    return digest(contents_of(folder), *marks)


@cache
def _dimension(model: str) -> int:
    from fastembed import TextEmbedding

    known = {each["model"]: int(each["dim"]) for each in TextEmbedding.list_supported_models()}
    if model not in known:
        raise UsageError(
            f"fastembed does not know the model {model!r}; allowed: {', '.join(sorted(known))}",
            where="embed.model",
        )
    return known[model]


@cache
def _load(
    model: str, folder: str, place: str | None, threads: int | None, offline: bool
) -> LoadedFastembed:
    from fastembed import TextEmbedding

    _dimension(model)
    given: dict[str, Any] = (
        {"specific_model_path": str(Path(folder).expanduser())} if folder else {}
    )
    try:
        made = TextEmbedding(
            model, cache_dir=place, threads=threads, local_files_only=offline, **given
        )
        inner: Any = made.model
        cutting = inner.tokenizer
        longest = int((cutting.truncation or {}).get("max_length", 512))
        tokenizer = type(cutting).from_str(cutting.to_str())
    except Exception as error:  # the hub, the files and ONNX Runtime raise what they like
        raise Unavailable(
            f"the model {model} cannot be loaded: {type(error).__name__}: {error}",
            hint="embed.folder names the place of its files; offline: true takes them from the "
            "cache alone",
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return LoadedFastembed(made, tokenizer, longest - FRAME)
