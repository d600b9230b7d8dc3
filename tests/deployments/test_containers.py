"""The commands of the containers run as plain processes, with the environments and the health
checks of the compose file: a PostgreSQL that asks for a password, Prefect, MLflow and a worker.
"""

import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from llmops.deployments.starter import write_starter
from tests.deployments.containers import FOLDER, SERVICES, Machine
from tests.postgres import binaries, postgres_server

pytestmark = pytest.mark.slow
PASSWORD = "p w'$\"d"
AUTH = "llmops:s3cret"


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    sql, prefect, mlflow, health = free_ports(4)
    for name in ("data", "tmp", "secrets"):
        (folder / name).mkdir()
    write_starter(folder / "project")
    (folder / "secrets" / "postgres_password").write_text(PASSWORD + "\n")
    (folder / "secrets" / "prefect_auth").write_text(AUTH + "\n")
    places = {
        "llmops@postgres:5432": f"tester@127.0.0.1:{sql}",
        "http://prefect:4200": f"http://127.0.0.1:{prefect}",
        "http://mlflow:5000": f"http://127.0.0.1:{mlflow}",
        "127.0.0.1:4200": f"127.0.0.1:{prefect}",
        "127.0.0.1:5000": f"127.0.0.1:{mlflow}",
        "8080": str(health),
        "mlflow:5000": f"127.0.0.1:{mlflow}",
        "--port=5000": f"--port={mlflow}",
        "4200": str(prefect),
        "0.0.0.0": "127.0.0.1",
        "/run/secrets": str(folder / "secrets"),
        "/data": str(folder / "data"),
        "/project": str(folder / "project"),
    }
    variables = {"LLMOPS_PROJECT": "helpdesk", "WEAVIATE_API_KEY": "key"}
    with postgres_server(sql, PASSWORD):
        init(sql)
        yield Machine(places, variables, folder)


def init(port: int) -> None:
    """What PostgreSQL's image does with our script when it makes its data."""
    environment = os.environ | {
        "PATH": f"{binaries()}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGPASSWORD": PASSWORD,
        "POSTGRES_USER": "tester",
    }
    subprocess.run(
        ["psql", "-d", "postgres", "-U", "tester", "-c", "CREATE DATABASE ledger"],
        env=environment,
        check=True,
        capture_output=True,
    )
    script = FOLDER / "postgres-init.sh"
    subprocess.run([script], env=environment, check=True, capture_output=True)


def answered(url: str, auth: str = "") -> Any:
    request = urllib.request.Request(url, data=b"{}", headers={"Content-Type": "application/json"})
    if auth:
        request.add_header("Authorization", f"Basic {b64encode(auth.encode()).decode()}")
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def refused(url: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        answered(url)
    caught.value.close()
    return caught.value.code


def test_servers_and_runner_come_up_keep_strangers_out_and_end_on_sigterm(machine: Machine) -> None:
    with machine.started("prefect") as prefect, machine.started("mlflow"):
        api = machine.here("http://prefect:4200/api/flows/count")
        assert refused(api) == 401
        assert answered(api, AUTH) == 0
        with machine.started("worker"):
            assert deployments(machine) == ["monitor", "nightly"]
            with machine.started("runner"):
                assert SERVICES["runner"]["command"][:3] == ["prefect", "worker", "start"]
    assert prefect.returncode in (0, -15)


def deployments(machine: Machine) -> list[str]:
    """The flows that the worker has registered at the server."""
    api = machine.here("http://prefect:4200/api")
    told = answered(f"{api}/deployments/filter", AUTH)
    return [tag[5:] for each in told for tag in each["tags"] if tag.startswith("flow:")]
