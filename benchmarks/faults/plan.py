"""All cells of a system: which there are, and how they are worked off."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.faults.cells import Cell, NotStruck, Result, System, crashes, index, measure, middle
from benchmarks.faults.corpus import scenario, update
from benchmarks.faults.nest import Nest

ROOT = Path(__file__).parent.parent.parent
ADAPTERS = "benchmarks.faults.adapters"
QUIET = {"COCOINDEX_DISABLE_USAGE_TRACKING": "1"}
"""What a system needs to be told so that it reports to nobody."""

SCENARIOS = (
    "plain update",
    "empty source",
    "partial source",
    "store lost",
    "state lost",
    "config changed",
    "same text twice",
    "one poisoned document",
)
CONTROL = Cell(SCENARIOS[0])
QUICK = ("kill at embed", "kill at state write", "empty source", "one poisoned document")
"""Beside the control. Each has lost documents of some system."""


def module_of(name: str) -> str:
    """The adapter of a name: one of ours, or, with a dot in it, anybody's module."""
    return name if "." in name else f"{ADAPTERS}.{name}"


@contextmanager
def opened(name: str, folder: Path, python: str = sys.executable) -> Iterator[System]:
    """A system, ready to run in folders below this one. Raises ModuleNotFoundError where the
    interpreter does not have it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    module, environment = module_of(name), variables({})
    about = json.loads(told(python, module, environment, "about"))
    own = json.loads(told(python, module, environment, "start", str(folder)))
    try:
        with Nest(python, module, about["loads"], variables(own)) as nest:
            yield System(name, about, nest)
    finally:
        told(python, module, environment, "stop", str(folder))


def variables(own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a system's processes: ours, and what it asks for."""
    paths = [str(ROOT), own.get("PYTHONPATH", ""), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, **QUIET, **own, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def told(python: str, module: str, environment: Mapping[str, str], *work: str) -> str:
    """The last line that `side` prints."""
    ended = subprocess.run(
        [python, "-m", "benchmarks.faults.side", module, *work],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        reason = (ended.stderr.strip().splitlines() or [""])[-1]
        absent = reason.startswith(("ModuleNotFoundError", "importlib.metadata.Package"))
        raise (ModuleNotFoundError if absent else RuntimeError)(reason or f"{module} {work}")
    return (ended.stdout.strip().splitlines() or [""])[-1]


def wanted(quick: bool) -> list[Cell]:
    """The cells beside the control."""
    every = [*crashes(), *(Cell(kind) for kind in SCENARIOS[1:])]
    return [cell for cell in every if not quick or cell.title in QUICK]


def results(
    system: System,
    folder: Path,
    cells: Sequence[Cell],
    size: int,
    jobs: int,
    say: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """The control, which tells how often the system comes to each point, then the cells."""
    template = folder / "template"
    index(system, template, size)
    control = measure(system, template, folder / "control", CONTROL, update(size))
    say(control)

    def result(cell: Cell) -> Result:
        place = folder / cell.title.replace(" ", "-")
        if not cell.point:
            done = measure(system, template, place, cell, scenario(cell.scenario, size))
        elif control.calls.get(cell.point, 0):
            done = crash(system, template, place, cell, control.calls[cell.point], size)
        else:
            done = Result(cell, None)
        say(done)
        return done

    with ThreadPoolExecutor(jobs) as pool:
        return [control, *pool.map(result, cells)]


def crash(system: System, template: Path, place: Path, cell: Cell, calls: int, size: int) -> Result:
    """Strikes at the middle call of those that the same update makes without a fault; where batches
    came out fewer this time, at the first.
    """
    try:
        ordered = replace(cell, call=middle(calls))
        return measure(system, template, place, ordered, update(size))
    except NotStruck:
        first = replace(cell, call=1)
        return measure(system, template, place.with_name(f"{place.name}-1"), first, update(size))
