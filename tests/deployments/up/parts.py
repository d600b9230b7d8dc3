"""Tiny parts for a supervisor: real processes, whose health is a file."""

import io
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from llmops.deployments.up.keeper import RestartPolicy, UpPart
from llmops.deployments.up.logs import Logs

QUICK = RestartPolicy(
    check=0.02,
    start=20.0,
    silence=0.3,
    first_pause=0.05,
    longest_pause=0.4,
    stable=0.5,
    stop=1.5,
    tries=3,
)
SERVE = (
    "import pathlib, time; pathlib.Path({file!r}).touch(); "
    "print('ready', flush=True); time.sleep(60)"
)


def part(folder: Path, name: str = "one", program: str = SERVE) -> UpPart:
    """A part that answers as long as its file is there."""
    file = folder / f"{name}.well"
    return UpPart(
        name,
        (sys.executable, "-c", program.format(file=str(file))),
        file.exists,
        folder,
        url=f"http://{name}.example",
        before=lambda: file.unlink(missing_ok=True),
    )


def after(given: UpPart, *names: str) -> UpPart:
    return replace(given, after=names)


def logs(folder: Path, *, shown: bool = True) -> tuple[Logs, io.StringIO]:
    out = io.StringIO()
    return Logs(folder / "logs", out, shown=shown), out


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.02)
