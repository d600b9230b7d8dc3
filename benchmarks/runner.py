"""The evaluation runner against a local endpoint that takes 50 ms: throughput, requests under way,
our own time, memory; then from memory.

    python -m benchmarks.runner [--cases 2000] [--concurrency 32] [--arms 2] [--latency 0.05]

The endpoint is a process of its own. `ideal s` is what the latency alone would take; `cpu ms` is
processor time of our process, client and ledger included; `under way` is the mean and the most that
the endpoint saw. Memory is that after each part of 200 cases.
"""

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from llmops.tasks.calls.budget import Spent
from llmops.tasks.evaluation.answering import answer_part
from llmops.tasks.evaluation.results import read_results
from llmops.tasks.evaluation.run import Arm, EvaluationRun
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.prompts import Prompt, Resolved

ROOT, PART, PASSAGE = (
    Path(__file__).parent.parent,
    200,
    "A sentence of ten words stands here to be read. " * 10,
)
COLUMNS = (
    "run",
    "calls",
    "wall s",
    "ideal s",
    "calls/s",
    "cpu ms per call",
    "cpu ms per case",
    "lost",
    "MB at 500",
    "MB at the end",
)


@contextmanager
def endpoint(latency: float, log: Path) -> Iterator[str]:
    """The base_url of a service of its own process, which writes a line for each request."""
    order = [
        sys.executable,
        "-m",
        "tests.openai_server",
        "--latency",
        str(latency),
        "--log",
        str(log),
    ]
    with subprocess.Popen(order, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def trial(folder: Path, base_url: str, arms: int, concurrency: int) -> EvaluationRun:
    llm = Spec(name="openai", options={"model": "local", "base_url": base_url, "max_tokens": 200})
    texts = [
        f"Answer in {number + 1} sentences.\n\n{{{{passages}}}}\n\nQuestion: {{{{question}}}}"
        for number in range(arms)
    ]
    prompts = [
        Prompt.model_validate(
            {"name": f"p{number}", "messages": [{"role": "user", "content": text}]}
        )
        for number, text in enumerate(texts)
    ]
    made = tuple(
        Arm(name=one.name, prompt=Resolved(prompt=one, uri=one.name), llm=llm, price=(0.15, 0.6))
        for one in prompts
    )
    return EvaluationRun(
        home=folder / "home",
        name="bench",
        id="bench",
        folder=folder / "parts",
        baseline="p0",
        scorers=(),
        arms=made,
        concurrency=concurrency,
    )


def run(order: EvaluationRun, cases: Sequence[Case]) -> dict[str, float]:
    """All parts, one after the other, as the flow does it."""
    spent, megabytes, process, results, wall, processor = Spent(), {}, psutil.Process(), 0, 0.0, 0.0
    for number, first in enumerate(range(0, len(cases), PART), 1):
        began = time.perf_counter(), time.process_time()
        part = answer_part(order, number, cases[first : first + PART], spent)
        wall, processor = (
            wall + time.perf_counter() - began[0],
            processor + time.process_time() - began[1],
        )
        spent, results = (
            part.spent,
            results + sum(one.status == "answered" for one in read_results(part.file)),
        )
        gc.collect()
        megabytes[min(first + PART, len(cases))] = process.memory_info().rss / 2**20
    calls = len(cases) * len(order.arms)
    at_500 = next((size for done, size in megabytes.items() if done >= 500), 0.0)
    return {
        "calls": spent.calls,
        "wall s": wall,
        "calls/s": calls / wall,
        "cpu ms per call": 1e3 * processor / calls,
        "cpu ms per case": 1e3 * processor / len(cases),
        "lost": calls - results,
        "MB at 500": at_500,
        "MB at the end": megabytes[len(cases)],
    }


def under_way(log: Path, latency: float) -> tuple[float, int]:
    """Mean and most, over the arrivals: how many had come in the time of an answer before."""
    came = np.sort([json.loads(line)["at"] for line in log.read_text().splitlines()])
    counts = np.arange(1, len(came) + 1) - np.searchsorted(came, came - latency, side="right")
    return float(counts.mean()), int(counts.max())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, usual in (("cases", 2_000), ("concurrency", 32), ("arms", 2)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--latency", type=float, default=0.05)
    options = parser.parse_args()
    cases = [
        Case(id=f"c{number}", inputs={"question": f"What is {number}?", "passages": [PASSAGE] * 5})
        for number in range(options.cases)
    ]
    sys.stdout.write("".join(f"{name:>17}" for name in COLUMNS) + "\n")
    with (
        tempfile.TemporaryDirectory() as name,
        endpoint(options.latency, Path(name) / "log") as base_url,
    ):
        order = trial(Path(name), base_url, options.arms, options.concurrency)
        for what in ("asked", "remembered"):
            found = run(order, cases)
            found["ideal s"] = found["calls"] * options.latency / options.concurrency
            sys.stdout.write(
                f"{what:>17}" + "".join(f"{found[column]:>17.1f}" for column in COLUMNS[1:]) + "\n"
            )
        mean, most = under_way(Path(name) / "log", options.latency)
        sys.stdout.write(
            f"under way at the endpoint: {mean:.1f} on average, {most} at most, "
            f"{options.concurrency} allowed\n"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
