"""The bytes of our graphs against those that the package `onnx` makes of the same graph."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import StringStringEntryProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from llmops.tasks.plugins._safetensors import tensors_of
from llmops.tasks.plugins.embedders import _protobuf as proto
from llmops.tasks.plugins.embedders._bert import BertShape, Graph, Pooling, emit
from llmops.tasks.plugins.embedders._protobuf import Node
from tests.plugins.embedders.tiny import HEADS, LAYERS, tiny_model

ONE = helper.make_tensor("value", TensorProto.FLOAT, [1], [1.0])


def drawn(folder: Path, pooling: Pooling) -> Graph:
    weights = (tiny_model(folder, width=16) / "model.safetensors").read_bytes()
    shape = BertShape(LAYERS, 16, HEADS, pooling=pooling)
    return emit({name.removeprefix("bert."): t for name, t in tensors_of(weights).items()}, shape)


def node(ours: Node) -> Any:
    known: dict[str, Any] = {
        name: ONE if isinstance(value, bytes) else value for name, value in ours.attributes.items()
    }
    known |= {"domain": ours.domain} if ours.domain else {}
    return helper.make_node(ours.operator, ours.inputs, [ours.output], **known)


def outside(name: str, value: Any) -> Any:
    place = StringStringEntryProto(key="location", value="memory")
    return TensorProto(
        name=name,
        dims=value.shape,
        data_type=TensorProto.FLOAT,
        data_location=TensorProto.EXTERNAL,
        external_data=[place],
    )


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_graph_has_the_bytes_that_onnx_gives_it(tmp_path: Path, pooling: Pooling) -> None:
    ours = drawn(tmp_path / "model", pooling)
    inside = [numpy_helper.from_array(value, name) for name, value in ours.constants.items()]
    graph = helper.make_graph(
        [node(each) for each in ours.nodes],
        "bert",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "tokens"])],
        [helper.make_tensor_value_info("sums", TensorProto.FLOAT, ["texts", 16])],
        [*inside, *(outside(name, value) for name, value in ours.weights.items())],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    theirs = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    assert ours.serialised() == theirs.SerializeToString()


def test_numbers_of_every_kind_are_read_as_they_were_written() -> None:
    large = np.array([-1, 0, 127, 128, 2**40], np.int64)
    held = proto.tensor(proto.INT64, large.shape, "held", large.tobytes())
    nodes = [
        Node("Identity", ("held",), "same", {}),
        Node("Concat", ("same", "given"), "made", {"axis": -1}),
    ]
    sides = [[proto.value_info(name, proto.INT64, ["n"])] for name in ("given", "made")]
    content = proto.model(proto.graph(nodes, [held], *sides))
    made = ReferenceEvaluator(content).run(["made"], {"given": np.array([300], np.int64)})
    assert next(iter(made)).tolist() == [*large.tolist(), 300]
