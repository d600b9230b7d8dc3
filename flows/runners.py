"""Where the submitted tasks of a flow run: Prefect's task runners by the key `runner` of a config.

A flow is decorated once, whoever starts it: a command, a deployment, a flow of the user's own. So
the runner is chosen inside: within `working`, `task.submit` goes to that of the config. What is
called and not submitted stays in the process of the run.
"""

import os
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from prefect.context import FlowRunContext
from prefect.settings import PREFECT_API_URL
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from llmops.configs.runners import Runner
from llmops.flows.server import discreet
from llmops.tasks.errors import LlmopsError, Unavailable
from llmops.tasks.knowledge.workers import refuse

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

HERE = Runner()
Check = Callable[[], str]
"""Run on a worker: why it cannot work, or an empty text."""
THREADS, WORKERS = 4, 2
REACH_SECONDS, START_SECONDS = 5.0, 120.0
OBJECT_STORE_BYTES = 128 * 2**20
"""References travel, no data: Ray's own default is a third of the memory."""
DEAD = "see the workers' logs, and run again: what was paid for is kept"


@contextmanager
def working(runner: Runner, check: Callable[[], Check]) -> Iterator[None]:
    """Run the submitted tasks in the runner that a config names. Every worker of a cluster that is
    not our own is asked what `check` gives.

    Raises Unavailable when the cluster cannot be reached or started, when a worker cannot take
    part, and when the cluster is lost while it works.
    """
    context = FlowRunContext.get()
    if context is None:
        raise RuntimeError("a runner works inside a flow run")
    with _told(runner):
        if runner.address and runner.address != "auto":
            _reach(runner.address)
        with ExitStack() as stack:
            started = _begun(runner, stack, check)
            with context.model_copy(update={"task_runner": started}):
                yield


def _threads(runner: Runner) -> TaskRunner[Any]:
    return ThreadPoolTaskRunner(max_workers=runner.workers or THREADS)


def _dask(runner: Runner) -> TaskRunner[Any]:
    from prefect_dask.task_runners import DaskTaskRunner

    if runner.address:
        return DaskTaskRunner(
            address=runner.address, client_kwargs={"timeout": f"{REACH_SECONDS:g}s"}
        )
    return DaskTaskRunner(
        cluster_kwargs={
            "n_workers": runner.workers or WORKERS,
            "threads_per_worker": runner.threads or 1,
            "dashboard_address": None,
        }
    )


def _ray(runner: Runner) -> TaskRunner[Any]:
    # read when ray is imported: no reports to its makers, the environment of this process as it is
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    from prefect_ray.task_runners import RayTaskRunner

    quiet = {"log_to_driver": False, "logging_level": "error"}
    more: dict[str, object] = {}
    if not runner.address:
        more = {
            "num_cpus": runner.num_cpus or WORKERS,
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
        }
    # the runner takes no address `auto`; Ray itself does
    made: TaskRunner[Any] = RayTaskRunner(
        init_kwargs={**quiet, **more, "address": runner.address or "local"}
    )
    return made


MADE: Mapping[str, Callable[[Runner], TaskRunner[Any]]] = {
    "threads": _threads,
    "dask": _dask,
    "ray": _ray,
}


def _reach(address: str) -> None:
    """Quick where the libraries wait for minutes."""
    place = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        socket.create_connection((place.hostname or "", place.port or 0), REACH_SECONDS).close()
    except OSError as error:
        raise Unavailable(
            f"nothing answers at {address}: {error.strerror or error}",
            where="runner.address",
            hint="start the scheduler, or correct the address; nothing was paid yet",
        ) from error


@contextmanager
def _told(runner: Runner) -> Iterator[None]:
    """Errors of the cluster's own in our words."""
    try:
        yield
    except LlmopsError:
        raise
    except BaseException as error:  # a lost scheduler cancels, and that is no Exception
        if type(error).__module__.partition(".")[0] not in ("distributed", "dask", "ray"):
            raise
        raise Unavailable(
            f"the {runner.name} cluster lost the work: {type(error).__name__}: {_first(error)}",
            where="runner",
            hint=DEAD,
        ) from error


def _first(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")[:300]


def _begun(runner: Runner, stack: ExitStack, check: Callable[[], Check]) -> TaskRunner[Any]:
    """Start or connect, and ask the workers of a cluster that is not our own."""
    try:
        started = stack.enter_context(MADE[runner.name](runner))
        getattr(started, "client", None)  # Dask's runner connects for its first task else
        if runner.address:
            asked = partial(_trouble, check(), discreet(PREFECT_API_URL.value() or ""))
            for worker, trouble in ASKED[runner.name](started, asked).items():
                if trouble:
                    raise refuse(worker, trouble)
    except LlmopsError:
        raise
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise Unavailable(
            f"the {runner.name} cluster cannot be used: {_first(error)}",
            where="runner",
            hint="check that it runs, with this release on the same Python; nothing was paid yet",
        ) from error
    return started


def _ask_dask(started: "DaskTaskRunner", check: Check) -> dict[str, str]:
    try:  # a cluster that grows by need has no worker before it is given something to do
        first = started.client.submit(check, pure=False)  # type: ignore[no-untyped-call]
        first.result(timeout=START_SECONDS)
    except TimeoutError as error:
        raise Unavailable(
            f"no worker of the cluster took a task within {START_SECONDS:g} seconds",
            where="runner.address",
            hint="start workers: dask worker ADDRESS",
        ) from error
    answers = started.client.run(check, on_error="return")
    return {str(worker): str(trouble) for worker, trouble in answers.items()}


def _ask_ray(started: TaskRunner[Any], check: Check) -> dict[str, str]:
    del started
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    @ray.remote(num_cpus=0, max_retries=0)
    def ask() -> str:
        return check()

    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    nodes = [node for node in known if node["Alive"] and node["Resources"].get("CPU")]
    places = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in nodes]
    answers = ray.get(
        [ask.options(scheduling_strategy=place).remote() for place in places],
        timeout=START_SECONDS,
    )
    names = [f"{node['NodeManagerHostname']} ({node['NodeID'][:8]})" for node in nodes]
    return dict(zip(names, answers, strict=True))


ASKED: Mapping[str, Callable[..., dict[str, str]]] = {"dask": _ask_dask, "ray": _ask_ray}


def _trouble(check: Check, api: str | None) -> str:
    """Runs on a worker."""
    return check() or (_unreachable(api) if api else "")


def _unreachable(api: str) -> str:
    try:
        urllib.request.urlopen(f"{api}/health", timeout=REACH_SECONDS).close()
    except urllib.error.HTTPError:
        return ""  # it is there, and wants a key
    except OSError as error:
        return (
            f"Prefect's server {api} cannot be reached from there ({error}); set PREFECT_API_URL "
            "to one that machine and workers reach"
        )
    return ""
