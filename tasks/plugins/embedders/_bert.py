"""BERT as an ONNX graph in fp32 that reads its weights where they lie.

The graph is some 20 kB and takes milliseconds to emit, so nothing is cached on disk: every tensor
is an external initializer that points into the memory-mapped safetensors file, whose pages all
processes share. Linear layers are Gemm with `transB`, since safetensors stores (out, in). There is
no attention mask: the texts of one run have equal length. Pooling to the mean is a MatMul with
ones, faster than ReduceMean; it sums, as the length of the mean vanishes in normalisation.
"""

import hashlib
import mmap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from llmops.tasks.errors import Damaged
from llmops.tasks.plugins._safetensors import Array
from llmops.tasks.plugins.embedders import _protobuf as proto

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
RELATIVE = "relative_attention"
"""A tensor that not every model has: what is added to the attention of each head between two
tokens, of shape (1, heads, tokens, tokens).
"""


def mapped(path: Path, sha256: str) -> mmap.mmap:
    """The bytes of a file, read-only. Raises OSError, ValueError (empty), Damaged when its SHA-256
    is another one.
    """
    with path.open("rb") as file:
        raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if (got := hashlib.sha256(raw).hexdigest()) != sha256:
        raise Damaged(f"got SHA-256 {got[:16]}…, expected {sha256[:16]}…", where=str(path))
    return raw


@dataclass
class Graph:
    """Nodes in order, `weights` (external, by name) and `constants` (inside the model)."""

    shape: BertShape
    nodes: list[proto.Node] = field(default_factory=list)
    weights: dict[str, Array] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)

    def add(
        self,
        operator: str,
        inputs: list[str],
        output: str,
        domain: str = "",
        **attributes: proto.Attribute,
    ) -> str:
        self.nodes.append(proto.Node(operator, tuple(inputs), output, attributes, domain))
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
        inside = [
            proto.tensor(proto.INT64, value.shape, name, value.tobytes())
            for name, value in self.constants.items()
        ]
        outside = [proto.external(value.shape, name) for name, value in self.weights.items()]
        given = proto.value_info("ids", proto.INT64, ["texts", "tokens"])
        made = proto.value_info("sums", proto.FLOAT, ["texts", self.shape.width])
        return proto.model(proto.graph(self.nodes, [*inside, *outside], [given], [made]))


class Shared(NamedTuple):
    """Names that every layer uses: the shapes of `_shapes`, and further inputs of attention."""

    flat: str
    whole: str
    further: list[str]


def emit(tensors: dict[str, Array], shape: BertShape = MINILM) -> Graph:
    """The whole model. Raises KeyError for a missing tensor."""
    graph = Graph(shape)
    flat, whole = _shapes(graph)
    state = _embeddings(graph, tensors, flat)
    shared = Shared(flat, whole, _relative(graph, tensors))
    for layer in range(shape.layers):
        state = _layer(graph, tensors, f"encoder.layer.{layer}.", state, shared)
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


def _relative(graph: Graph, tensors: dict[str, Array]) -> list[str]:
    """The further inputs of attention, where its scores depend on how far two tokens are apart."""
    if RELATIVE not in tensors:
        return []
    whole = graph.weight("relative", tensors[RELATIVE])
    corner, sides = graph.constant("corner", 0, 0), graph.constant("sides", 2, 3)
    graph.add("Concat", ["tokens", "tokens"], "square", axis=0)
    none = ""  # of the operator's inputs `bias` and `key_padding_mask`
    return [none, none, graph.add("Slice", [whole, corner, "square", sides], "apart")]


def _linear(graph: Graph, tensors: dict[str, Array], name: str, state: str) -> str:
    weight = graph.weight(f"{name}.weight", tensors[f"{name}.weight"])
    bias = graph.weight(f"{name}.bias", tensors[f"{name}.bias"])
    return graph.add("Gemm", [state, weight, bias], name, transB=1)


def _layer_norm(graph: Graph, tensors: dict[str, Array], name: str, state: str) -> str:
    epsilon = graph.shape.epsilon
    scale = graph.weight(f"{name}.weight", tensors[f"{name}.weight"])
    bias = graph.weight(f"{name}.bias", tensors[f"{name}.bias"])
    return graph.add("LayerNormalization", [state, scale, bias], name, axis=-1, epsilon=epsilon)


def _layer(graph: Graph, tensors: dict[str, Array], prefix: str, state: str, shared: Shared) -> str:
    parts = [
        _linear(graph, tensors, f"{prefix}attention.self.{part}", state)
        for part in ("query", "key", "value")
    ]
    shaped = [graph.add("Reshape", [part, shared.whole], f"{part}.shaped") for part in parts]
    heads = graph.add(
        "MultiHeadAttention",
        shaped + shared.further,
        f"{prefix}heads",
        domain="com.microsoft",
        num_heads=graph.shape.heads,
    )
    attended = graph.add("Reshape", [heads, shared.flat], f"{prefix}heads_flat")
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
    if graph.shape.pooling == "cls":
        graph.add("Gather", [states, graph.constant("first", 0)], "pooled", axis=1)
        graph.add("Squeeze", ["pooled", graph.constant("axis", 1)], "sums")
        return
    graph.add("Concat", ["texts", graph.constant("one", 1), "tokens"], "row", axis=0)
    graph.add("ConstantOfShape", ["row"], "ones", value=proto.scalar("value", 1.0))
    graph.add("MatMul", ["ones", states], "pooled")
    graph.add("Squeeze", ["pooled", graph.constant("axis", 1)], "sums")
