"""Runs a program that must not outlive who started it: `python _guard.py GRACE LOCK PROGRAM WORD…`.

Standard input is a pipe whose other end the starter holds: when the starter is gone, however it
went, or closes it, the pipe ends, and the program and what it started are told to end, and after
GRACE seconds made to. LOCK is the number of an open file that is locked: the program inherits it,
so that the lock holds for as long as any of it lives, even where the guard itself is killed.

It is run as a file, without the house: nothing but the standard library is imported.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

LOOK = 0.1
"""Seconds between two looks whether all of it has ended."""


def main(arguments: list[str]) -> int:
    grace, lock, *command = arguments
    program = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=(int(lock),)
    )
    os.close(int(lock))
    ending = threading.Event()
    given = (program.pid, float(grace), ending)
    watch = threading.Thread(target=_watch, args=given, daemon=True)
    watch.start()
    code = program.wait()
    if ending.is_set():
        watch.join()  # what the program started may take longer than itself
    return code if code >= 0 else 128 - code


def _watch(group: int, grace: float, ending: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    ending.set()
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
        until = time.monotonic() + grace
        while _lives(group) and time.monotonic() < until:
            time.sleep(LOOK)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
