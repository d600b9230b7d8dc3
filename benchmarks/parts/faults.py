"""The fault injection, which has a page of its own."""

import subprocess
import sys
from pathlib import Path

from benchmarks.report.processes import ROOT, peers_python

PEERS = ("llamaindex", "langchain", "langchain_incremental", "cocoindex")


def measure(out: Path, *, quick: bool) -> None:
    """`python -m benchmarks.faults` into the same folder. Raises CalledProcessError."""
    order = [sys.executable, "-m", "benchmarks.faults", "--out", str(out)]
    order += [f"--python={name}={peers_python()}" for name in PEERS]
    order += ["--quick"] if quick else []
    subprocess.run(order, cwd=ROOT, check=True)
