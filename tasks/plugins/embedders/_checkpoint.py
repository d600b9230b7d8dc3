"""The folder of a model: what it holds, and whether it is one that the embedder `onnx` runs."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from llmops.tasks.errors import LlmopsError, UsageError
from llmops.tasks.plugins.embedders._bert import BertShape, Pooling
from llmops.tasks.plugins.embedders._families import BERT, PREFIXES, Family, family_of
from llmops.tasks.plugins.embedders.minilm import WEIGHTS

TOKENIZER, CONFIG = "tokenizer.json", "config.json"
SHORTEST = 3
"""Tokens of a text, with two special ones."""
TOKENIZERS = {
    "WordPiece": ("BertPreTokenizer",),
    "Unigram": ("Metaspace", "WhitespaceSplit"),
    "BPE": ("ByteLevel",),
}
"""Models of tokenizers, and what cuts words for them."""


class ModelFacts(NamedTuple):
    """What a folder holds. `sha256`: of weights and tokenizer; `longest`: text that the model
    takes, in tokens, with the special ones.
    """

    folder: Path
    files: tuple[tuple[str, str], ...]
    longest: int
    shape: BertShape
    family: Family = BERT

    @property
    def sha256(self) -> dict[str, str]:
        return dict(self.files)


def facts_of(folder: Path) -> ModelFacts:
    """Raises UsageError where it is no model that this embedder runs, and says why."""
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder {folder}",
            hint="embed.model is a folder with config.json, model.safetensors and tokenizer.json; "
            "a relative one starts at the config's folder",
        )
    marks = []
    for path in sorted(folder.glob("**/*")):
        if path.suffix in (".json", ".safetensors") and path.is_file():
            seen = path.stat()
            marks.append((str(path), seen.st_size, seen.st_mtime_ns))
    with fit(folder):
        return _facts_in(folder, tuple(marks))


@contextmanager
def fit(folder: Path) -> Iterator[None]:
    """Whatever a library says of the files of a folder becomes UsageError."""
    try:
        yield
    except (LlmopsError, MemoryError):
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {str(error)[:500]}"
        raise unfit(folder, f"its files are damaged, or do not go together ({said})") from error


@cache
def _facts_in(folder: Path, marks: tuple[tuple[str, int, int], ...]) -> ModelFacts:
    """Read again where a file has changed."""
    del marks
    config = _json(folder / CONFIG)
    _known_tokenizer(folder / TOKENIZER)
    family = _plain(folder, config)
    shape = BertShape(
        layers=_number(config, "num_hidden_layers", folder),
        width=_number(config, "hidden_size", folder),
        heads=_number(config, "num_attention_heads", folder),
        epsilon=float(str(config.get("layer_norm_eps", 1e-12))),
        pooling=_pooling(folder),
    )
    limits = [
        _number(config, "max_position_embeddings", folder) - family.skipped,
        _limit(folder / "tokenizer_config.json", "model_max_length"),
        _limit(folder / "sentence_bert_config.json", "max_seq_length"),
    ]
    files = tuple((name, _sha256(folder / name)) for name in (WEIGHTS, TOKENIZER))
    longest = min(each for each in limits if each)
    if longest < SHORTEST:
        raise unfit(folder, f"it takes {longest} tokens, two of them special ones")
    return ModelFacts(folder, files, longest, shape, family)


def _plain(folder: Path, config: Mapping[str, object]) -> Family:
    """Raises UsageError for another model, or one that is not as it is usually made."""
    wanted: dict[str, tuple[str, ...]] = {
        "model_type": tuple(PREFIXES),
        "hidden_act": ("gelu",),
        "position_embedding_type": ("absolute",),
    }
    for key, values in wanted.items():
        if (got := config.get(key, values[0])) not in values:
            raise unfit(folder, f"its {key} is {got!r}, and {' or '.join(values)} is wanted")
    padding = config.get("pad_token_id", 1)
    if not isinstance(padding, int):
        raise unfit(folder, f"its pad_token_id is {padding!r}, and a number is wanted")
    return family_of(str(config.get("model_type", "bert")), padding)


def _known_tokenizer(path: Path) -> None:
    tokenizer = _json(path)
    model = _kind(tokenizer.get("model"))
    if model not in TOKENIZERS:
        known = ", ".join(TOKENIZERS)
        raise unfit(path.parent, f"its tokenizer has the model {model!r}, wanted is one of {known}")
    cutting = tokenizer.get("pre_tokenizer")
    steps = cutting.get("pretokenizers") if isinstance(cutting, Mapping) else None
    for kind in map(_kind, steps if isinstance(steps, list) else [cutting]):
        if kind not in TOKENIZERS[model]:
            wanted = " or ".join(TOKENIZERS[model])
            said = f"its tokenizer has the pre_tokenizer {kind!r}, wanted is {wanted}"
            raise unfit(path.parent, said)


def _kind(part: object) -> object:
    return part.get("type") if isinstance(part, Mapping) else None


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
            raise unfit(folder, f"it has a module {kind}, and only a pooling is known")
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
    raise unfit(folder, f"it is pooled by {' and '.join(chosen)}, and mean or cls is wanted")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unfit(path.parent, f"{path.name} cannot be read: {error}") from error


def _json(path: Path) -> dict[str, object]:
    value = _read(path)
    if not isinstance(value, dict):
        raise unfit(path.parent, f"{path.name} is no JSON object")
    return value


def _list(path: Path) -> list[dict[str, object]]:
    value = _read(path)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise unfit(path.parent, f"{path.name} is no list of JSON objects")
    return value


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise unfit(path.parent, f"{path.name} cannot be read: {error}") from error


def _number(config: Mapping[str, object], key: str, folder: Path) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value < 1:
        raise unfit(folder, f"{key} of its {CONFIG} is {value!r}, and a number is wanted")
    return value


def _limit(path: Path, key: str) -> int:
    """0 where nothing says so."""
    value = _json(path).get(key) if path.is_file() else None
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def unfit(folder: Path, why: str) -> LlmopsError:
    return UsageError(
        f"the embedder onnx cannot run {folder}: {why}",
        hint="it runs a BERT, RoBERTa, XLM-RoBERTa or MPNet in float32, as sentence-transformers "
        "saves it; for others there is the embedder sentence_transformers",
    )
