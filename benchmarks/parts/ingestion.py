"""Files into a searchable index: cold, unchanged, 1 % edited, as whole commands.

Each system gets its own copy of the same files and a state of its own, and runs the three commands
one after the other; the systems take turns, and each round begins with another one.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from benchmarks.incremental import write
from benchmarks.report.processes import (
    Absent,
    command,
    measured,
    peers_python,
    server_use,
)
from benchmarks.report.records import Part, Record
from llmops.tasks.yaml_files import write_yaml

OURS = "llmops index"
PEERS = {
    "LlamaIndex": "benchmarks.contenders.ingest_llamaindex",
    "LangChain": "benchmarks.contenders.ingest_langchain",
    "CocoIndex": "benchmarks.contenders.ingest_cocoindex",
}
STAGES = ("cold", "unchanged", "1 % edited")
ABOUT = """{files:,} Markdown files of some 280 words, each of which every system cuts into about
two chunks; all embed with the same free embedder (feature hashing) and write to LanceDB on disk.
Whole commands, imports included: **cold** from nothing, **unchanged** again, and again after 1 %
of the files were edited. Processor time and memory are what the system counts for the processes;
of ours those of its background Prefect server are added, which the cold command also starts. The
peak is that of the largest process: ours of a cold run has two more of some 200 MB each beside it.

- **llmops**: `llmops index` with `embed: hash`. Beside chunks and vectors it makes a full-text
  index, validates (Great Expectations), records the run (Prefect, MLflow), and switches versions
  atomically.
- **LlamaIndex**: `IngestionPipeline` with `SimpleDocumentStore`, `UPSERTS_AND_DELETE`, cache and
  document store persisted, batches of 500;
  `delete` of its LanceDB store is corrected here, as it fails on paths.
- **LangChain**: `index(cleanup="full")` with `SQLRecordManager` in SQLite, batches of 1,000; its
  splitter may not cut after a heading, which would be a third chunk of each file.
- **CocoIndex**: an app with `mount_each`, files and embeddings memoized, batches of 500.

Chunks at the end: {chunks}."""


class Figures(NamedTuple):
    seconds: float
    cpu: float
    peak_mb: float
    chunks: int


class Contender(Protocol):
    def run(self) -> Figures: ...

    def close(self) -> None: ...


class Ours:
    """`llmops index` in a home below the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._home = folder, folder / "home"
        source = {"name": "files", "path": "docs"}
        config = {"flow": "index", "knowledge_base": "bench", "sources": [source], "embed": "hash"}
        (folder / "kb.yaml").write_text(write_yaml(config))
        self._environment = {"LLMOPS_HOME": str(self._home)}

    def run(self) -> Figures:
        before = server_use(self._home)
        order = command("index", "kb.yaml", "--json")
        used = measured(order, self._folder, self._environment)
        after = server_use(self._home)
        chunks = int(json.loads(used.output)["chunks"]["total"])
        cpu = used.cpu + after.cpu - before.cpu
        return Figures(used.seconds, cpu, used.peak_mb + after.peak_mb, chunks)

    def close(self) -> None:
        measured(command("down", "--quiet"), self._folder, self._environment)


class Peer:
    """A script of the peer in its interpreter."""

    def __init__(self, folder: Path, module: str) -> None:
        self._folder = folder
        (folder / "state").mkdir()
        self._order = [peers_python(), "-m", module, str(folder / "docs"), str(folder / "state")]

    def run(self) -> Figures:
        quiet = {"COCOINDEX_DISABLE_USAGE_TRACKING": "1"}
        used = measured(self._order, self._folder, quiet, peer=True)
        return Figures(used.seconds, used.cpu, used.peak_mb, int(used.told["chunks"]))

    def close(self) -> None:
        """Nothing of it runs on."""


def contender(name: str, folder: Path) -> Contender:
    return Ours(folder) if name == OURS else Peer(folder, PEERS[name])


def stages(name: str, folder: Path, files: int) -> Iterator[tuple[str, Figures]]:
    """What each of the three commands took."""
    folder.mkdir()
    system = contender(name, folder)
    try:
        write(folder / "docs", range(files), 1)
        yield "cold", system.run()
        yield "unchanged", system.run()
        write(folder / "docs", range(max(1, files // 100)), 2)
        yield "1 % edited", system.run()
    finally:
        system.close()
        shutil.rmtree(folder)


def measure(*, quick: bool) -> Part:
    files, rounds = (300, 1) if quick else (10_000, 3)
    systems = [OURS, *PEERS]
    found: dict[tuple[str, str], list[Figures]] = {}
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="llmops-bench-") as place:
        for number in range(rounds):
            for name in turned([each for each in systems if each not in skipped], number):
                try:
                    for stage, figures in stages(name, Path(place) / "one", files):
                        found.setdefault((stage, name), []).append(figures)
                        sys.stdout.write(f"  {name:<14}{stage:<12}{figures.seconds:>7.1f} s\n")
                        sys.stdout.flush()
                except Absent as error:
                    skipped[name] = str(error)
    there = [each for each in systems if each not in skipped]
    chunks = ", ".join(f"{found['1 % edited', each][-1].chunks:,} {each}" for each in there)
    return Part(
        name="ingestion",
        title="Ingestion",
        about=ABOUT.format(files=files, chunks=chunks),
        command="python -m benchmarks ingestion",
        records=[*records(found, there)],
        skipped=skipped,
        plot=[f"{stage}: time" for stage in STAGES] + ["cold: peak memory"],
    )


def records(
    found: dict[tuple[str, str], list[Figures]], systems: Sequence[str]
) -> Iterator[Record]:
    fields = {"time": "seconds", "processor time": "cpu", "peak memory": "peak_mb"}
    for stage in STAGES:
        for what, field in fields.items():
            for name in systems:
                rounds = [float(getattr(each, field)) for each in found[stage, name]]
                unit = "MB" if field == "peak_mb" else "s"
                yield Record(f"{stage}: {what}", name, unit, rounds)


def turned(systems: Sequence[str], number: int) -> list[str]:
    """The same in turn, beginning with another one each round."""
    first = number % len(systems)
    return [*systems[first:], *systems[:first]]
