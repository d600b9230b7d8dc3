"""The random BERT of `tiny.py` as its relatives have it: other names of the tensors, positions that
begin later, other tokenizers; and attention by distance, in plain numpy, to compare with.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from tests.plugins.embedders.reference import Array, Reference
from tests.plugins.embedders.tiny import HEADS, LAYERS, LETTERS, tiny_model, write

PADDING, BUCKETS = 1, 32
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
FRAME = SPECIAL.index("<s>"), SPECIAL.index("</s>")
PREFIX = {"roberta": "roberta.", "xlm-roberta": "roberta.", "camembert": "", "mpnet": ""}
MPNET = {"query": "attn.q", "key": "attn.k", "value": "attn.v"}


def relative(folder: Path, family: str, pooling: str = "mean") -> Path:
    """A folder with a model of that `model_type`."""
    from safetensors.numpy import load_file, save_file

    tiny_model(folder, pooling=pooling)
    tensors = load_file(folder / "model.safetensors")
    if family == "mpnet":
        del tensors["embeddings.token_type_embeddings.weight"]
        table = np.random.default_rng(5).normal(0, 1, (BUCKETS, HEADS))
        tensors["encoder.relative_attention_bias.weight"] = table.astype(np.float32)
    named = {PREFIX[family] + _renamed(name, family): each for name, each in tensors.items()}
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    write(folder / "config.json", config | {"model_type": family, "pad_token_id": PADDING})
    _tokenizer(family).save(str(folder / "tokenizer.json"))
    return folder


def _renamed(name: str, family: str) -> str:
    if family == "mpnet":
        for bert, theirs in MPNET.items():
            name = name.replace(f"attention.self.{bert}.", f"attention.{theirs}.")
        name = name.replace("attention.output.dense.", "attention.attn.o.")
        name = name.replace("attention.output.LayerNorm.", "attention.LayerNorm.")
    return name


def _tokenizer(family: str) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    if family == "mpnet":
        pieces = [*SPECIAL, *LETTERS, *(f"##{each}" for each in LETTERS), "."]
        numbers = {piece: number for number, piece in enumerate(pieces)}
        made = Tokenizer(models.WordPiece(numbers, unk_token="<unk>"))
        made.normalizer, made.pre_tokenizer = (
            normalizers.BertNormalizer(),
            pre_tokenizers.BertPreTokenizer(),
        )
    elif family != "roberta":
        known = [*SPECIAL, "▁", *LETTERS, ".", "▁ab", "ca"]
        made = Tokenizer(models.Unigram([(piece, -1.0) for piece in known], unk_id=3))
        made.normalizer = normalizers.NFKC()
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
        )
    else:
        known = [*SPECIAL, *LETTERS, ".", "Ġ", "ab", "Ġc"]
        numbers = {piece: number for number, piece in enumerate(known)}
        made = Tokenizer(models.BPE(numbers, [("a", "b"), ("Ġ", "c")], unk_token="<unk>"))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.add_special_tokens(list(SPECIAL))
    around = [(each, SPECIAL.index(each)) for each in ("<s>", "</s>")]
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=around)
    return made


class RelativeReference(Reference):
    """Written from the papers of RoBERTa and MPNet and the layout that transformers describes."""

    def __init__(self, folder: Path, family: str, pooling: str = "mean") -> None:
        super().__init__(folder, LAYERS, HEADS, pooling)
        self.weights = {
            _bert(name.removeprefix(PREFIX[family])): value for name, value in self.weights.items()
        }
        positions = "embeddings.position_embeddings.weight"
        self.weights[positions] = self.weights[positions][PADDING + 1 :]
        self.table = self.weights.get("encoder.relative_attention_bias.weight")
        if self.table is not None:
            width = self.weights[positions].shape[1]
            self.weights["embeddings.token_type_embeddings.weight"] = np.zeros((1, width))

    def scores(self, query: Array, key: Array) -> Array:
        plain = super().scores(query, key)
        if self.table is None:
            return plain
        for row in range(plain.shape[1]):
            for column in range(plain.shape[2]):
                plain[:, row, column] += self.table[bucket(column - row)]
        return plain


def _bert(name: str) -> str:
    for bert, theirs in MPNET.items():
        name = name.replace(f"attention.{theirs}.", f"attention.self.{bert}.")
    name = name.replace("attention.attn.o.", "attention.output.dense.")
    return name.replace("attention.LayerNorm.", "attention.output.LayerNorm.")


def bucket(ahead: int) -> int:
    """Of 32: 8 near ones for either direction, then 8 that widen up to 128 tokens."""
    far, side = abs(ahead), 16 if ahead > 0 else 0
    if far < 8:
        return side + far
    return side + min(15, 8 + int(math.log(far / 8) / math.log(128 / 8) * 8))
