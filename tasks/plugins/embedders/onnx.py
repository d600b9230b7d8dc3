"""A BERT of sentence-transformers' layout in ONNX Runtime, fp32, without torch: what the trainer
`sentence_transformers` makes, or any other one in a folder.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

from llmops.tasks.errors import LlmopsError, UsageError
from llmops.tasks.plugins import digest
from llmops.tasks.plugins._safetensors import Array, tensors_of
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders._bert import BertShape, Pooling, emit, mapped
from llmops.tasks.plugins.embedders._int8 import INT8, TEXTS, Precision, load_int8, require
from llmops.tasks.plugins.embedders._session import LoadedModel, load
from llmops.tasks.plugins.embedders._wordpiece import encode, load_tokenizer, offsets
from llmops.tasks.plugins.embedders.minilm import (
    SHA256,
    WEIGHTS,
    MiniLMEmbedder,
    minilm_fingerprint,
    weights_folder,
)
from llmops.tasks.schemas import Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MINILM = "minilm"
TOKENIZER, CONFIG = "tokenizer.json", "config.json"
FRAME = 2
"""Special tokens around a text."""
LOADING = RLock()


class OnnxEmbedder(Embedder):
    """`model`: a folder with `config.json`, `model.safetensors` (float32), `tokenizer.json`
    (WordPiece) and, of sentence-transformers, `modules.json`: a BERT pooled to the mean or the
    first state; or minilm, the default embedder's. `language`: ISO 639-1 codes that its vectors
    are good for; all, where it is not given. `precision: int8` runs it twice as fast, by
    CTranslate2 (extra `int8`).

    Nothing is read until it is needed. The fingerprint is of the files' contents: a model that
    moves stays what it is, and another one of the same path is another embedder.
    """

    alone: ClassVar[bool] = True
    model: str = Field(min_length=1)
    language: tuple[str, ...] = ()
    precision: Precision = "fp32"

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
        return self._facts.longest - FRAME

    def fingerprint(self) -> str:
        """Of weights, tokenizer and how they are used. That of the default embedder where the
        weights are its own: the vectors are the same.
        """
        facts = self._facts
        mine = MiniLMEmbedder
        if facts.sha256 == SHA256 and (self.dimension, self.max_tokens) == (
            mine.dimension,
            mine.max_tokens,
        ):
            return minilm_fingerprint(self.precision)
        parts = (*facts.sha256.values(), str(facts.longest), repr(tuple(facts.shape)))
        if self.precision == "int8":
            parts = (*parts, INT8)
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
        facts = self._facts
        with LOADING:
            tokenizer, frame = _tokenizer(facts)
            model = _model(facts, self.precision)
        return model.vectors(encode(tokenizer, texts, self.max_tokens, frame))

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """WordPiece tokens of the whole text; a word of over 100 characters has the pieces that the
        model sees.
        """
        with LOADING:
            tokenizer, _ = _tokenizer(self._facts)
        return offsets(tokenizer, text)

    @property
    def _facts(self) -> "ModelFacts":
        folder = weights_folder() if self.model == MINILM else Path(self.model).absolute()
        with LOADING:
            return facts_of(folder)


class ModelFacts(NamedTuple):
    """What a folder holds. `sha256`: of weights and tokenizer; `longest`: text that the model
    takes, in tokens, with the special ones.
    """

    folder: Path
    files: tuple[tuple[str, str], ...]
    longest: int
    shape: BertShape

    @property
    def sha256(self) -> dict[str, str]:
        return dict(self.files)


def facts_of(folder: Path) -> ModelFacts:
    """Raises UsageError where it is no model that this embedder runs, and says why."""
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder {folder}",
            hint="embed.model is a folder with config.json, model.safetensors and tokenizer.json",
        )
    marks = []
    for path in sorted(folder.glob("**/*")):
        if path.suffix in (".json", ".safetensors") and path.is_file():
            seen = path.stat()
            marks.append((str(path), seen.st_size, seen.st_mtime_ns))
    return _facts_in(folder, tuple(marks))


@cache
def _facts_in(folder: Path, marks: tuple[tuple[str, int, int], ...]) -> ModelFacts:
    """Read again where a file has changed."""
    del marks
    config = _json(folder / CONFIG)
    _wordpiece_only(folder / TOKENIZER)
    _plain_bert(folder, config)
    shape = BertShape(
        layers=_number(config, "num_hidden_layers", folder),
        width=_number(config, "hidden_size", folder),
        heads=_number(config, "num_attention_heads", folder),
        epsilon=float(str(config.get("layer_norm_eps", 1e-12))),
        pooling=_pooling(folder),
    )
    limits = [
        _number(config, "max_position_embeddings", folder),
        _limit(folder / "tokenizer_config.json", "model_max_length"),
        _limit(folder / "sentence_bert_config.json", "max_seq_length"),
    ]
    files = tuple((name, _sha256(folder / name)) for name in (WEIGHTS, TOKENIZER))
    return ModelFacts(folder, files, min(each for each in limits if each), shape)


@cache
def _tokenizer(facts: ModelFacts) -> "tuple[Tokenizer, tuple[int, int]]":
    raw = mapped(facts.folder / TOKENIZER, facts.sha256[TOKENIZER])
    tokenizer = load_tokenizer(bytes(raw))
    first, last = (tokenizer.token_to_id(each) for each in ("[CLS]", "[SEP]"))
    if first is None or last is None:
        raise _unfit(facts.folder, "its tokenizer has no [CLS] and [SEP]")
    return tokenizer, (first, last)


@cache
def _model(facts: ModelFacts, precision: Precision) -> LoadedModel:
    def tensors() -> dict[str, Array]:
        raw = mapped(facts.folder / WEIGHTS, facts.sha256[WEIGHTS])
        return {name.removeprefix("bert."): value for name, value in tensors_of(raw).items()}

    def fp32() -> LoadedModel:
        return load(emit(tensors(), facts.shape))

    try:
        if precision == "fp32":
            return fp32()
        tokenizer, frame = _tokenizer(facts)
        texts = encode(tokenizer, TEXTS, facts.longest - FRAME, frame)
        return load_int8(tensors, facts.shape, facts.sha256[WEIGHTS], fp32, texts)
    except KeyError as error:
        said = f"its weights have no tensor {error} in float32"
        raise _unfit(facts.folder, said) from error


def _plain_bert(folder: Path, config: Mapping[str, object]) -> None:
    wanted = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
    }
    for key, value in wanted.items():
        if (got := config.get(key, value)) != value:
            raise _unfit(folder, f"its {key} is {got!r}, and {value!r} is wanted")


def _wordpiece_only(path: Path) -> None:
    tokenizer = _json(path)
    for key, value in (("model", "WordPiece"), ("pre_tokenizer", "BertPreTokenizer")):
        part = tokenizer.get(key)
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind != value:
            raise _unfit(path.parent, f"its tokenizer has the {key} {kind!r}, wanted {value!r}")


def _pooling(folder: Path) -> Pooling:
    """As sentence-transformers' modules say; the mean where there are none. Raises UsageError for
    modules that do more.
    """
    if not (folder / "modules.json").is_file():
        return "mean"
    pooling: Pooling = "mean"
    for module in _list(folder / "modules.json"):
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind == "Pooling":
            pooling = _pooled(folder, _json(folder / str(module["path"]) / CONFIG))
        elif kind not in ("Transformer", "Normalize"):
            raise _unfit(folder, f"it has a module {kind}, and only a pooling is known")
    return pooling


def _pooled(folder: Path, config: Mapping[str, object]) -> Pooling:
    """In the newer spelling, one name; in the older one, a switch for each."""
    names = {"mean_tokens": "mean", "cls_token": "cls"}
    switched = [
        names.get(key.removeprefix("pooling_mode_"), key)
        for key, value in config.items()
        if key.startswith("pooling_mode_") and value is True
    ]
    chosen = [str(config["pooling_mode"])] if "pooling_mode" in config else switched
    if chosen == ["mean"]:
        return "mean"
    if chosen == ["cls"]:
        return "cls"
    raise _unfit(folder, f"it is pooled by {' and '.join(chosen)}, and mean or cls is wanted")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unfit(path.parent, f"{path.name} cannot be read: {error}") from error


def _json(path: Path) -> dict[str, object]:
    value = _read(path)
    if not isinstance(value, dict):
        raise _unfit(path.parent, f"{path.name} is no JSON object")
    return value


def _list(path: Path) -> list[dict[str, object]]:
    value = _read(path)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unfit(path.parent, f"{path.name} cannot be read: {error}") from error


def _number(config: Mapping[str, object], key: str, folder: Path) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value < 1:
        raise _unfit(folder, f"{key} of its {CONFIG} is {value!r}, and a number is wanted")
    return value


def _limit(path: Path, key: str) -> int:
    """0 where nothing says so."""
    value = _json(path).get(key) if path.is_file() else None
    return int(value) if isinstance(value, int | float) else 0


def _unfit(folder: Path, why: str) -> LlmopsError:
    return UsageError(
        f"the embedder onnx cannot run {folder}: {why}",
        hint="it runs a BERT in float32, as sentence-transformers saves it; for others there is "
        "the embedder llamaindex",
    )
