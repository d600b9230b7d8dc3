"""Which parts an `up` has: the servers of the home, or those of its user, what watches them all,
and the worker that runs what is scheduled. Each application of the project is one more part after
the servers.
"""

import json
import os
import sys
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from urllib.error import HTTPError

from llmops.configs.reading import read
from llmops.configs.serve import ServeConfig
from llmops.deployments.alerting import pulse
from llmops.deployments.project import Project, Scheduled
from llmops.deployments.remarks import NO_SCHEDULE
from llmops.deployments.up.keeper import UpPart
from llmops.deployments.up.ports import free, holder
from llmops.deployments.up.processes import Known, known
from llmops.deployments.up.registering import child
from llmops.deployments.up.servers import Servers
from llmops.flows import server
from llmops.flows.server import state
from llmops.tasks.errors import Unavailable, did_you_mean
from llmops.tasks.tracking import served_at

PREFECT, MLFLOW, WORKER, ALERTS = "prefect", "mlflow", "worker", "alerts"
PORTS = (PREFECT, MLFLOW, WORKER)
LOCAL_HOSTS = "localhost,localhost:*,127.0.0.1,127.0.0.1:*"
ASK_SECONDS = 5.0
LEVELS = {
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_LOGGING_COLORS": "false",
    "PYTHONUNBUFFERED": "1",
}


def parts_of(
    project: Project, servers: Servers, ports: Mapping[str, int], before: Callable[[], None]
) -> list[UpPart]:
    """In the order in which they start. `before`: done before each start of the worker."""
    return [
        _prefect(project, servers, ports),
        mlflow_part(project.home, servers, ports[MLFLOW]),
        *(_app(project, servers, app, ports) for app in apps_of(project)),
        *([] if os.environ.get("LLMOPS_ALERTS") == "elsewhere" else [_alerts(project, servers)]),
        _worker(project, servers, ports, before),
    ]


def apps_of(project: Project) -> list[Scheduled]:
    """The configs of the applications that are its to run: none where LLMOPS_APPS says that they
    run elsewhere. Raises what `Project.configs` raises.
    """
    if os.environ.get("LLMOPS_APPS") == "elsewhere":
        return []
    return [config for config in project.configs() if config.flow == "serve"]


def app_ports(project: Project) -> dict[str, int]:
    """Part -> the port that the application's config names."""
    return {
        part_of(app): read(project.folder / app.file, ServeConfig).port for app in apps_of(project)
    }


def part_of(app: Scheduled) -> str:
    """What the part of an application is called."""
    return f"app {app.name}"


def tethered(how: str, module: str, *arguments: str) -> tuple[str, ...]:
    """The command of a part that ends when `up` does; see tether.py."""
    tether = "llmops.deployments.up.tether"
    return (sys.executable, "-P", "-m", tether, how, module, *arguments)


def _opener() -> urllib.request.OpenerDirector:
    """Of this machine, whatever proxy the environment names."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str, seconds: float = ASK_SECONDS) -> bool:
    """Whether a server of this machine answers there, and well."""
    try:
        with _opener().open(url, timeout=seconds) as response:
            return bool(response.status == 200)
    except (OSError, HTTPException, ValueError):  # also what answers, but not with HTTP
        return False


def _prefect(project: Project, servers: Servers, ports: Mapping[str, int]) -> UpPart:
    if servers.prefect.yours:
        return UpPart(
            PREFECT,
            (),
            servers.prefect.answers,
            project.folder,
            servers.prefect.ui,
            servers.prefect.source,
        )
    home, port = project.home, ports[PREFECT]
    folder = state.prepare(home)
    return UpPart(
        PREFECT,
        tethered("soft", "llmops.flows.server.daemon", str(folder), str(port), "0"),
        lambda: _is_at(folder, port),
        folder,
        servers.prefect.ui,
        environment={"PYTHONUNBUFFERED": "1"},
        without=tuple(name for name in os.environ if name.startswith("PREFECT_")),
        before=lambda: _room(folder, port),
        there=lambda: _there(folder, port),
    )


def _is_at(folder: Path, port: int) -> bool:
    answer = state.ask(folder, use=True)
    return answer is not None and answer["port"] == port


def _there(folder: Path, port: int) -> Known | None:
    """The background server that a command has started."""
    answer = state.ask(folder, use=True)
    if answer is None or answer["port"] != port:
        return None
    return known(answer["pid"])


def _room(folder: Path, port: int) -> None:
    """The server would go elsewhere, where nobody looks for it."""
    answer = state.ask(folder, use=True)
    if answer is not None and (answer["version"] != version("prefect") or answer["port"] != port):
        server.stop(folder.parent)
    elif answer is None and state.server_pid(folder) is not None:
        server.stop(folder.parent)  # it hangs
    if not _is_at(folder, port) and not free(port):
        raise Unavailable(
            f"port {port} is taken{holder(port)}",
            hint="end that program, or start `llmops up` again: it finds another port",
        )


def mlflow_part(home: Path, servers: Servers, port: int) -> UpPart:
    """The MLflow server of the home's store, or that of the user."""
    chosen = servers.mlflow
    if chosen.yours:
        return UpPart(MLFLOW, (), chosen.answers, home, chosen.ui or None, chosen.source)
    options = {
        "--backend-store-uri": chosen.url,
        "--default-artifact-root": servers.artifacts,
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
        "--allowed-hosts": LOCAL_HOSTS,
        "--uvicorn-opts": "--log-level warning",
    }
    return UpPart(
        MLFLOW,
        tethered("hard", "mlflow", "server", *(each for pair in options.items() for each in pair)),
        lambda: answers(f"http://127.0.0.1:{port}/health"),
        home,
        chosen.ui,
        environment={
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "PYTHONUNBUFFERED": "1",
            # of MLflow's own code, which nobody here can change
            "PYTHONWARNINGS": "ignore:starlette.middleware.wsgi is deprecated",
        },
        before=lambda: _store(home, port, chosen.ui),
    )


def _store(home: Path, port: int, url: str) -> None:
    """Make the store where there is none: MLflow's own way breaks when somebody else looks."""
    if not free(port):
        raise Unavailable(f"port {port} is taken{holder(port)}", hint="end that program")
    program = (
        "import sys; from pathlib import Path; from llmops.tasks.tracking import prepare; "
        "prepare(Path(sys.argv[1]))"
    )
    if not (home / "mlflow" / "mlflow.db").exists():
        child("the store of MLflow", ["-c", program, str(home)], {}, home)
    served_at(home, url)


def _app(project: Project, servers: Servers, app: Scheduled, ports: Mapping[str, int]) -> UpPart:
    url = f"http://127.0.0.1:{ports[part_of(app)]}"
    options = ("--port", str(ports[part_of(app)]), "--wait")
    built = {each.name: each.file for each in project.configs() if each.flow == "index"}
    return UpPart(
        part_of(app),
        tethered("soft", "llmops.flows.cli", "serve", str(project.folder / app.file), *options),
        lambda: answers(f"{url}/health"),
        project.folder,
        url,
        environment={
            "LLMOPS_HOME": str(project.home),
            "PYTHONUNBUFFERED": "1",
            **({} if servers.mlflow.yours else {"LLMOPS_MLFLOW_URL": servers.mlflow.ui}),
        },
        after=(MLFLOW,),
        app=True,
        waits=lambda: first_build(url, built),
    )


def _alerts(project: Project, servers: Servers) -> UpPart:
    """What watches all others; where it hangs, it is started again as well."""
    module = "llmops.deployments.alerting.watching"
    return UpPart(
        ALERTS,
        tethered("soft", module, str(project.folder), str(project.home)),
        lambda: pulse.well(project.home),
        project.folder,
        environment={
            **LEVELS,
            **servers.environment(),
            "LLMOPS_HOME": str(project.home),
        },
        app=True,
    )


def first_build(url: str, built: Mapping[str, str]) -> str:
    """What an application says that it waits for; "" where it waits for nothing, or does not say.
    `built`: the knowledge bases that the project's configs build, each with its config.
    """
    try:
        with _opener().open(f"{url}/ready", timeout=ASK_SECONDS):
            return ""
    except HTTPError as error:
        names = json.loads(error.read()).get("waiting", []) if error.code == 503 else []
    except (OSError, HTTPException, ValueError):
        return ""
    return "; ".join(_first_build(name, built) for name in names)


def _first_build(name: str, built: Mapping[str, str]) -> str:
    text = f"waits for the first build of the knowledge base {name!r}"
    if name in built:
        return f"{text} (llmops index {built[name]})"
    close = did_you_mean(name, built)
    return f"{text}, which no config of the project builds" + (f" ({close})" if close else "")


def _worker(
    project: Project, servers: Servers, ports: Mapping[str, int], before: Callable[[], None]
) -> UpPart:
    port = ports[WORKER]
    options = ("--pool", project.pool, "--type", "process", "--name", project.worker)
    return UpPart(
        WORKER,
        tethered("hard", "prefect", "worker", "start", *options, "--with-healthcheck"),
        lambda: answers(f"http://127.0.0.1:{port}/health"),
        project.folder,
        detail=f"pool {project.pool}" + ("" if project.scheduled() else f"; {NO_SCHEDULE[0]}"),
        environment={
            **LEVELS,
            **servers.environment(),
            "LLMOPS_HOME": str(project.home),
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1",
            "PREFECT_WORKER_WEBSERVER_PORT": str(port),
        },
        after=(PREFECT,),
        before=before,
    )
