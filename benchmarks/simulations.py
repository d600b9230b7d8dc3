"""How often the tests and intervals of `llmops.tasks.statistics` are wrong, by simulation: the
figures of docs/evaluation.md.

    python -m benchmarks.simulations [--quick] [--only false-positives looks] [--experiments 10000]

Seeded: the same figures every time. Experiments run in chunks, on one core. All rates are in
percent.
"""

import argparse
import sys
import time

from benchmarks import simulated_intervals as intervals
from benchmarks import simulated_tables as tables

TABLES = {
    "false-positives": tables.false_positives,
    "leaning": tables.leaning,
    "several": tables.several,
    "margins": tables.margins,
    "power": tables.power,
    "differences": intervals.differences,
    "means": intervals.means,
    "wilson": intervals.wilson,
    "looks": intervals.looks,
    "raters": intervals.raters,
}
QUICK = ("several", "margins", "power", "looks")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(TABLES), help="tables to compute")
    parser.add_argument(
        "--quick", action="store_true", help=f"500 experiments, only {' '.join(QUICK)}"
    )
    parser.add_argument("--experiments", type=int, default=10_000)
    chosen = parser.parse_args()
    experiments = 500 if chosen.quick else chosen.experiments
    for name in chosen.only or (QUICK if chosen.quick else TABLES):
        show(name, experiments)
    return 0


def show(name: str, experiments: int) -> None:
    """One table as Markdown, row by row, and how long it took."""
    began = time.perf_counter()
    sys.stdout.write(f"\n{name}: {TABLES[name].__doc__} {experiments:,} experiments.\n\n")
    for number, row in enumerate(TABLES[name](experiments)):
        sys.stdout.write(
            f"| {' | '.join(row)} |\n" + ("|---" * len(row) + "|\n" if number == 0 else "")
        )
        sys.stdout.flush()
    sys.stdout.write(f"\n{time.perf_counter() - began:.0f} s\n")


if __name__ == "__main__":
    raise SystemExit(main())
