"""The public page of figures: `python -m benchmarks [PART …] [--quick] [--out FOLDER]`.

Without a name all parts are measured, one after the other. What they find is written to `raw/`
below the folder, and the page is made of all that lies there: docs/benchmarks, or with `--quick` a
folder of its own. A part that fails ends no other: the page says which one failed and why, and the
exit code is 1. Other benchmarks, such as `python -m benchmarks.drift`, print their tables when
they are started by name; the page lists them.
"""

import argparse
import dataclasses
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.parts import (
    chunking,
    embedding,
    evaluation,
    faults,
    ingestion,
    load,
    quality,
    searching,
    startup,
)
from benchmarks.report.__main__ import PUBLISHED, render
from benchmarks.report.machine import machine, versions
from benchmarks.report.processes import Absent
from benchmarks.report.records import Part, write
from benchmarks.report.unmeasured import note
from llmops.tasks.errors import UsageError

PARTS: dict[str, Callable[..., Part]] = {
    "startup": startup.measure,
    "ingestion": ingestion.measure,
    "chunking": chunking.measure,
    "embedding": embedding.measure,
    "search": searching.measure,
    "evaluation": evaluation.measure,
    "serving": load.measure,
    "quality": quality.measure,
}
FAULTS, FAILED = "faults", "failed"
SLOW = ("quality",)
"""What a quick run takes only where it is named: an index of a whole public set."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join([*PARTS, FAULTS]))
    parser.add_argument("--quick", action="store_true", help="small and few: in some 5 minutes")
    parser.add_argument("--out", type=Path, help="the folder of the page")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.parts) - {*PARTS, FAULTS})
    if unknown:
        parser.error(f"no part {', '.join(unknown)}: there are {', '.join([*PARTS, FAULTS])}")
    out = chosen.out or (Path(tempfile.mkdtemp(prefix="llmops-")) if chosen.quick else PUBLISHED)
    out.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in chosen.parts or wanted(quick=chosen.quick):
        say(f"{name} …")
        began = time.perf_counter()
        done = attempt(name, out, quick=chosen.quick)
        failed += [name] if done == FAILED else []
        say(f"{name}: {done} in {time.perf_counter() - began:.0f} s")
    say(str(render(out)))
    if failed:
        say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def wanted(*, quick: bool) -> list[str]:
    """The parts of a run for which none is named."""
    return [name for name in (*PARTS, FAULTS) if not quick or name not in SLOW]


def attempt(name: str, out: Path, *, quick: bool) -> str:
    """Measure a part and write what it found, or why it found nothing. Returns what came of it."""
    try:
        if name == FAULTS:
            faults.measure(out, quick=quick)
        else:
            part(name, out, quick=quick)
    except (Absent, UsageError) as error:
        note(out, name, error)
        return f"skipped, {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are still wanted
        note(out, name, error, failed=True)
        say(traceback.format_exc())
        return FAILED
    note(out, name, None)
    return "measured"


def part(name: str, out: Path, *, quick: bool) -> None:
    """Measure a part and write what it found. Raises Absent and UsageError where that cannot be
    here.
    """
    here, began = machine(), time.perf_counter()
    found = PARTS[name](quick=quick)
    whole = dataclasses.replace(
        found,
        quick=quick,
        seconds=round(time.perf_counter() - began),
        date=datetime.now(UTC).date().isoformat(),
        machine=here,
        versions=versions(),
        command=f"{found.command} --quick" if quick else found.command,
    )
    write(whole, out)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
