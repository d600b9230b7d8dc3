"""An ONNX model as bytes: the few messages of onnx.proto that a graph of ours consists of.

By hand, since the package `onnx` is 31 MB for some 100 lines of names, and graphs differ with the
shape of a model, so that none can be shipped. The bytes are those that `onnx` writes (a test asks).
"""

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

FLOAT, INT64 = 1, 7
"""TensorProto.DataType."""
OPSETS = {"": 20, "com.microsoft": 1}
IR_VERSION = 9
OF_FLOAT, OF_INT, OF_TENSOR = 1, 2, 4
"""AttributeProto.AttributeType."""
Attribute = int | float | bytes
"""Bytes: a tensor."""


class Node(NamedTuple):
    """An operator with its inputs and its one output."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Attribute]
    domain: str = ""

    def encoded(self) -> bytes:
        parts = [_text(1, name) for name in self.inputs]
        parts += [_text(2, self.output), _text(4, self.operator)]
        parts += [_bytes(5, _attribute(*each)) for each in sorted(self.attributes.items())]
        return b"".join(parts) + (_text(7, self.domain) if self.domain else b"")


def model(graph: bytes) -> bytes:
    """The file of a graph."""
    opsets = (_text(1, domain) + _number(2, version) for domain, version in OPSETS.items())
    return _number(1, IR_VERSION) + _bytes(7, graph) + b"".join(_bytes(8, each) for each in opsets)


def graph(
    nodes: Sequence[Node], tensors: Sequence[bytes], given: Sequence[bytes], made: Sequence[bytes]
) -> bytes:
    """`tensors`: initializers; `given`, `made`: inputs and outputs."""
    parts = [*(_bytes(1, node.encoded()) for node in nodes), _text(2, "bert")]
    for field, values in ((5, tensors), (11, given), (12, made)):
        parts += [_bytes(field, value) for value in values]
    return b"".join(parts)


def tensor(kind: int, dims: Sequence[int], name: str, raw: bytes) -> bytes:
    """With its values, little-endian."""
    return _head(kind, dims) + _text(8, name) + _bytes(9, raw)


def scalar(name: str, value: float) -> bytes:
    """One float32, as a tensor of shape (1,)."""
    held = _bytes(4, struct.pack("<f", value))
    return _head(FLOAT, [1]) + held + _text(8, name)


def external(dims: Sequence[int], name: str) -> bytes:
    """A float32 tensor whose values the session is given."""
    place = _text(1, "location") + _text(2, "memory")
    return _head(FLOAT, dims) + _text(8, name) + _bytes(13, place) + _number(14, 1)


def value_info(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    """An input or an output; a dimension of any length has a name."""
    dims = (_number(1, each) if isinstance(each, int) else _text(2, each) for each in shape)
    tensor_type = _number(1, kind) + _bytes(2, b"".join(_bytes(1, each) for each in dims))
    return _text(1, name) + _bytes(2, _bytes(1, tensor_type))


def _head(kind: int, dims: Sequence[int]) -> bytes:
    return b"".join(_number(1, each) for each in dims) + _number(2, kind)


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, bytes):
        return _text(1, name) + _bytes(5, value) + _number(20, OF_TENSOR)
    if isinstance(value, float):
        return _text(1, name) + b"\x15" + struct.pack("<f", value) + _number(20, OF_FLOAT)
    return _text(1, name) + _number(3, value) + _number(20, OF_INT)


def _varint(value: int) -> bytes:
    """As protobuf writes whole numbers; negative ones as 64 bits."""
    rest, written = value % 2**64, bytearray()
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*written, rest])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
