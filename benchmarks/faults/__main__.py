"""The fault-injection benchmark: see docs/benchmarks/faults.md."""

import argparse
import sys
import tempfile
import traceback
from contextlib import nullcontext
from pathlib import Path
from textwrap import indent

from benchmarks.faults.cells import Result
from benchmarks.faults.plan import opened, results, wanted
from benchmarks.faults.table import absent, publish, raw_system, told

SYSTEMS = "ours,llamaindex,langchain,cocoindex"
SIZE, QUICK_SIZE = 60, 24


def main() -> int:
    options = arguments()
    size = QUICK_SIZE if options.quick else SIZE
    pythons = dict(each.split("=", 1) for each in options.python)
    given = [f"--systems {options.systems}", *(["--quick"] if options.quick else [])]
    command = " ".join(["python -m benchmarks.faults", *given, "--out docs/benchmarks"])
    kept = nullcontext(options.keep) if options.keep else tempfile.TemporaryDirectory()
    measured, failed = {}, []
    with kept as folder:
        for name in options.systems.split(","):
            sys.stdout.write(f"{name}\n")
            place = Path(folder).absolute() / name
            try:
                with opened(name, place, pythons.get(name, sys.executable)) as system:
                    cells = [each for each in wanted(options.quick) if options.only in each.title]
                    done = results(system, place / "cells", cells, size, options.jobs, say)
                    measured[name] = raw_system(system.about, done, command, size)
            except ModuleNotFoundError as error:
                reason = str(error).removeprefix("ModuleNotFoundError: ")
                measured[name] = absent(name, reason, command)
                sys.stdout.write(f"  skipped: {reason}\n")
            except Exception:  # noqa: BLE001 - of one system: the others are still wanted
                failed.append(name)
                sys.stdout.write(f"  failed: {traceback.format_exc()}\n")
                continue
            if options.out:
                publish(options.out, {name: measured[name]})
    for each in measured.values():
        sys.stdout.write(f"{each['title']}: {each['clean']} of {each['cells']} cells clean\n")
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few documents, the hardest cells")
    parser.add_argument("--systems", default=SYSTEMS, help="names, or modules of adapters")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="the interpreter that has a system, where it is not this one",
    )
    parser.add_argument("--only", default="", help="cells with these words in their title")
    parser.add_argument("--jobs", type=int, default=2, help="cells at a time")
    parser.add_argument("--keep", type=Path, help="a new folder that stays, to look at afterwards")
    parser.add_argument("--out", type=Path, help="write the page and the raw figures into here")
    return parser.parse_args()


def say(result: Result) -> None:
    figures = "".join(f"{each:>12}" for each in told(result.figures)) if result.figures else ""
    clean = "clean" if result.figures and result.figures.clean else ""
    line = f"  {result.cell.title:<22}{figures or 'not offered'}{clean:>8}{result.seconds:>7.1f} s"
    sys.stdout.write(f"{line}  {' '.join(map(str, result.codes))}\n")
    if result.codes and result.codes[-1]:  # no fault was put into the rerun
        sys.stdout.write(f"{indent(result.output[-1], '    ')}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
