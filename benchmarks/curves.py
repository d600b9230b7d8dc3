"""What the steps of a small change cost by the size of the base: the same number of documents is
edited in each, so that a step whose cost grows with the change alone stays level.

    python -m benchmarks.curves [--sizes 1000 10000 100000] [--edited 100] [--rows 1000000]

Documents of some 280 words (two chunks), `hash` embedder, LanceDB, no Prefect around. Each
size is a process of its own: built cold, then twice with so many edited; the second of these builds
is shown, in CPU seconds of the process with its threads and children. `rows`: so many rows of
versions that are gone lie in the ledger beside, at the smallest size, for a column of its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.incremental import write
from benchmarks.scale import Meter, build
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.ledger.tables import chunks
from llmops.tasks.maintenance.verify import verify
from llmops.tasks.maintenance.versions import rollback

NAME = "bench"
SEARCHES = 20
SHOWN = (
    *("list and plan", "collect", "validate rows", "validate all", "compare", "stage", "seal"),
    *("publish", "rollback", "verify", "first search", "search"),
)


def one_size(count: int, edited: int, rows: int) -> dict[str, float]:
    """CPU seconds by step, and the peak of the memory in megabytes."""
    with tempfile.TemporaryDirectory() as name:
        folder, meter = Path(name), Meter()
        write(folder / "docs", range(count), 1)
        build(folder, Meter())
        kb = Handle(home=folder / "home", name=NAME)
        _leave(kb, rows)
        for seed in (2, 3):
            meter = Meter()
            write(folder / "docs", range(edited), seed)
            build(folder, meter)
        with meter.step("rollback"):
            rollback(kb, None)
        with meter.step("verify"):
            verify(kb)
        _searched(folder / "home", meter)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return meter.cpu | {"peak MB": peak}


def _searched(home: Path, meter: Meter) -> None:
    from llmops import KnowledgeBase

    kb = KnowledgeBase(NAME, home=home)
    with meter.step("first search"):
        kb.search("copper river in the morning")
    before = time.process_time()
    for number in range(SEARCHES):
        kb.search(f"violet ladder {number}")
    meter.cpu["search"] = (time.process_time() - before) / SEARCHES


def _leave(kb: Handle, rows: int) -> None:
    """Chunks that were in the first version and are gone since."""
    gone = {"kb": kb.name, "valid_from": 1, "valid_to": 1, "row_hash": "0" * 16, "shard": ""}
    for start in range(0, rows, 50_000):
        some = [
            gone | {"chunk_id": f"{n:032}", "doc_id": f"{n // 2:032}", "text_hash": f"{n:064}"}
            for n in range(start, min(start + 50_000, rows))
        ]
        with kb.ledger.write() as connection:
            connection.execute(chunks.insert(), some)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--edited", type=int, default=100)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        figures = one_size(chosen.sizes[0], chosen.edited, chosen.rows)
        sys.stdout.write(json.dumps(figures) + "\n")
        return 0
    columns = [(size, 0) for size in chosen.sizes]
    columns += [(chosen.sizes[0], chosen.rows)] if chosen.rows else []
    report(columns, [_measured(size, chosen.edited, rows) for size, rows in columns])
    return 0


def report(columns: list[tuple[int, int]], measured: list[dict[str, float]]) -> None:
    heads = [f"{size:,}" + (f"+{rows:,}" if rows else "") for size, rows in columns]
    sys.stdout.write(f"{'CPU s':<16}{''.join(f'{head:>18}' for head in heads)}\n")
    for step in (*SHOWN, "peak MB"):
        values = "".join(f"{each.get(step, 0.0):>18.3f}" for each in measured)
        sys.stdout.write(f"{step:<16}{values}\n")


def _measured(size: int, edited: int, rows: int) -> dict[str, float]:
    options = ["--one", "--sizes", str(size), "--edited", str(edited), "--rows", str(rows)]
    command = [sys.executable, "-m", "benchmarks.curves", *options]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    raise SystemExit(main())
