"""How much of the machine this process may use."""

import os


def processors() -> int:
    """Of those that the process may run on, where the system tells; macOS does not."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
