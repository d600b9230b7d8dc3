"""All benchmarks, one after the other: `python -m benchmarks [--quick]`."""

import os
import sys

from benchmarks import (
    answers,
    chunking,
    cleaners,
    drift,
    incremental,
    overhead,
    recommendations,
    retention,
    retrieval,
    runner,
    scale,
    search,
    server,
    serving,
    simulations,
    stores,
)


def main() -> int:
    quick = "--quick" in sys.argv
    sys.argv = ["incremental", "--files", "1000" if quick else "10000"]
    incremental.main()
    sys.argv = ["simulations", *(["--quick"] if quick else [])]
    simulations.main()
    sys.argv = ["runner", *(["--cases", "500"] if quick else [])]
    runner.main()
    sys.argv = ["overhead", *(["--rows", "50", "--busy", "0"] if quick else [])]
    overhead.main()
    sys.argv = ["stores", *(["--sizes", "1000", "10000"] if quick else [])]
    stores.main()
    sys.argv = ["search", *(["--sizes", "2000", "--searches", "50"] if quick else [])]
    search.main()
    sys.argv = ["serving", *(["--chunks", "1000", "--seconds", "5"] if quick else [])]
    serving.main()
    sys.argv = ["server", *(["--tasks", "200", "--idle", "20", "--rounds", "1"] if quick else [])]
    server.main()
    sys.argv = ["retention", *(["--nights", "3", "--days", "1"] if quick else [])]
    retention.main()
    small = ["--documents", "200", "--passages", "64", "--tasks", "100"]
    sys.argv = ["scale", *(small if quick else [])]
    scale.main()
    if "LLMOPS_BENCH_DATA" not in os.environ:
        sys.stdout.write(
            "retrieval, chunking, cleaners, answers, drift and recommendations: skipped, "
            "LLMOPS_BENCH_DATA is not set\n"
        )
        return 0
    sys.argv = ["chunking", *(["--characters", "50000"] if quick else [])]
    chunking.main()
    sys.argv = ["cleaners"]
    cleaners.main()
    sys.argv = ["answers", *(["--sets", "clapnq", "--splits", "20"] if quick else [])]
    answers.main()
    sys.argv = ["drift", *(["--quick"] if quick else [])]
    drift.main()
    sys.argv = ["recommendations", *(["--sets", "xquad-zh", "--quick"] if quick else [])]
    recommendations.main()
    sys.argv = ["retrieval", *(["--sets", "xquad-zh"] if quick else [])]
    return retrieval.main()


if __name__ == "__main__":
    raise SystemExit(main())
