"""Runs one build, or a night, in a process of its own and kills it, with no chance to clean up,
when it reaches a chosen call.

python -m tests.killer HOME CONFIG module:attribute.path before|after [n]
"""

import functools
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests import forks


def arm(place: str, when: str, turn: int) -> None:
    """Make the n-th call of a function kill the process, before it begins or after it has ended."""
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    original, calls = getattr(owner, name), iter(range(1, 1_000_000))

    @functools.wraps(original)
    def deadly(*args: Any, **options: Any) -> Any:
        mine = next(calls) == turn
        if mine and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **options)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)


def killed_build(home: Path, config: Path, place: str, when: str, turn: int = 1) -> None:
    """Run a build in another process until it dies at a place."""
    ended = forks.run("-m", "tests.killer", home, config, place, when, str(turn), timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]


def main(home: str, config: str, place: str, when: str, turn: str = "1") -> None:
    sys.path.insert(0, str(Path(__file__).parent / "plugin_package"))
    from llmops.configs import read
    from llmops.configs.index import IndexConfig
    from llmops.configs.nightly import NightlyConfig
    from llmops.configs.reading import named_in
    from llmops.flows.running import run_connected

    model = NightlyConfig if named_in(Path(config))[0] == "nightly" else IndexConfig
    arm(place, when, int(turn))
    run_connected(Path(home), read(Path(config), model))


if __name__ == "__main__":
    main(*sys.argv[1:])
