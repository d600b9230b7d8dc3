"""A BERT in int8 by CTranslate2, with attention in float32: twice as fast as in fp32.

Each token's activations are scaled by themselves and nothing is padded, so that a text's vector is
bitwise the same alone and in company, which the tests check.

The weights are converted once per machine, into the user's cache. They are kept only if a few texts
have nearly the same vectors as in fp32: processors without VNNI may overflow. Where they have not,
the embedder refuses, and does not turn to fp32 by itself: a knowledge base would hold vectors of
both under one name.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from llmops.tasks.errors import ConfigError, Mistake, Unavailable
from llmops.tasks.plugins import digest
from llmops.tasks.plugins._processors import processors
from llmops.tasks.plugins._safetensors import Array
from llmops.tasks.plugins.embedders._bert import BertShape
from llmops.tasks.plugins.embedders._session import LoadedModel
from llmops.tasks.schemas import Vectors
from llmops.tasks.user_cache import NEW, made_ready, user_cache

Precision = Literal["fp32", "int8"]
INSTALL = "pip install 'llmops-pipelines[int8]'"
INT8 = "int8/1"
"""What fingerprints say of vectors that are made in this way."""
LEAST_COSINE = 0.99
TEXTS = (
    "A cat sits on the mat.",
    "How long may a book be kept, and what is paid for a damaged one?",
    "In 2019, 4 of 17 patients (23.5 %) with type 2 diabetes were given 500 mg of metformin daily.",
    "Retrieval-augmented generation grounds an answer in passages: " * 6,
)
"""By these int8 is compared with fp32."""


def require(precision: Precision) -> None:
    """Raises ConfigError where the engine is not installed."""
    if precision == "int8" and find_spec("ctranslate2") is None:
        message = "precision int8 needs CTranslate2, which is not installed"
        raise ConfigError([Mistake(message, hint=f"install it: {INSTALL}", kind="library")])


class _Engine:
    """Runs of one model, one per processor at a time."""

    def __init__(self, folder: Path, shape: BertShape) -> None:
        import ctranslate2

        self._shape, self._process = shape, os.getpid()
        self._encoder = ctranslate2.Encoder(
            str(folder), compute_type="int8_float32", inter_threads=processors(), intra_threads=1
        )

    def sums(self, ids: Sequence[Sequence[int]]) -> Vectors:
        """Of texts of equal length: the sum of their states, or the first ones."""
        if self._process != os.getpid():  # its threads stayed with the parent: it would hang
            raise Unavailable(
                "precision int8 cannot be used in a process that was forked from one which has "
                "embedded already",
                hint="start processes by spawn, or leave `precision: int8` out",
            )
        states = np.asarray(self._encoder.forward_batch(ids).last_hidden_state)
        return states[:, 0] if self._shape.pooling == "cls" else states.sum(axis=1)


def load_int8(
    tensors: Callable[[], Mapping[str, Array]],
    shape: BertShape,
    key: str,
    like: Callable[[], LoadedModel],
    texts: Sequence[Sequence[int]],
) -> LoadedModel:
    """The model from the cache, else converted. `key`: of its weights; `like`: it in fp32, which
    the vectors of `texts` (token ids) are compared with.

    Raises Unavailable where they are not alike or the cache cannot be written, KeyError for a
    missing tensor.
    """
    import ctranslate2

    cache = user_cache()
    folder = cache / digest(key, INT8, ctranslate2.__version__, repr(tuple(shape)))
    if folder.is_dir():
        with suppress(RuntimeError):  # a damaged file is made anew
            return _loaded(folder, shape)
        shutil.rmtree(folder, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(dir=made_ready(cache), prefix=NEW) as new:
            made = Path(new) / "model"
            _convert(tensors(), shape, made)
            _check(_loaded(made, shape), like(), texts)
            if not folder.is_dir():  # else another process was first
                made.rename(folder)
    except OSError as error:
        raise Unavailable(
            f"the model in int8 cannot be kept in {cache}: {error}",
            hint="set XDG_CACHE_HOME to a folder that can be written",
        ) from error
    return _loaded(folder, shape)


def _loaded(folder: Path, shape: BertShape) -> LoadedModel:
    return LoadedModel(_Engine(folder, shape).sums, shape.width)


def _check(model: LoadedModel, like: LoadedModel, texts: Sequence[Sequence[int]]) -> None:
    cosines = (model.vectors(texts) * like.vectors(texts)).sum(axis=1)
    if not cosines.min() >= LEAST_COSINE:
        raise Unavailable(
            f"int8 gives other vectors than fp32 on this processor: cosine {cosines.min():.3f}, "
            f"at least {LEAST_COSINE} is wanted",
            hint="leave `precision: int8` out of the embedder's options",
        )


def _convert(tensors: Mapping[str, Array], shape: BertShape, folder: Path) -> None:
    """Write the model as CTranslate2 reads it: its own BertLoader, without torch."""
    from ctranslate2.specs import common_spec, transformer_spec

    encoder = transformer_spec.TransformerEncoderSpec(
        shape.layers,
        shape.heads,
        pre_norm=False,
        activation=common_spec.Activation.GELU,
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )
    encoder.scale_embeddings = False
    words, segments = encoder.embeddings
    words.weight = _own(tensors, "embeddings.word_embeddings.weight")
    segments.weight = _own(tensors, "embeddings.token_type_embeddings.weight")
    positions = _own(tensors, "embeddings.position_embeddings.weight")
    encoder.position_encodings.encodings = positions
    _norm(encoder.layernorm_embedding, tensors, "embeddings.LayerNorm")
    for number, layer in enumerate(encoder.layer):
        _layer(layer, tensors, f"encoder.layer.{number}.")
    model = transformer_spec.TransformerEncoderModelSpec(encoder)
    model.register_vocabulary([str(number) for number in range(len(words.weight))])
    model.config.layer_norm_epsilon, model.config.unk_token = shape.epsilon, "0"
    model.validate()
    model.optimize(quantization="int8_float32")
    folder.mkdir()
    model.save(str(folder))


def _layer(layer: Any, tensors: Mapping[str, Array], prefix: str) -> None:
    from ctranslate2.converters import utils
    from ctranslate2.specs import common_spec

    linear, norm = partial(_linear, tensors=tensors), partial(_norm, tensors=tensors)
    parts = [common_spec.LinearSpec() for _ in range(3)]
    for part, name in zip(parts, ("query", "key", "value"), strict=True):
        linear(part, name=f"{prefix}attention.self.{name}")
    attention, feed = layer.self_attention, layer.ffn
    utils.fuse_linear(attention.linear[0], parts)
    linear(attention.linear[1], name=f"{prefix}attention.output.dense")
    norm(attention.layer_norm, name=f"{prefix}attention.output.LayerNorm")
    linear(feed.linear_0, name=f"{prefix}intermediate.dense")
    linear(feed.linear_1, name=f"{prefix}output.dense")
    norm(feed.layer_norm, name=f"{prefix}output.LayerNorm")


class LinearSpec(Protocol):
    """Of CTranslate2, which has no types."""

    weight: Array
    bias: Array


class NormSpec(Protocol):
    """Of CTranslate2, which has no types."""

    gamma: Array
    beta: Array


def _linear(spec: LinearSpec, tensors: Mapping[str, Array], name: str) -> None:
    spec.weight, spec.bias = _own(tensors, f"{name}.weight"), _own(tensors, f"{name}.bias")


def _norm(spec: NormSpec, tensors: Mapping[str, Array], name: str) -> None:
    spec.gamma, spec.beta = _own(tensors, f"{name}.weight"), _own(tensors, f"{name}.bias")


def _own(tensors: Mapping[str, Array], name: str) -> Array:
    """A copy: the converter scales weights in place, and these lie in a file."""
    return np.array(tensors[name])
