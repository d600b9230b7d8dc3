"""What somebody waits who asks a served application under a steady load."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from benchmarks.command import llmops
from benchmarks.report.records import Part, Record
from benchmarks.serving import at_rate, bare, search, served, write

RATE = 50
ABOUT = """`llmops serve` on {chunks:,} chunks (`hash`), {rate} requests a second by the clock
whether earlier ones have been answered or not, {seconds} s a round; times count from when a
request should have been sent. The load generator runs on the same cores. **search alone**:
`Searcher.search` in a process that does nothing else, once. Requests that failed: {failed} of
{requests}."""


def measure(*, quick: bool) -> Part:
    chunks, seconds, rounds = (1_000, 5, 1) if quick else (20_000, 15, 3)
    chosen = argparse.Namespace(chunks=chunks, embedder="hash")
    with tempfile.TemporaryDirectory(prefix="llmops-bench-") as place:
        folder = Path(place)
        write(folder, chosen, edited=0)
        llmops(folder, "index", str(folder / "bench.yaml"))
        alone = bare(folder)
        with served(folder) as (url, process):
            asyncio.run(at_rate(url, process, search, 20, 5))  # warm
            found = [
                asyncio.run(at_rate(url, process, search, RATE, seconds)) for _ in range(rounds)
            ]
        llmops(folder, "down")
    requests = sum(each.requests for each in found)
    failed = sum(each.failed for each in found)
    records = []
    for figure in ("p50", "p95"):
        name = f"{RATE} requests/s: {figure}"
        served_ms = [float(getattr(each, f"{figure}_ms")) for each in found]
        records.append(Record(name, "llmops serve", "ms", served_ms))
        records.append(Record(name, "llmops, search alone", "ms", [alone[f"{figure}_ms"]]))
    cpu = [float(each.cpu_ms) for each in found]
    records.append(Record("processor time of a request", "llmops serve", "ms", cpu))
    return Part(
        name="serving",
        title="Serving",
        about=ABOUT.format(
            chunks=chunks, rate=RATE, seconds=seconds, failed=failed, requests=requests
        ),
        command="python -m benchmarks serving",
        records=records,
    )
