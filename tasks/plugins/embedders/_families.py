"""Models that differ little from BERT, in its words: RoBERTa, XLM-RoBERTa, CamemBERT and MPNet.
Their tensors' names are those of transformers.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from llmops.tasks.plugins._safetensors import Array
from llmops.tasks.plugins.embedders._bert import RELATIVE

PREFIXES = {
    "bert": "bert.",
    "roberta": "roberta.",
    "xlm-roberta": "roberta.",
    "camembert": "roberta.",
    "mpnet": "mpnet.",
}
"""`model_type` of a config -> what may stand before the names of the tensors."""
MPNET_NAMES = {
    ".attention.attn.q.": ".attention.self.query.",
    ".attention.attn.k.": ".attention.self.key.",
    ".attention.attn.v.": ".attention.self.value.",
    ".attention.attn.o.": ".attention.output.dense.",
    ".attention.LayerNorm.": ".attention.output.LayerNorm.",
}
POSITIONS = "embeddings.position_embeddings.weight"
SEGMENTS = "embeddings.token_type_embeddings.weight"
BUCKETS = "encoder.relative_attention_bias.weight"
FARTHEST = 128
"""Tokens that are farther apart share a bucket: `max_distance` of MPNet's encoder."""


class Family(NamedTuple):
    """`name`: `model_type` of its config; `skipped`: rows of the positions before that of a text's
    first token, which all but BERT leave for padding.
    """

    name: str = "bert"
    skipped: int = 0


BERT = Family()


def family_of(name: str, padding: int) -> Family:
    """`padding`: the number of the padding token."""
    return BERT if name == "bert" else Family(name, padding + 1)


def as_bert(tensors: Mapping[str, Array], family: Family, longest: int) -> dict[str, Array]:
    """The same tensors as a BERT has them. `longest`: text that the model takes, in tokens. Raises
    KeyError for a missing one.
    """
    named = {_named(name, family): value for name, value in tensors.items()}
    if family.skipped:
        named[POSITIONS] = named[POSITIONS][family.skipped :]
    if family.name == "mpnet":
        named[SEGMENTS] = np.zeros((1, named[POSITIONS].shape[1]), np.float32)
        named[RELATIVE] = _relative(named[BUCKETS], longest)
    return named


def _named(name: str, family: Family) -> str:
    name = name.removeprefix(PREFIXES[family.name])
    if family.name == "mpnet":
        for theirs, ours in MPNET_NAMES.items():
            name = name.replace(theirs, ours)
    return name


def _relative(table: Array, longest: int) -> Array:
    """`table`: of shape (buckets, heads)."""
    places = np.arange(longest)
    apart = places[None, :] - places[:, None]
    return np.ascontiguousarray(table[_bucket(apart, len(table))].transpose(2, 0, 1)[None])


def _bucket(apart: Array, count: int) -> Array:
    """Half of the buckets for either direction: one each for the nearest tokens, then ever wider
    ones (T5, section 2.1; https://arxiv.org/abs/1910.10683).
    """
    half, far = count // 2, np.abs(apart)
    near = half // 2
    # in float32, as transformers does: some of the borders are whole numbers
    share = np.log(np.maximum(far, 1).astype(np.float32) / near) / math.log(FARTHEST / near)
    wide = np.minimum(near + (share * (half - near)).astype(np.int64), half - 1)
    found: Array = np.where(far < near, far, wide) + half * (apart > 0)
    return found
