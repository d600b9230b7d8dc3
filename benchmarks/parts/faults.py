"""The fault injection, which has a page of its own."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks.report.processes import ROOT, peers_python

PEERS = ("llamaindex", "langchain", "langchain_incremental", "cocoindex")


def measure(out: Path, *, quick: bool) -> str:
    """`python -m benchmarks.faults` into the same folder. Returns what came of it."""
    if find_spec("benchmarks.faults") is None:
        return "skipped, it is not here"
    order = [sys.executable, "-m", "benchmarks.faults", "--out", str(out)]
    order += [f"--python={name}={peers_python()}" for name in PEERS]
    order += ["--quick"] if quick else []
    subprocess.run(order, cwd=ROOT, check=True)
    return "measured"
