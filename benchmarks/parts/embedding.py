"""Texts a second that embedders with the same weights take."""

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.embedding import cut
from benchmarks.parts.ingestion import turned
from benchmarks.parts.masked_bert import write_model
from benchmarks.parts.texts import passages
from benchmarks.report.processes import Absent, Worker, worker
from benchmarks.report.records import Part, Record
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders.minilm import weights_folder

OURS = {"llmops fp32": "fp32", "llmops int8": "int8"}
PEERS = {
    "fastembed": "fastembed",
    "sentence-transformers": "sentence-transformers",
    "LlamaIndex HuggingFaceEmbedding": "llamaindex",
}
ALIKE = 0.02
"""How far the first component of the first vector may lie from that of the first round."""

HEAVY = ("sentence-transformers", "llamaindex")
TORCH = " (it needs torch: `make bench TORCH=1` installs it)"
LENGTHS = {"mixed": (40, 254), "full": (254, 254), "short": (15, 15)}
ABOUT = """{count} passages of Python's help topics, cut to 40 to 254 tokens (**mixed**), to 254
(**full**) and to 15 (**short**), embedded in one call by a warm process on all cores;
tokenisation included. All have the weights of all-MiniLM-L6-v2. `int8` (by CTranslate2) is an
option of ours that gives other vectors, nearly the same ones ([retrieval.md](../retrieval.md));
`fp32` is the default and the one that computes what the peers compute. fastembed reads these
weights as an ONNX model with fused attention, in its default batches."""


def measure(*, quick: bool) -> Part:
    count, rounds = (24, 2) if quick else (60, 5)
    skipped, pace = dict[str, str](), dict[tuple[str, str], list[float]]()
    first: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder)
        (place / "texts.json").write_text(json.dumps(kinds(count)))
        (place / "minilm").symlink_to(weights_folder())
        (place / "onnx").mkdir()
        model = str(write_model(place / "onnx"))
        started = dict[str, Worker]()
        for name, system in (OURS | PEERS).items():
            given = [system, str(place / "texts.json"), model]
            try:
                one = worker("benchmarks.contenders.embed", *given, peer=name not in OURS)
                started[name] = stack.enter_context(one)
            except Absent as error:
                skipped[name] = f"{error}{TORCH if system in HEAVY else ''}"
        for number in range(rounds):
            for name in turned([*started], number):
                for kind in LENGTHS:
                    told = started[name].ask(kind)
                    pace.setdefault((kind, name), []).append(count / told["seconds"])
                    first.setdefault(kind, told["first"])
                    if abs(told["first"] - first[kind]) > ALIKE:
                        raise RuntimeError(f"{name} does not compute what {next(iter(OURS))} does")
    names = [f"{kind} texts" for kind in LENGTHS]
    return Part(
        name="embedding",
        title="Embedding",
        about=ABOUT.format(count=count),
        command="python -m benchmarks embedding",
        records=[
            Record(f"{kind} texts", name, "texts/s", pace[kind, name], "more")
            for kind in LENGTHS
            for name in started
        ],
        skipped=skipped,
        plot=names,
    )


def kinds(count: int) -> dict[str, list[str]]:
    tokens = Spec(name="minilm").build(Embedder)
    dealt = passages(count)
    return {kind: cut(dealt, least, most, tokens) for kind, (least, most) in LENGTHS.items()}
