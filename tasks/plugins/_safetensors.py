"""Files of safetensors: a length, a header of JSON, and the numbers. Read where they lie in memory
(the library would copy them), so that all processes share one mapping of the weights.
"""

import json
from collections.abc import Mapping
from mmap import mmap
from typing import Any

import numpy as np

from llmops.tasks.errors import Damaged

Array = np.ndarray[Any, Any]
ALIGNED = 8


def tensors_of(raw: bytes | mmap) -> dict[str, Array]:
    """The float32 tensors of a file by name, as views. Raises Damaged for anything else."""
    begin = 8 + int.from_bytes(raw[:8], "little")
    try:
        header = json.loads(raw[8:begin])
        return {
            name: _view(raw, begin, entry)
            for name, entry in header.items()
            if entry.get("dtype") == "F32"
        }
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise Damaged(f"no file of safetensors: {error}") from error


def _view(raw: bytes | mmap, begin: int, entry: Mapping[str, Any]) -> Array:
    first, last = entry["data_offsets"]
    if not 0 <= first <= last:
        raise ValueError(f"a tensor lies from {first} to {last}")
    return np.frombuffer(raw, "<f4", (last - first) // 4, begin + first).reshape(entry["shape"])


def file_of(name: str, tensor: Array) -> bytes:
    """A file of one float32 tensor, as the library writes it: equal ones give equal bytes."""
    values = np.ascontiguousarray(tensor, "<f4").tobytes()
    entry = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [0, len(values)]}
    header = json.dumps({name: entry}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % ALIGNED)
    return len(header).to_bytes(8, "little") + header + values
