"""Where a fault strikes: a process of a system calls `at(point)` whenever it comes to one of the
five points, and dies or raises there if that was ordered.

The order is a file `fault.json` in the working folder, `{"point", "how", "call"}`: at the call of
that number, `how` is `kill` (SIGKILL to the process, no chance to clean up) or `raise`. It strikes
once; the file is gone then. Every call is also a line in `calls.log`, by which the harness learns
how often a system comes to a point.
"""

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

POINTS = ("parse", "embed", "store write", "state write", "delete")
ORDER, CALLS = Path("fault.json"), Path("calls.log")
_seen: Counter[str] = Counter()
_lock = threading.Lock()


class InjectedFault(RuntimeError):
    """What `raise` raises."""


def at(point: str) -> None:
    """Raises InjectedFault, or does not return, where a fault was ordered for this call."""
    with _lock:
        _seen[point] += 1
        with CALLS.open("a") as file:
            file.write(f"{point}\n")
        if not ORDER.exists():
            return
        order = json.loads(ORDER.read_text())
        if (order["point"], order["call"]) != (point, _seen[point]):
            return
        ORDER.unlink()
    if order["how"] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise InjectedFault(f"injected at {point}")


def before(owner: Any, name: str, point: str) -> None:
    """Make `owner.name` come to the point before it begins."""
    original: Callable[..., Any] = getattr(owner, name)

    @wraps(original)
    def struck(*args: Any, **options: Any) -> Any:
        at(point)
        return original(*args, **options)

    setattr(owner, name, struck)


def after(owner: Any, name: str, point: str) -> None:
    """Make an asynchronous `owner.name` come to the point when it has ended."""
    original: Callable[..., Any] = getattr(owner, name)

    @wraps(original)
    async def struck(*args: Any, **options: Any) -> Any:
        result = await original(*args, **options)
        at(point)
        return result

    setattr(owner, name, struck)


def arm_lancedb() -> None:
    """LanceDB's own client comes to `store write` before each add and merge, and to `delete` before
    each deletion: its synchronous tables call these too.
    """
    from lancedb.table import AsyncTable

    before(AsyncTable, "add", "store write")
    before(AsyncTable, "_do_merge", "store write")
    before(AsyncTable, "delete", "delete")
