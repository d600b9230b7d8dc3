"""What a home's background Prefect server costs: CPU when idle, and per 1,000 task runs, with and
without what flows/server/economy.py does.

    python -m benchmarks.server [--tasks 1000] [--idle 60] [--rounds 2]

Each server has a home of its own and lives for one measurement; plain and thrifty ones take turns,
so that other work on the machine hits both. CPU is the server process's own, user and system; the
flow's does not count. `collecting`: CPU seconds inside Python's garbage collector.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psutil

from llmops.flows import server
from llmops.flows.server import state

SERVER = """
import gc, json, os, signal, sys, time
spent, since = [0.0], [0.0]
def watch(phase, _info):
    if phase == "start":
        since[0] = time.process_time()
    else:
        spent[0] += time.process_time() - since[0]
gc.callbacks.append(watch)
def show(*_):
    with open("collecting.new", "w") as file:
        json.dump(spent[0], file)
    os.replace("collecting.new", "collecting.json")
signal.signal(signal.SIGUSR1, show)
from llmops.flows.server import daemon, economy
if sys.argv[1] == "plain":
    economy.SETTINGS.clear()
    economy.during_imports = economy.after_start = economy.slow_polling = lambda: None
    economy.tidy = lambda idle, age: True
sys.exit(daemon.main([os.getcwd(), "0", "0"]))
"""
FLOW = """
import sys
from prefect import flow, task
@task
def same(number: int) -> int:
    return number
@flow
def numbers(count: int) -> int:
    return sum(same.map(list(range(count))).result())
numbers(int(sys.argv[1]))
"""
SETTLED = 20.0  # seconds after which a recorder has stored what a flow has sent
NAMES = ("idle_percent", "per_1000", "collecting_per_1000", "idle_after_percent", "megabytes")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--idle", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    rows: dict[str, list[dict[str, float]]] = {"plain": [], "thrifty": []}
    for _ in range(chosen.rounds):
        for mode, measured in rows.items():
            measured.append(measure(mode, chosen.tasks, chosen.idle))
            sys.stdout.write(f"{mode:8} {json.dumps(measured[-1])}\n")
            sys.stdout.flush()
    for name in NAMES:
        before, after = (median(row[name] for row in rows[mode]) for mode in rows)
        ratio = f"{after / before:6.2f}" if before else "     –"
        sys.stdout.write(f"{name:22}{before:8.2f}{after:8.2f}{ratio}\n")
    return 0


def measure(mode: str, tasks: int, idle: float) -> dict[str, float]:
    """The figures of one server's life: see NAMES; `start`: CPU seconds until it answered."""
    with tempfile.TemporaryDirectory(prefix="llmops-server-") as home, serving(home, mode) as run:
        process, folder = run
        figures = {"start": cpu(process)}
        time.sleep(10)
        figures["idle_percent"] = share(process, idle)
        before, collected = cpu(process), collecting(process, folder)
        _flow(Path(home), process.pid, tasks)
        time.sleep(SETTLED)
        figures["per_1000"] = (cpu(process) - before) * 1000 / tasks
        figures["collecting_per_1000"] = (collecting(process, folder) - collected) * 1000 / tasks
        figures["idle_after_percent"] = share(process, idle)
        figures["megabytes"] = process.memory_info().rss / 1e6
        return {name: round(figure, 2) for name, figure in figures.items()}


@contextlib.contextmanager
def serving(home: str, mode: str) -> Iterator[tuple[psutil.Process, Path]]:
    """A server of a fresh home, once it answers, and its folder."""
    folder = state.prepare(Path(home))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    command = [sys.executable, "-P", "-c", SERVER, mode]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        while state.ask(folder, use=True) is None:
            if process.poll() is not None:
                raise SystemExit((folder / "server.log").read_text()[-2000:])
            time.sleep(0.1)
        yield psutil.Process(process.pid), folder
    finally:
        process.kill()
        process.wait()


def cpu(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


def share(process: psutil.Process, seconds: float) -> float:
    """Percent of a core."""
    began, before = time.perf_counter(), cpu(process)
    time.sleep(seconds)
    return 100 * (cpu(process) - before) / (time.perf_counter() - began)


def collecting(process: psutil.Process, folder: Path) -> float:
    """CPU seconds inside the collector so far."""
    file = folder / "collecting.json"
    file.unlink(missing_ok=True)
    process.send_signal(signal.SIGUSR1)
    while not file.exists():
        time.sleep(0.1)
    return float(json.loads(file.read_text()))


def _flow(home: Path, pid: int, tasks: int) -> None:
    answer = state.ask(state.locate(home))
    assert answer is not None
    origin = f"http://127.0.0.1:{answer['port']}"
    found = server.Server(url=f"{origin}/api", ui=origin, pid=pid)
    environment = os.environ | server.client_settings(home, found)
    environment["PREFECT_LOGGING_LEVEL"] = "ERROR"
    subprocess.run([sys.executable, "-c", FLOW, str(tasks)], env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main())
