"""A loaded BERT, and one in ONNX Runtime (in int8: `_int8.py`): one text per run, one
single-threaded run per core at a time.

A text's states stay in the L2 cache, and nothing is padded or masked. Texts of equal length share a
run up to 256 tokens in all: in fp32 their vectors are bitwise the same as alone, which the tests
check.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from llmops.tasks import stopping
from llmops.tasks.plugins._processors import processors
from llmops.tasks.plugins._safetensors import Array
from llmops.tasks.plugins.embedders import normalised
from llmops.tasks.plugins.embedders._bert import Graph
from llmops.tasks.schemas import Vectors

RUN_TOKENS = 256


@dataclass(frozen=True)
class LoadedModel:
    """`run`: token ids of texts of equal length -> their pooled states, of shape (texts, width);
    it is called from several threads.
    """

    run: Callable[[list[Sequence[int]]], Vectors]
    width: int

    def vectors(self, ids: Sequence[Sequence[int]]) -> Vectors:
        """A row of length 1 for each text, of shape (texts, width), in order. Where a command was
        asked to stop it raises Stopped between two runs: they cost nothing, and are not waited for.
        """
        sums = np.zeros((len(ids), self.width), np.float32)

        def run(group: list[int]) -> None:
            stopping.check()
            sums[group] = self.run([ids[row] for row in group])

        _each(run, runs([len(row) for row in ids]))
        return normalised(sums)


def load(graph: Graph) -> LoadedModel:
    """A session that may be used from several threads, and after a fork."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = (
        False  # threads that share a session slow each other down in the arena
    )
    values = {
        name: onnxruntime.OrtValue.ortvalue_from_numpy(value)
        for name, value in graph.weights.items()
    }
    options.add_external_initializers(list(values), list(values.values()))
    session = onnxruntime.InferenceSession(
        graph.serialised(), options, providers=["CPUExecutionProvider"]
    )
    return LoadedModel(_Session(session, values, graph.weights).sums, graph.shape.width)


@dataclass(frozen=True)
class _Session:
    """And the memory that it reads its weights from."""

    session: Any
    values: Mapping[str, Any]
    weights: Mapping[str, Array]

    def sums(self, ids: list[Sequence[int]]) -> Vectors:
        found: Vectors = self.session.run(["sums"], {"ids": np.array(ids, np.int64)})[0]
        return found


def runs(lengths: Sequence[int]) -> list[list[int]]:
    """Row numbers grouped into runs of equal length and at most RUN_TOKENS tokens in all, longest
    first.
    """
    groups: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        last = groups[-1] if groups else []
        if (
            last
            and lengths[last[0]] == lengths[row]
            and (len(last) + 1) * lengths[row] <= RUN_TOKENS
        ):
            last.append(row)
        else:
            groups.append([row])
    return groups


def _each(run: Callable[[list[int]], None], groups: list[list[int]]) -> None:
    """Run all groups, one per core at a time. A pool per call survives a fork and costs little
    beside the runs.
    """
    workers = min(len(groups), processors())
    if workers < 2:
        for group in groups:
            run(group)
        return
    with ThreadPoolExecutor(workers, "embedder") as pool:
        list(pool.map(run, groups))
