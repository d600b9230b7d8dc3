"""Something short in a process of its own: what imports much, and would stay in `up` for months."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from llmops.tasks.errors import LlmopsError, Unavailable

SECONDS = 180.0


def child(
    what: str, arguments: list[str], environment: Mapping[str, str], folder: Path
) -> "subprocess.CompletedProcess[str]":
    """Something short in a process of its own. Raises LlmopsError with its last line."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", *arguments],
            env={**os.environ, **environment},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{what}: not done within {SECONDS:.0f} s") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise LlmopsError(f"{what}: {lines[-1] if lines else f'exit code {done.returncode}'}")
    return done
