"""The ports of the parts: those that were asked for, else those of last time, else free ones."""

import contextlib
import socket
from collections.abc import Mapping, Sequence

from llmops.tasks.errors import UsageError


def free(port: int) -> bool:
    """Whether a server could listen there on the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def choose(names: Sequence[str], base: int | None, last: Mapping[str, int]) -> dict[str, int]:
    """A port for each name. With `base` they follow each other from there.

    Raises UsageError where one of these is taken, naming who holds it.
    """
    if base is not None:
        chosen = {name: base + number for number, name in enumerate(names)}
        for name, port in chosen.items():
            if not free(port):
                raise UsageError(
                    f"port {port}, wanted for {name}, is taken{holder(port)}",
                    where="--port-base",
                    hint="give another one, or leave it out: free ports are found then",
                )
        return chosen
    chosen = {}
    for name in names:
        port = last.get(name, 0)
        chosen[name] = port if port and port not in chosen.values() and free(port) else any_free()
    return chosen


def elsewhere(wanted: Mapping[str, int], ports: Mapping[str, int]) -> list[str]:
    """What to say of the parts that do not listen where their configs say."""
    return [
        f"{name} listens at port {ports[name]}: its own, {port}, is taken{holder(port)}"
        for name, port in wanted.items()
        if ports[name] != port
    ]


def any_free() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def holder(port: int) -> str:
    """` by process 17 (python)`, where the system tells; else empty."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for each in psutil.net_connections("tcp"):
            if each.laddr and each.laddr.port == port and each.status == psutil.CONN_LISTEN:
                if each.pid is None:
                    break
                return f" by process {each.pid} ({psutil.Process(each.pid).name()})"
    return ""
