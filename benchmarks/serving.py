"""What a served application does under load: requests at a steady rate, before, during and after a
publish, then as many as it takes from many connections; and what it adds to the bare search.

    python -m benchmarks.serving [--chunks 20000] [--rate 50] [--seconds 30] [--connections 64]
                                 [--embedder hash|minilm]

The knowledge base is of short documents of 60 words, one chunk each; with `minilm` 20,000 of them
take ten minutes to embed, and each question some 6 ms of CPU. The model is
`extractive`, so that nothing waits for a network. Requests are sent by the clock, whether earlier
ones have been answered or not; their times count from when they should have been sent. `failed`:
no 200 in time; `mixed`: a reply whose passages are not all of the version that it names. `cpu ms`:
of the server's process, for each request. The load itself, and the build of the publish, run on
the same cores. `bare`: `Searcher.search` in a process that does nothing else.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import psutil

from benchmarks.command import llmops
from benchmarks.search import questions
from benchmarks.stores import VOCABULARY, WEIGHTS

KB = "bench"
WORDS = 60
CONFIG = """flow: index
knowledge_base: bench
embed: EMBEDDER
sources:
  - {name: jsonl, path: documents.jsonl, fields: {uri: id, title: id, text: text}}
"""
APP = """flow: serve
app: bench
knowledge_bases: [bench]
limits: {requests_per_minute: 1000000}
"""
PATIENCE = 30.0
Ask = Callable[[httpx.AsyncClient, str], Awaitable["Seen"]]


class Seen(NamedTuple):
    """What one request came to."""

    ok: bool
    version: int
    mixed: bool


class LoadFigures(NamedTuple):
    requests: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: float
    peak_mb: float
    failed: int
    mixed: int
    versions: str


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--embedder", choices=("hash", "minilm"), default="hash")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llmops-serving-") as folder:
        place = Path(folder)
        write(place, chosen, edited=0)
        outcome = llmops(place, "index", str(place / "bench.yaml"))
        total, version = outcome["chunks"]["total"], outcome["version"]
        told(f"{total:,} chunks, version {version}, built in {outcome['wall_seconds']:.0f} s")
        told(f"bare search: {json.dumps(bare(place))}")
        measured(place, chosen)
    return 0


def write(place: Path, chosen: argparse.Namespace, edited: int) -> None:
    """Documents of words as English has them; the first `edited` have a word more."""
    random_words = np.random.default_rng(7)
    (place / "bench.yaml").write_text(CONFIG.replace("EMBEDDER", chosen.embedder))
    (place / "app.yaml").write_text(APP)
    with (place / "documents.jsonl").open("w") as file:
        for number in range(chosen.chunks):
            words = random_words.choice(VOCABULARY, WORDS, p=WEIGHTS / WEIGHTS.sum())
            text = " ".join(words) + (" edited" if number < edited else "") + "."
            file.write(json.dumps({"id": f"d{number}", "text": text}) + "\n")


def bare(place: Path) -> dict[str, float]:
    """The search alone, after a warm-up, in a process of its own."""
    program = """
import json, sys, time
from pathlib import Path
from benchmarks.search import questions
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.reading import HIT_COLUMNS, allowed, hits, searcher
home = Path(sys.argv[1])
live = Handle(home=home, name="bench").published()
made = searcher(home, live, allowed(live, "", ()))
for question in questions(30, 1):
    hits(made.search(question, 5, "hybrid", columns=HIT_COLUMNS))
times, cpu = [], time.process_time()
for question in questions(300, 2):
    began = time.perf_counter()
    hits(made.search(question, 5, "hybrid", columns=HIT_COLUMNS))
    times.append((time.perf_counter() - began) * 1000)
times.sort()
spent = (time.process_time() - cpu) / 300 * 1000
print(json.dumps({"p50_ms": times[150], "p95_ms": times[285], "cpu_ms": spent}))
"""
    command = [sys.executable, "-c", program, str(place / "home")]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: round(value, 2) for name, value in json.loads(ended.stdout).items()}


def measured(place: Path, chosen: argparse.Namespace) -> None:
    """A line of figures for each stretch of load."""
    rate, seconds = chosen.rate, chosen.seconds
    with served(place) as (url, process):
        asyncio.run(at_rate(url, process, search, 20, 5))  # warm
        for name, ask, wanted in (("search", search, rate), ("chat", chat, rate / 5)):
            figures = asyncio.run(at_rate(url, process, ask, wanted, seconds))
            told(f"{name:8} {wanted:g}/s, quiet     {json.dumps(figures._asdict())}")
        write(place, chosen, edited=chosen.chunks // 100)
        command = [str(Path(sys.executable).parent / "llmops"), "index", str(place / "bench.yaml")]
        environment = os.environ | {"LLMOPS_HOME": str(place / "home")}
        with subprocess.Popen([*command, "--quiet"], env=environment) as building:
            figures = asyncio.run(at_rate(url, process, search, rate, seconds))
            if building.wait():
                raise RuntimeError("the build of the publish failed")
        told(f"search   {rate:g}/s, publish   {json.dumps(figures._asdict())}")
        figures = asyncio.run(at_rate(url, process, search, rate, seconds))
        told(f"search   {rate:g}/s, after     {json.dumps(figures._asdict())}")
        for name, ask in (("search", search), ("chat", chat)):
            figures = asyncio.run(flooded(url, process, ask, chosen.connections, seconds))
            told(f"{name:8} {chosen.connections} connections {json.dumps(figures._asdict())}")


@contextlib.contextmanager
def served(place: Path) -> Iterator[tuple[str, psutil.Process]]:
    command = [str(Path(sys.executable).parent / "llmops"), "serve", str(place / "app.yaml")]
    environment = os.environ | {"LLMOPS_HOME": str(place / "home")}
    with subprocess.Popen(
        [*command, "--port", "0", "--json", "--quiet"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"], psutil.Process(process.pid)
        finally:
            process.terminate()


async def search(client: httpx.AsyncClient, question: str) -> Seen:
    reply = await client.post("/v1/search", json={"query": question, "k": 5})
    if reply.status_code != 200:
        return Seen(False, 0, False)
    content = reply.json()
    return Seen(bool(content["hits"]), content["version"], False)


async def chat(client: httpx.AsyncClient, question: str) -> Seen:
    messages = [{"role": "user", "content": question}]
    body = {"model": "bench", "messages": messages}
    reply = await client.post("/v1/chat/completions", json=body)
    if reply.status_code != 200:
        return Seen(False, 0, False)
    content = reply.json()
    versions = {each["version"] for each in content["citations"]} | {content["version"]}
    return Seen(True, content["version"], len(versions) > 1)


async def at_rate(
    url: str, process: psutil.Process, ask: Ask, rate: float, seconds: float
) -> LoadFigures:
    """Requests by the clock: a slow answer delays no other request."""
    async with _client(url, 1000) as client:
        texts = questions(int(rate * seconds), random.randrange(2**31))
        load = Load(process, client, ask)
        began = time.perf_counter()

        async def one(number: int, text: str) -> None:
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await load.sent(text, due)

        await asyncio.gather(*(one(number, text) for number, text in enumerate(texts)))
        return load.figures(time.perf_counter() - began)


async def flooded(
    url: str, process: psutil.Process, ask: Ask, connections: int, seconds: float
) -> LoadFigures:
    """Each connection sends its next request when its last one was answered."""
    async with _client(url, connections) as client:
        given = [cycle(questions(200, seed)) for seed in range(connections)]
        load = Load(process, client, ask)
        began = time.perf_counter()

        async def line(texts: Iterator[str]) -> None:
            while time.perf_counter() < began + seconds:
                await load.sent(next(texts), time.perf_counter())

        await asyncio.gather(*map(line, given))
        return load.figures(time.perf_counter() - began)


class Load:
    """Sends requests and counts what comes of them."""

    def __init__(self, process: psutil.Process, client: httpx.AsyncClient, ask: Ask) -> None:
        self._process, self._client, self._ask = process, client, ask
        self._times: list[float] = []
        self._seen: list[Seen] = []
        self._cpu = self._spent()

    async def sent(self, text: str, due: float) -> None:
        try:
            self._seen.append(await self._ask(self._client, text))
        except httpx.HTTPError:
            self._seen.append(Seen(False, 0, False))
        self._times.append((time.perf_counter() - due) * 1000)

    def figures(self, seconds: float) -> LoadFigures:
        count = len(self._seen)
        p50, p95, p99 = np.percentile(self._times, [50, 95, 99]).round(1).tolist()
        return LoadFigures(
            count,
            round(count / seconds, 1),
            *(p50, p95, p99),
            round((self._spent() - self._cpu) / count * 1000, 2),
            round(self._process.memory_info().rss / 1e6),
            sum(not each.ok for each in self._seen),
            sum(each.mixed for each in self._seen),
            ", ".join(map(str, sorted({each.version for each in self._seen if each.ok}))),
        )

    def _spent(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


def _client(url: str, connections: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(base_url=url, limits=limits, timeout=PATIENCE, trust_env=False)


def told(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
