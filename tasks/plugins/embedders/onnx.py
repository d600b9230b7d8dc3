"""A BERT, or a near relative of it, of sentence-transformers' layout in ONNX Runtime, fp32, without
torch: what the trainer `sentence_transformers` makes, or any other one in a folder.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from llmops.tasks.plugins import digest
from llmops.tasks.plugins._safetensors import Array, tensors_of
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders._bert import emit, mapped
from llmops.tasks.plugins.embedders._checkpoint import TOKENIZER, ModelFacts, facts_of, fit, unfit
from llmops.tasks.plugins.embedders._families import BERT, POSITIONS, as_bert
from llmops.tasks.plugins.embedders._int8 import INT8, TEXTS, Precision, load_int8, require
from llmops.tasks.plugins.embedders._session import LoadedModel, load
from llmops.tasks.plugins.embedders._wordpiece import encode, load_tokenizer, offsets
from llmops.tasks.plugins.embedders._words import words_of
from llmops.tasks.plugins.embedders.minilm import (
    SHA256,
    WEIGHTS,
    MiniLMEmbedder,
    minilm_fingerprint,
    weights_folder,
)
from llmops.tasks.schemas import Starts, Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MINILM = "minilm"
FRAMES = (("[CLS]", "[SEP]"), ("<s>", "</s>"))
FRAME = 2
"""Special tokens around a text."""
LOADING = RLock()


class OnnxEmbedder(Embedder):
    """`model` (or `path`): a folder with `config.json`, `model.safetensors` (float32),
    `tokenizer.json` and, of sentence-transformers, `modules.json`: a BERT, RoBERTa, XLM-RoBERTa,
    CamemBERT or MPNet pooled to the mean or the first state; or minilm, the default embedder's.
    `query_prefix` and `passage_prefix` stand before the texts, for models that want one (E5:
    "query: " and "passage: "). `language`: ISO 639-1 codes that its vectors are good for; all,
    where it is not given. `precision: int8` runs it twice as fast, by CTranslate2 (extra `int8`);
    an MPNet has no such engine.

    Nothing is read until it is needed. The fingerprint is of the files' contents: a model that
    moves stays what it is, and another one of the same path is another embedder.
    """

    alone: ClassVar[bool] = True
    paths: ClassVar[tuple[str, ...]] = ("model", "path")
    model: str = Field(min_length=1)
    query_prefix: str = ""
    passage_prefix: str = ""
    language: tuple[str, ...] = ()
    precision: Precision = "fp32"

    @model_validator(mode="before")
    @classmethod
    def _path_is_model(cls, given: object) -> object:
        if isinstance(given, dict) and "path" in given and "model" not in given:
            return {"model" if name == "path" else name: value for name, value in given.items()}
        return given

    @field_validator("language", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_engine(self) -> Self:
        require(self.precision)
        return self

    @property
    def languages(self) -> frozenset[str]:
        return frozenset(self.language)

    @property
    def dimension(self) -> int:
        return self._facts.shape.width

    @property
    def max_tokens(self) -> int:
        """Of a passage, beside its prefix."""
        return self._room - (self.count(self.passage_prefix) if self.passage_prefix else 0)

    @property
    def _room(self) -> int:
        return self._facts.longest - FRAME

    def fingerprint(self) -> str:
        """Of weights, tokenizer and how they are used. That of the default embedder where the
        weights are its own: the vectors are the same.
        """
        return self._fingerprint(self.passage_prefix)

    def query_fingerprint(self) -> str:
        return self._fingerprint(self.query_prefix)

    def _fingerprint(self, prefix: str) -> str:
        facts = self._facts
        mine = MiniLMEmbedder
        sizes = self.dimension, self._room
        if not prefix and facts.sha256 == SHA256 and sizes == (mine.dimension, mine.max_tokens):
            return minilm_fingerprint(self.precision)
        parts = [*facts.sha256.values(), str(facts.longest), repr(tuple(facts.shape))]
        parts += [repr(tuple(facts.family))] if facts.family != BERT else []
        parts += [INT8] if self.precision == "int8" else []
        parts += [f"prefix {prefix}"] if prefix else []
        return digest(f"{self.spelling()}/{self.revision}", *parts)

    def load(self) -> None:
        facts = self._facts
        with LOADING:
            _tokenizer(facts)
            _model(facts, self.precision)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the base class says; each text is cut after `max_tokens`. Raises UsageError for a
        folder that is no such model, Damaged where a file has changed meanwhile.
        """
        return self._embedded([self.passage_prefix + text for text in texts])

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        return self._embedded([self.query_prefix + text for text in texts])

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        facts = self._facts
        with LOADING:
            tokenizer, frame = _tokenizer(facts)
            model = _model(facts, self.precision)
        return model.vectors(encode(tokenizer, texts, self._room, frame))

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """The model's tokens of the whole text; of WordPiece, a word of over 100 characters has the
        pieces that the model sees.
        """
        return offsets(self._tokenizer, text)

    def token_starts(self, text: str) -> Starts:
        """As the base class says; words that came before are looked up."""
        return words_of(self._tokenizer).starts(text)

    @property
    def _tokenizer(self) -> "Tokenizer":
        with LOADING:
            return _tokenizer(self._facts)[0]

    @property
    def _facts(self) -> ModelFacts:
        folder = weights_folder() if self.model == MINILM else Path(self.model).absolute()
        with LOADING:
            return facts_of(folder)


@cache
def _tokenizer(facts: ModelFacts) -> "tuple[Tokenizer, tuple[int, int]]":
    with fit(facts.folder):
        raw = mapped(facts.folder / TOKENIZER, facts.sha256[TOKENIZER])
        tokenizer = load_tokenizer(bytes(raw))
    for names in FRAMES:
        first, last = map(tokenizer.token_to_id, names)
        if first is not None and last is not None:
            return tokenizer, (first, last)
    known = " or ".join(" and ".join(names) for names in FRAMES)
    raise unfit(facts.folder, f"its tokenizer has no {known}")


@cache
def _model(facts: ModelFacts, precision: Precision) -> LoadedModel:
    """Raises UsageError where it does not run on a text that holds the last of its tokens."""
    tokenizer, (first, last) = _tokenizer(facts)
    with fit(facts.folder):
        model = _loaded(facts, precision)
        if facts.sha256 != SHA256:
            most = tokenizer.get_vocab_size() - 1
            model.vectors([[first, most, last]])
    return model


def _loaded(facts: ModelFacts, precision: Precision) -> LoadedModel:
    def tensors() -> dict[str, Array]:
        raw = mapped(facts.folder / WEIGHTS, facts.sha256[WEIGHTS])
        found = as_bert(tensors_of(raw), facts.family, facts.longest)
        if POSITIONS in found and len(found[POSITIONS]) < facts.longest:
            said = f"its weights know {len(found[POSITIONS])} positions, and it is to take"
            raise unfit(facts.folder, f"{said} {facts.longest} tokens")
        return found

    def fp32() -> LoadedModel:
        return load(emit(tensors(), facts.shape))

    if precision == "int8" and facts.family.name == "mpnet":
        raise unfit(facts.folder, "CTranslate2 has no MPNet in int8")
    try:
        if precision == "fp32":
            return fp32()
        tokenizer, frame = _tokenizer(facts)
        texts = encode(tokenizer, TEXTS, facts.longest - FRAME, frame)
        key = facts.sha256[WEIGHTS] + (repr(facts.family) if facts.family != BERT else "")
        return load_int8(tensors, facts.shape, key, fp32, texts)
    except KeyError as error:
        said = f"its weights have no tensor {error} in float32"
        raise unfit(facts.folder, said) from error
