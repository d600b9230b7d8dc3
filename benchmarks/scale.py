"""What each step of a build costs, by the size of the base: CPU seconds, bytes, rows, memory. The
figures of docs/scale.md are computed from these.

    python -m benchmarks.scale [--documents 1000 2000 4000] [--passages 512] [--tasks 400]

Documents of about 900 words, cut into chunks of 200 tokens, embedded with `hash`, on LanceDB; no
Prefect around the steps. Each size is a process of its own, built cold, then once more with 1 %
edited. CPU is that of the process with its threads and children, which other work beside changes
little. `passages`: as many are embedded by `minilm` on the CPU, and by an endpoint on this machine
that answers at once, so that what is left is our own work. `tasks`: as many empty task runs, each a
reference in and one out; the background server's CPU is counted apart.
"""

import argparse
import base64
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from sqlalchemy import func, select

from benchmarks.incremental import prose
from llmops.tasks.index import PARTS_PER_CHECK
from llmops.tasks.knowledge import changes, checking, planner, publish, transform
from llmops.tasks.knowledge import collect as collecting
from llmops.tasks.knowledge import embed as embedding
from llmops.tasks.knowledge import stage as staging
from llmops.tasks.knowledge.build import Batch, Build, Specs
from llmops.tasks.knowledge.caches import save_embeddings
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.parser_pool import ParserPool
from llmops.tasks.knowledge.start import begin, start
from llmops.tasks.knowledge.versions import clear_up, open_version
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import chunks, documents, embeddings, parsed
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.validation import read_suite

SUITE = Path(__file__).parent.parent / "configs" / "expectations" / "default.yaml"
WORDS, EDITED, DIMENSION = 900, 0.01, 1536
STEPS = (
    *("list and plan", "collect", "clean", "validate rows", "chunk", "validate all", "embed"),
    *("compare", "stage", "seal", "publish"),
)


class Meter:
    """CPU seconds by step, and the peak of the memory after each."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = {}
        self.peak_mb: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        before = _cpu()
        yield
        self.cpu[name] = self.cpu.get(name, 0.0) + _cpu() - before
        self.peak_mb[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def write(folder: Path, numbers: range, seed: int) -> None:
    for number in numbers:
        file = folder / f"{number // 1000:04}" / f"{number:07}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        text = prose(random.Random(seed * 1_000_003 + number), WORDS)
        file.write_text(f"# Document {number}\n\n{text}\n")


def build(folder: Path, meter: Meter) -> None:
    """One build in the steps of flows/index.py; what is measured is warm."""
    handle = Handle(home=folder / "home", name="bench")
    specs = Specs(
        sources=(Spec(name="files", options={"path": "docs"}),),
        clean=(Spec(name="unicode"), Spec(name="whitespace")),
        suite=SUITE,
        chunk=Spec(name="sentence"),
        embed=Spec(name="hash"),
        store=Spec(name="lancedb"),
        folder=folder,
    )
    steps = begin(handle)
    with handle.hold() as lease:
        made = start(handle, specs)
        clear_up(made, lease)
        with meter.step("list and plan"):
            plan = steps.plan = planner.plan_build(made)
            parts = planner.parts(made, plan)
        batches = prepared(made, parts, meter)
        with meter.step("validate all"):
            batches, _ = checking.check_whole(made, checking.suite_of(made), plan, batches)
        model = specs.embedder()
        with meter.step("embed"):
            batches = [embedding.embed(made, model, batch) for batch in batches]
        with meter.step("compare"):
            staged = [changes.find_changes(made, batch) for batch in batches]
        numbers = {"version": made.version, "parent": made.live, "collection": made.collection}
        config = {"store": specs.store.short(), "embed": specs.embed.short(), "facts": {}}
        recorded = {"config": config, "config_sha256": "0" * 64}
        open_version(handle, lease, {**numbers, **recorded})
        with meter.step("stage"):
            staging.prepare(made)
            for part in staged:
                changes.write_changes(made, staging.target(made), model, part)
        live = _live_chunks(made)
        total = live + sum(part.added - part.retired for part in staged)
        with meter.step("seal"):
            snapshot = staging.seal(made, staging.target(made), total)
        with meter.step("publish"):
            values = {"snapshot": snapshot, "weight": None}
            publish.publish(made, lease, plan, staged, [], values)


def prepared(made: Build, parts: Any, meter: Meter) -> list[Batch]:
    suite, cleaners = checking.suite_of(made), made.specs.cleaners()
    chunker, model = made.specs.chunker(), made.specs.embedder()
    source = planner.source_of(made, made.specs.sources[0])
    batches: list[Batch] = []
    with ParserPool() as pool:
        for start in range(0, len(parts), PARTS_PER_CHECK):
            group = parts[start : start + PARTS_PER_CHECK]
            with meter.step("collect"):
                some = [collecting.collect(made, source, pool, part) for part in group]
            with meter.step("clean"):
                some = [transform.clean(made, cleaners, batch) for batch in some]
            with meter.step("validate rows"):
                some = checking.check_rows(made, suite, "documents", some)
            with meter.step("chunk"):
                some = [transform.chunk(made, chunker, model, batch) for batch in some]
            with meter.step("validate rows"):
                batches += checking.check_rows(made, suite, "chunks", some)
    return batches


def _live_chunks(made: Build) -> int:
    if made.live is None:
        return 0
    with made.ledger.read() as connection:
        count = select(func.count()).select_from(chunks).where(chunks.c.kb == made.kb)
        return int(connection.scalar(count.where(chunks.c.valid_to.is_(None))) or 0)


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def one_size(count: int) -> None:
    """In a process of its own: prints one JSON object."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "docs", range(8), 9)
        read_suite(SUITE)
        build(folder, Meter())  # imports and first uses, which no shard pays again
        warm = size(folder / "home")
        write(folder / "docs", range(count), 1)
        cold, edited = Meter(), Meter()
        build(folder, cold)
        home = Handle(home=folder / "home", name="bench")
        with home.ledger.read() as connection:
            rows = {
                table.name: int(connection.scalar(select(func.count()).select_from(table)) or 0)
                for table in (documents, chunks, embeddings, parsed)
            }
        found: dict[str, Any] = {
            "documents": count,
            "chunks": rows["chunks"],
            "rows": rows,
            "bytes": {
                "originals": size(folder / "docs"),
                "ledger": size_of_ledger(folder / "home"),
                "lake": size(folder / "home" / "lake"),
                "store": size(folder / "home" / "lancedb"),
                "warm": warm,
            },
        }
        write(folder / "docs", range(max(1, round(count * EDITED))), 2)
        build(folder, edited)
        found |= {"cpu": cold.cpu, "edited_cpu": edited.cpu, "peak_mb": cold.peak_mb}
    sys.stdout.write(json.dumps(found) + "\n")


def size_of_ledger(home: Path) -> int:
    return sum(file.stat().st_size for file in home.glob("ledger.db*"))


class Endpoint(BaseHTTPRequestHandler):
    """Answers every request for embeddings with the same vectors, at once."""

    vector = base64.b64encode(np.ones(DIMENSION, "<f4").tobytes()).decode()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        data = [{"index": n, "embedding": self.vector} for n in range(len(body["input"]))]
        answer = json.dumps({"data": data, "usage": {"total_tokens": 1}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


def serve() -> None:
    """In a process of its own, so that its CPU is not ours."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


def embedders(passages: int) -> dict[str, float]:
    """CPU seconds for 1,000 passages of some 120 words."""
    texts = [prose(random.Random(number), 120) for number in range(passages)]
    command = [sys.executable, "-m", "benchmarks.scale", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        options = {"model": "text-embedding-3-small", "base_url": url, "api_key": "none"}
        specs = (Spec(name="minilm"), Spec(name="openai", options=options))
        costs = {spec.name: _embedding(spec.build(Embedder), texts) for spec in specs}
        server.communicate()
    return costs


def _embedding(model: Embedder, texts: list[str]) -> float:
    model.embed(texts[:8])
    before = _cpu()
    for first in range(0, len(texts), 64):
        model.embed(texts[first : first + 64])
    return (_cpu() - before) / len(texts) * 1000


def ledger_write(times: int = 60) -> float:
    """Milliseconds of one transaction that remembers 64 vectors of 384 dimensions, the quickest of
    some: writers wait for each other for so long.
    """
    chance = np.random.default_rng(1)
    found = []
    with tempfile.TemporaryDirectory() as name:
        ledger = open_ledger(Path(name))
        for turn in range(times):
            vectors = chance.standard_normal((64, 384)).astype(np.float32)
            hashes = [f"{turn:032}{n:032}" for n in range(64)]
            before = time.perf_counter()
            save_embeddings(ledger, "bench", hashes, vectors)
            found.append((time.perf_counter() - before) * 1000)
    return min(found)


def task_runs(count: int) -> dict[str, float]:
    """Milliseconds of CPU for one task run: in the run's process, and in the background server."""
    from llmops.flows import server

    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        server.connect(home)
        pid = server.ensure(home).pid
        from prefect import flow, task

        @task
        def nothing(reference: dict[str, str]) -> dict[str, str]:
            return reference

        @flow
        def empty(runs: int) -> int:
            futures = [nothing.submit({"shard": f"documents/{n}"}) for n in range(runs)]
            return len([future.result() for future in futures])

        empty(20)
        process = psutil.Process(pid)
        times, before = process.cpu_times(), _cpu()
        empty(count)
        own = _cpu() - before
        time.sleep(15)  # the recorder lags behind
        after = process.cpu_times()
        theirs = after.user + after.system - times.user - times.system
        server.stop(home)
    return {"own ms": own / count * 1000, "server ms": theirs / count * 1000}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, nargs="+", default=[1000, 2000, 4000])
    parser.add_argument("--passages", type=int, default=512)
    parser.add_argument("--tasks", type=int, default=400)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve()
    elif chosen.one:
        one_size(chosen.one)
    else:
        report(chosen.documents, chosen.passages, chosen.tasks)
    return 0


def report(sizes: list[int], passages: int, tasks: int) -> None:
    sys.stdout.write(f"load before: {os.getloadavg()[0]:.1f}\n")
    found = [_measured(count) for count in sizes]
    head = "".join(f"{one['chunks']:>12,}" for one in found)
    for title, key in (("CPU s per 1,000 chunks", "cpu"), ("CPU s, 1 % edited", "edited_cpu")):
        sys.stdout.write(f"\n{title:<28}{head}\n")
        for step in STEPS:
            per = [one["chunks"] / 1000 if key == "cpu" else 1.0 for one in found]
            values = [one[key].get(step, 0.0) / n for one, n in zip(found, per, strict=True)]
            sys.stdout.write(f"{step:<28}{''.join(f'{value:>12.3f}' for value in values)}\n")
    sys.stdout.write(f"\n{'per chunk':<28}{head}\n")
    for name in ("originals", "ledger", "lake", "store"):
        values = [one["bytes"][name] / one["chunks"] for one in found]
        sys.stdout.write(
            f"{'bytes, ' + name:<28}{''.join(f'{value:>12.0f}' for value in values)}\n"
        )
    for name in found[0]["rows"]:
        values = [one["rows"][name] / one["chunks"] for one in found]
        sys.stdout.write(f"{'rows, ' + name:<28}{''.join(f'{value:>12.3f}' for value in values)}\n")
    for step in STEPS:
        peaks = "".join(f"{one['peak_mb'][step]:>12.0f}" for one in found)
        sys.stdout.write(f"{'peak MB, ' + step:<28}{peaks}\n")
    sys.stdout.write("\n")
    for name, seconds in embedders(passages).items():
        sys.stdout.write(f"{'embed, ' + name:<28}{seconds:>12.3f} CPU s per 1,000 passages\n")
    sys.stdout.write(f"{'ledger write, ms':<28}{ledger_write():>12.2f}\n")
    for name, cost in task_runs(tasks).items():
        sys.stdout.write(f"{'task run, ' + name:<28}{cost:>12.2f}\n")
    sys.stdout.write(f"load after: {os.getloadavg()[0]:.1f}\n")


def _measured(count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.scale", "--one", str(count)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
