"""What a command costs beside its work: progress on a terminal, its lines in a log, and the traces
of an evaluation.

    python -m benchmarks.display [--rounds 3] [--cases 300]

The builds are the demo's: the Python help topics, first as they are, then again with nothing
changed. The evaluation has two arms and a model that echoes. Each is run with `--quiet` (nothing is
shown), on a terminal (live lines), and with standard error in a file (a line every 30 seconds), in
turn, and the turn begins with another one in every round. `traces: 0` turns traces off. Wall and
CPU seconds of the whole command, its children included, the Prefect server not; median, least and
most of the rounds. All run against one server and one home, and embed with `hash`.
"""

import argparse
import contextlib
import os
import pty
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.overhead import LONGEST, UNDECIDED, _command, _cpu, _environment, write
from llmops import configs
from llmops.tasks.tracking.store import prepare
from llmops.tasks.yaml_files import read_yaml, write_yaml

CONFIG = "python-help.yaml"
BUILDS = ("first build", "unchanged build")


class Way(NamedTuple):
    """How a command is shown: on a terminal of its own or not, with further options."""

    name: str
    terminal: bool
    options: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """Part of the names of what it builds and evaluates: nothing is remembered between ways."""
        return self.name.replace(",", "").replace(" ", "-")


QUIET = Way("quiet", terminal=False, options=("--quiet",))
LIVE = Way("live lines", terminal=True)
LINES = Way("lines of a log", terminal=False)
TRACED = Way("quiet, traces", terminal=False, options=("--quiet", "--set", "traces=2000"))
UNTRACED = ("--set", "traces=0")


class Cost(NamedTuple):
    """Seconds of one command."""

    wall: float
    cpu: float


Costs = dict[tuple[str, str], list[Cost]]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", type=int, default=300)
    chosen = parser.parse_args()
    costs: Costs = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder / "home")
        environment = _environment(folder)
        try:
            measure(folder, environment, chosen.rounds, chosen.cases, costs)
        finally:
            down = [_command(), "down", "--quiet"]
            subprocess.run(down, env=environment, check=False, capture_output=True)
    sys.stdout.write("".join(table(costs)))
    return 0


def measure(
    folder: Path, environment: Mapping[str, str], rounds: int, cases: int, costs: Costs
) -> None:
    """Every way in every round. What is run once before is not counted: it starts the server."""
    warm = write(folder, 2, "warm")
    run(folder, environment, ("evaluate", str(warm)), QUIET)
    for number in range(rounds):
        for way in turned((QUIET, LIVE, LINES), number):
            words = ("index", str(help_topics(folder, f"{way.slug}-{number}")))
            for build in BUILDS:
                cost = run(folder, environment, words, way)
                costs.setdefault((build, way.name), []).append(cost)
        for way in turned((QUIET, LIVE, TRACED), number):
            config = write(folder, cases, f"{way.slug}-{number}")
            words = ("evaluate", str(config), *(UNTRACED if way is not TRACED else ()))
            cost = run(folder, environment, words, way)
            costs.setdefault((f"{cases} cases", way.name), []).append(cost)


def turned(ways: Sequence[Way], number: int) -> list[Way]:
    """The same ways, beginning with another one each time."""
    first = number % len(ways)
    return [*ways[first:], *ways[:first]]


def help_topics(folder: Path, name: str) -> Path:
    """The config of the demo's first build, as a knowledge base of that name, without a model."""
    config: Any = read_yaml((configs.FOLDER / CONFIG).read_text(encoding="utf-8"))
    config |= {"knowledge_base": f"help-{name}", "embed": "hash"}
    config["gate"] |= {"metrics": {"recall": {"min": 0.0}}}
    for each in ("golden", "edits"):
        (folder / each).mkdir(exist_ok=True)
    golden = configs.FOLDER / "golden" / "python-help.jsonl"
    (folder / "golden" / golden.name).write_bytes(golden.read_bytes())
    file = folder / f"help-{name}.yaml"
    file.write_text(write_yaml(config), encoding="utf-8")
    return file


def run(folder: Path, environment: Mapping[str, str], words: Sequence[str], way: Way) -> Cost:
    """One command, to its end. Raises RuntimeError where it fails."""
    before, began = _cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
    with standard_error(folder, way) as error:
        ended = subprocess.run(
            [_command(), *words, *way.options],
            env={**environment, "TERM": "xterm-256color"},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=error,
            check=False,
            timeout=LONGEST,
        )
    if ended.returncode not in (0, UNDECIDED):
        raise RuntimeError(f"{' '.join(words)} ({way.name}) ended with {ended.returncode}")
    cost = Cost(time.perf_counter() - began, _cpu(resource.RUSAGE_CHILDREN) - before)
    sys.stderr.write(f"{words[0]} {Path(words[1]).stem} ({way.name}): {cost.cpu:.2f} s CPU\n")
    return cost


@contextlib.contextmanager
def standard_error(folder: Path, way: Way) -> Iterator[int]:
    """A terminal whose screen is read and thrown away, or a file."""
    if not way.terminal:
        with (folder / "stderr").open("wb") as file:
            yield file.fileno()
        return
    ours, theirs = pty.openpty()
    reader = threading.Thread(target=_drain, args=(ours,), daemon=True)
    reader.start()
    try:
        yield theirs
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)


def _drain(screen: int) -> None:
    with contextlib.suppress(OSError):  # the last process has closed it
        while os.read(screen, 65536):
            pass


def table(costs: Costs) -> Iterator[str]:
    """A line for each command and way: median (least to most)."""
    yield f"{'':<34}{'wall s':>22}{'CPU s':>22}\n"
    for (command, way), each in costs.items():
        told = [
            f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"
            for values in zip(*each, strict=True)
        ]
        yield f"{command + ', ' + way:<34}" + "".join(f"{cell:>24}" for cell in told) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
