"""The process that forks the processes of tests/forks.py, which says what it is for.

python -m tests.nursery LISTENER ALIVE, two file descriptors: the socket where orders come in, and a
pipe whose other end is closed when nobody needs it any more
"""

import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import json
import logging
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

from llmops.tasks.plugins import registered
from llmops.tasks.tracking.store import QUIET

LOADS = sys.platform == "linux"
# What builds, evaluations and promotions import. The ONNX runtime is not among it: its threads do
# not live through a fork.
LIBRARIES = (
    "anyio._backends._asyncio",
    "filelock",
    "ftfy",
    "great_expectations.expectations.core",
    "lancedb",
    "matplotlib.figure",
    "mlflow.genai",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.tracking",
    "psutil",
    "py3langid",
    "rich.console",
    "scipy.stats",
    "typer",
)
# Packages of ours whose modules do not know Prefect: tasks/*.py and the flows do.
PACKAGES = (
    *("knowledge", "evaluation", "decisions", "maintenance", "retrieval", "tracking"),
    *("plugins.cleaners", "plugins.parsers", "plugins.scorers"),
)
PLUGINS = (
    *("chunkers.markdown", "chunkers.sentence", "embedders.hash", "llms.extractive"),
    *("sources.files", "sources.jsonl", "stores.lancedb", "stores.lancedb.reader"),
)
PREFECT = ("prefect.main", "prefect.artifacts", "prefect.flow_engine", "prefect.task_engine")
THREADS = {"MainThread", "LanceDBBackgroundEventLoop"}


class Hidden(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Prefect, loaded but not to be seen in `sys.modules` until something imports it; then with the
    settings of that moment's environment.
    """

    def __init__(self) -> None:
        for name in PREFECT:
            importlib.import_module(name)
        names = [name for name in sys.modules if name.partition(".")[0] == "prefect"]
        self.modules = {name: sys.modules.pop(name) for name in names}
        self.spec = self.modules["prefect"].__spec__
        logging.getLogger().handlers.clear()  # Prefect's own, until a process imports it
        sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "prefect":
            return None
        sys.meta_path.remove(self)
        return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return self.modules["prefect"]

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec
        sys.modules.update(self.modules)
        # the two things that its import does with settings
        self.modules["prefect.context"].refresh_global_settings_context()
        self.modules["prefect.logging.configuration"].setup_logging(incremental=False)


def public_modules(package: str) -> list[str]:
    paths = importlib.import_module(package).__path__
    names = [module.name for module in pkgutil.iter_modules(paths)]
    return [f"{package}.{name}" for name in names if not name.startswith("_")]


def load() -> None:
    """Import what is slow to import. Fails where that leaves threads that a fork would lose."""
    os.environ |= QUIET  # MLflow's loggers are set up as it is imported
    for name in LIBRARIES:
        importlib.import_module(name)
    for name in QUIET:
        del os.environ[name]
    for package in ("configs", "flows.commands", *(f"tasks.{name}" for name in PACKAGES)):
        for name in public_modules(f"llmops.{package}"):
            importlib.import_module(name)
    for name in PLUGINS:
        importlib.import_module(f"llmops.tasks.plugins.{name}")
    assert "prefect" not in sys.modules
    assert not registered.cache_info().currsize, "plugins of the environment that a process gets"
    Hidden()
    threads = {thread.name for thread in threading.enumerate()}
    assert threads <= THREADS, threads
    assert "onnxruntime" not in sys.modules
    gc.collect()
    gc.freeze()  # else the last collection of every process would copy all of this memory


def orders(listener: socket.socket, alive: int) -> Iterator[socket.socket]:
    """A connection for every process that is wanted, until nobody is there to want one."""
    while True:
        ready, _, _ = select.select([listener.fileno(), alive], [], [])
        if alive in ready:
            return
        with listener.accept()[0] as connection:
            yield connection


def fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LanceDB's and Python's, of forks beside threads
        return os.fork()


def monitor(connection: socket.socket) -> None:
    """Fork the process that is asked for and tell how it ends. Returns in that process alone."""
    _, files, _, _ = socket.recv_fds(connection, 5, 3)
    with connection.makefile("rb") as told:
        order = json.loads(told.readline())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = fork()
    if pid == 0:
        connection.close()
        become(order["words"], order["environment"], order["cwd"], files)
        return
    for file in files:
        os.close(file)
    connection.sendall(b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # nobody waits any more
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def become(
    words: Sequence[str], environment: Mapping[str, str], cwd: str, files: Sequence[int]
) -> None:
    """Take on what a process of its own would have been started with."""
    os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0:1] = [cwd, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = list(words)
    if LOADS:
        sys.modules["numpy"].random.seed()  # the standard library's generator does so by itself


def execute(words: Sequence[str]) -> None:
    """As Python's own options -m and -c."""
    kind, what, *arguments = words
    sys.argv = [what if kind == "-m" else kind, *arguments]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), sys.modules["__main__"].__dict__)


def main(listener: socket.socket, alive: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the monitors
    if LOADS:
        load()
    for connection in orders(listener, alive):
        if fork() == 0:
            listener.close()
            os.close(alive)
            monitor(connection)
            return execute(sys.argv)
    return None


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
