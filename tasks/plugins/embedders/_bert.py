"""BERT as an ONNX graph in fp32 that reads its weights where they lie.

The graph is some 10 kB and takes milliseconds to emit, so nothing is cached on disk: every tensor
is an external initializer that points into the memory-mapped safetensors file, whose pages all
processes share. Linear layers are Gemm with `transB`, since safetensors stores (out, in). There is
no attention mask: the texts of one run have equal length. Pooling to the mean is a MatMul with
ones, faster than ReduceMean; it sums, as the length of the mean vanishes in normalisation.
"""

import hashlib
import json
import mmap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from llmops.tasks.errors import Damaged

if TYPE_CHECKING:
    from onnx import TensorProto

Array = np.ndarray[Any, Any]
Pooling = Literal["mean", "cls"]


class BertShape(NamedTuple):
    """What a graph needs to know beside the weights. `pooling`: the mean of all states, or the
    first one.
    """

    layers: int
    width: int
    heads: int
    epsilon: float = 1e-12
    pooling: Pooling = "mean"


MINILM = BertShape(layers=6, width=384, heads=12)


def mapped(path: Path, sha256: str) -> mmap.mmap:
    """The bytes of a file, read-only. Raises OSError, ValueError (empty), Damaged when its SHA-256
    is another one.
    """
    with path.open("rb") as file:
        raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if (got := hashlib.sha256(raw).hexdigest()) != sha256:
        raise Damaged(f"got SHA-256 {got[:16]}…, expected {sha256[:16]}…", where=str(path))
    return raw


def tensors_of(raw: mmap.mmap) -> dict[str, Array]:
    """The float32 tensors of a safetensors file by name, as views."""
    begin = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:begin])
    return {
        name: _view(raw, begin, entry)
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }


def _view(raw: mmap.mmap, begin: int, entry: dict[str, Any]) -> Array:
    first, last = entry["data_offsets"]
    return np.frombuffer(raw, "<f4", (last - first) // 4, begin + first).reshape(entry["shape"])


@dataclass
class Graph:
    """Nodes in order, `weights` (external, by name) and `constants` (inside the model)."""

    shape: BertShape
    nodes: list[Any] = field(default_factory=list)
    weights: dict[str, Array] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def weight(self, name: str, value: Array) -> str:
        self.weights[name] = value
        return name

    def constant(self, name: str, *values: int) -> str:
        self.constants[name] = np.array(values, dtype=np.int64)
        return name

    def serialised(self) -> bytes:
        """The model: input `ids`, int64, shape (texts, tokens); output `sums`, float32, shape
        (texts, width).
        """
        from onnx import TensorProto, helper, numpy_helper

        inside = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        outside = [_external(name, value) for name, value in self.weights.items()]
        graph = helper.make_graph(
            self.nodes,
            "bert",
            [helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "tokens"])],
            [helper.make_tensor_value_info("sums", TensorProto.FLOAT, ["texts", self.shape.width])],
            [*inside, *outside],
        )
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
        model: bytes = helper.make_model(
            graph, opset_imports=opsets, ir_version=9
        ).SerializeToString()
        return model


def _external(name: str, value: Array) -> "TensorProto":
    from onnx import StringStringEntryProto, TensorProto

    place = StringStringEntryProto(key="location", value="memory")
    return TensorProto(
        name=name,
        dims=value.shape,
        data_type=TensorProto.FLOAT,
        data_location=TensorProto.EXTERNAL,
        external_data=[place],
    )


def emit(tensors: dict[str, Array], shape: BertShape = MINILM) -> Graph:
    """The whole model. Raises KeyError for a missing tensor."""
    graph = Graph(shape)
    flat, whole = _shapes(graph)
    state = _embeddings(graph, tensors, flat)
    for layer in range(shape.layers):
        state = _layer(graph, tensors, f"encoder.layer.{layer}.", state, (flat, whole))
    _pooling(graph, graph.add("Reshape", [state, whole], "states"))
    return graph


def _shapes(graph: Graph) -> tuple[str, str]:
    """Names of the shapes (texts × tokens, width), for linear layers, and (texts, tokens, width),
    for attention.
    """
    width = graph.shape.width
    graph.add("Shape", ["ids"], "texts", start=0, end=1)
    graph.add("Shape", ["ids"], "tokens", start=1, end=2)
    graph.add("Concat", ["texts", "tokens", graph.constant("width", width)], "shape", axis=0)
    return graph.constant("flat", -1, width), "shape"


def _embeddings(graph: Graph, tensors: dict[str, Array], flat: str) -> str:
    words = graph.weight("words", tensors["embeddings.word_embeddings.weight"])
    segment = tensors["embeddings.token_type_embeddings.weight"][0]
    positions = graph.weight(
        "positions", tensors["embeddings.position_embeddings.weight"] + segment
    )
    graph.add("Slice", [positions, graph.constant("zero", 0), "tokens"], "position")
    graph.add("Gather", [words, "ids"], "word")
    graph.add("Add", ["word", "position"], "embedded")
    normed = _layer_norm(graph, tensors, "embeddings.LayerNorm", "embedded")
    return graph.add("Reshape", [normed, flat], "embedded_flat")


def _linear(graph: Graph, tensors: dict[str, Array], name: str, state: str) -> str:
    weight = graph.weight(f"{name}.weight", tensors[f"{name}.weight"])
    bias = graph.weight(f"{name}.bias", tensors[f"{name}.bias"])
    return graph.add("Gemm", [state, weight, bias], name, transB=1)


def _layer_norm(graph: Graph, tensors: dict[str, Array], name: str, state: str) -> str:
    epsilon = graph.shape.epsilon
    scale = graph.weight(f"{name}.weight", tensors[f"{name}.weight"])
    bias = graph.weight(f"{name}.bias", tensors[f"{name}.bias"])
    return graph.add("LayerNormalization", [state, scale, bias], name, axis=-1, epsilon=epsilon)


def _layer(
    graph: Graph, tensors: dict[str, Array], prefix: str, state: str, shapes: tuple[str, str]
) -> str:
    flat, whole = shapes
    parts = [
        _linear(graph, tensors, f"{prefix}attention.self.{part}", state)
        for part in ("query", "key", "value")
    ]
    shaped = [graph.add("Reshape", [part, whole], f"{part}.shaped") for part in parts]
    heads = graph.add(
        "MultiHeadAttention",
        shaped,
        f"{prefix}heads",
        domain="com.microsoft",
        num_heads=graph.shape.heads,
    )
    attended = graph.add("Reshape", [heads, flat], f"{prefix}heads_flat")
    attended = _linear(graph, tensors, f"{prefix}attention.output.dense", attended)
    state = graph.add("Add", [state, attended], f"{prefix}attended")
    state = _layer_norm(graph, tensors, f"{prefix}attention.output.LayerNorm", state)
    inner = graph.add(
        "Gelu", [_linear(graph, tensors, f"{prefix}intermediate.dense", state)], f"{prefix}gelu"
    )
    outer = graph.add(
        "Add", [state, _linear(graph, tensors, f"{prefix}output.dense", inner)], f"{prefix}fed"
    )
    return _layer_norm(graph, tensors, f"{prefix}output.LayerNorm", outer)


def _pooling(graph: Graph, states: str) -> None:
    from onnx import TensorProto, helper

    if graph.shape.pooling == "cls":
        graph.add("Gather", [states, graph.constant("first", 0)], "pooled", axis=1)
        graph.add("Squeeze", ["pooled", graph.constant("axis", 1)], "sums")
        return
    graph.add("Concat", ["texts", graph.constant("one", 1), "tokens"], "row", axis=0)
    graph.add(
        "ConstantOfShape",
        ["row"],
        "ones",
        value=helper.make_tensor("value", TensorProto.FLOAT, [1], [1.0]),
    )
    graph.add("MatMul", ["ones", states], "pooled")
    graph.add("Squeeze", ["pooled", graph.constant("axis", 1)], "sums")
