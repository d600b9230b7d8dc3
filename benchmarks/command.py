"""Running the product as a user would: the `llmops` command in a process of its own."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from llmops.tasks.errors import UsageError


def data_folder() -> Path:
    """The folder of public corpora. Raises UsageError when it is not named."""
    if "LLMOPS_BENCH_DATA" not in os.environ:
        raise UsageError(
            "LLMOPS_BENCH_DATA is not set", hint="it names the folder with beir/ and feedbackqa/"
        )
    return Path(os.environ["LLMOPS_BENCH_DATA"])


def llmops(home: Path, *arguments: str, codes: tuple[int, ...] = (0,)) -> dict[str, Any]:
    """Run a command with `LLMOPS_HOME` below `home` and return its JSON. Raises RuntimeError for
    another exit code.

    The object gets two more keys: `wall_seconds` and `peak_mb` (of the largest command so far).
    """
    environment = os.environ | {"LLMOPS_HOME": str(home / "home")}
    began = time.perf_counter()
    ended = subprocess.run(
        [str(Path(sys.executable).parent / "llmops"), *arguments, "--json"],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    if ended.returncode not in codes:
        raise RuntimeError(
            f"llmops {' '.join(arguments)} ended with {ended.returncode}: "
            f"{ended.stdout[-500:]} {ended.stderr[-2000:]}"
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    found: dict[str, Any] = json.loads(ended.stdout)
    return found | {"wall_seconds": time.perf_counter() - began, "peak_mb": peak}
