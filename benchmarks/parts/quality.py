"""How well searches find, on public judged sets."""

import tempfile
from pathlib import Path

from benchmarks.command import data_folder
from benchmarks.report.records import Part, Record
from benchmarks.retrieval import measured

SETS, QUICK = ("scifact", "xquad-zh"), ("xquad-zh",)
ABOUT = """nDCG@10 of `llmops kb measure` after `llmops index` with defaults (embedder `minilm`
in fp32, nothing fitted on the questions), so that what is fast above is also seen to find. Peers
and published figures: [retrieval.md](../retrieval.md)."""


def measure(*, quick: bool) -> Part:
    """Raises UsageError where LLMOPS_BENCH_DATA is not set."""
    data = data_folder()
    records = []
    for name in QUICK if quick else SETS:
        with tempfile.TemporaryDirectory(prefix="llmops-bench-") as place:
            _, found = measured(name, data, Path(place), [])
        records += [
            Record(f"{name}: nDCG@10", f"llmops {mode}", "", [values["ndcg@10"]["value"]], "more")
            for mode, values in found["modes"].items()
        ]
    return Part(
        name="quality",
        title="Quality",
        about=ABOUT,
        command="LLMOPS_BENCH_DATA=… python -m benchmarks quality",
        records=records,
    )
