"""The weights of all-MiniLM-L6-v2 as an ONNX model with an attention mask, which fastembed reads:
it embeds texts of unequal length together. The hub, from which it would fetch its own, need not be
reached.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, save
from safetensors.numpy import load_file

from llmops.tasks.plugins.embedders.minilm import weights_folder

LAYERS, HEADS, WIDTH = 6, 12, 384
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def write_model(folder: Path) -> Path:
    """`model.onnx` with the tokenizer's files, as fastembed wants them in a folder."""
    source = weights_folder()
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(source / name, folder)
    (folder / "config.json").write_text(json.dumps({"pad_token_id": 0}))
    save(MaskedBert(load_file(source / "model.safetensors")).model(), str(folder / "model.onnx"))
    return folder


class MaskedBert:
    """Attention is ONNX Runtime's fused operator, as in the files that fastembed fetches."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self._weights = {name: value for name, value in weights.items() if "pooler" not in name}
        self._nodes: list[NodeProto] = []

    def model(self) -> ModelProto:
        state = self._embedded()
        mask = self._add("Cast", "attention_mask", to=TensorProto.INT32)
        for number in range(LAYERS):
            state = self._layer(f"encoder.layer.{number}.", state, mask)
        self._nodes.append(helper.make_node("Identity", [state], ["last_hidden_state"]))
        shape: list[str | int | None] = ["texts", "tokens"]
        given = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in INPUTS]
        made = helper.make_tensor_value_info(
            "last_hidden_state", TensorProto.FLOAT, [*shape, WIDTH]
        )
        held = [numpy_helper.from_array(value, name) for name, value in self._weights.items()]
        graph = helper.make_graph(self._nodes, "minilm", given, [made], held)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)

    def _add(self, operator: str, *inputs: str, **options: Any) -> str:
        made = f"{operator}{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [made], **options))
        return made

    def _embedded(self) -> str:
        words = self._add("Gather", "embeddings.word_embeddings.weight", "input_ids")
        kinds = self._add("Gather", "embeddings.token_type_embeddings.weight", "token_type_ids")
        self._weights |= {"zero": np.array([0]), "axis": np.array([0])}
        end = self._add("Shape", "input_ids", start=1, end=2)
        positions = self._add("Slice", "embeddings.position_embeddings.weight", "zero", end, "axis")
        summed = self._add("Add", self._add("Add", words, positions), kinds)
        return self._normed("embeddings.LayerNorm", summed)

    def _normed(self, name: str, state: str) -> str:
        scale, bias = f"{name}.weight", f"{name}.bias"
        return self._add("LayerNormalization", state, scale, bias, axis=-1, epsilon=1e-12)

    def _linear(self, name: str, state: str) -> str:
        weight = f"{name}.weight"
        self._weights[weight] = np.ascontiguousarray(self._weights[weight].T)
        return self._add("Add", self._add("MatMul", state, weight), f"{name}.bias")

    def _layer(self, name: str, state: str, mask: str) -> str:
        parts = [
            self._linear(f"{name}attention.self.{part}", state)
            for part in ("query", "key", "value")
        ]
        given = [*parts, "", mask]
        heads = self._add("MultiHeadAttention", *given, domain="com.microsoft", num_heads=HEADS)
        attended = self._linear(f"{name}attention.output.dense", heads)
        state = self._normed(f"{name}attention.output.LayerNorm", self._add("Add", state, attended))
        inner = self._add("Gelu", self._linear(f"{name}intermediate.dense", state))
        outer = self._linear(f"{name}output.dense", inner)
        return self._normed(f"{name}output.LayerNorm", self._add("Add", state, outer))
