"""Our files of safetensors against the library's."""

import json
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from llmops.tasks.errors import Damaged
from llmops.tasks.plugins._safetensors import file_of, tensors_of


def test_a_file_has_the_bytes_that_the_library_writes() -> None:
    random = np.random.default_rng(7)
    for shape in ((1, 1), (3, 5), (384, 384)):
        tensor = random.normal(size=shape).astype(np.float32)
        content = file_of("adapter", tensor)
        assert content == save({"adapter": tensor})
        np.testing.assert_array_equal(load(content)["adapter"], tensor)
        np.testing.assert_array_equal(tensors_of(content)["adapter"], tensor)
        np.testing.assert_array_equal(tensors_of(file_of("adapter", tensor.T))["adapter"], tensor.T)


def test_tensors_of_other_kinds_are_passed_over() -> None:
    several: dict[str, Any] = {"a": np.ones((2, 3), np.float32), "b": np.ones(4, np.int64)}
    assert {name: each.shape for name, each in tensors_of(save(several)).items()} == {"a": (2, 3)}
    assert tensors_of(save(several, metadata={"format": "pt"})).keys() == {"a"}


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 80]},
        {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2]},
        {"dtype": "F32", "shape": "ab", "data_offsets": [0, 8]},
        [1],
    ],
)
def test_a_header_that_lies_is_refused(entry: object) -> None:
    header = json.dumps({"adapter": entry}).encode()
    with pytest.raises(Damaged, match="no file of safetensors"):
        tensors_of(len(header).to_bytes(8, "little") + header + bytes(8))


def test_anything_else_is_refused() -> None:
    for content in (b"", b"not a file", b"\xff" * 40, (2).to_bytes(8, "little") + b"[]"):
        with pytest.raises(Damaged, match="no file of safetensors"):
            tensors_of(content)
