"""A part of `up` in its own process: `python -P -m llmops.deployments.up.tether HOW MODULE WORD…`
runs MODULE as `python -m MODULE WORD…` would, and ends when `up` is gone.

Standard input is a pipe whose other end `up` holds: when `up` dies, however it dies, the pipe ends.
No signal of the system does the same everywhere. HOW says what then happens: `soft` is SIGTERM and
some patience, for a server that has to write down what it was sent; `hard` is SIGKILL for the
process and all that it started, so that runs stay as they were cut, and the next `up` finds them.
"""

import contextlib
import os
import runpy
import signal
import sys
import threading
import time

SOFT_SECONDS = 20.0


def main(arguments: list[str]) -> None:
    how, module, *rest = arguments
    lifeline = os.dup(0)  # not inheritable: the part's own children must not hold it
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_watch, args=(lifeline, how), name="tether", daemon=True).start()
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _watch(lifeline: int, how: str) -> None:
    while os.read(lifeline, 1024):
        pass
    if how == "soft":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SOFT_SECONDS)
    import psutil

    own = psutil.Process()
    for child in own.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    own.kill()


if __name__ == "__main__":
    main(sys.argv[1:])
