"""Runs on servers that a user has: a Prefect server that wants an auth string and CSRF tokens, and
an MLflow server that wants a login. Both are real, started once for these tests.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from llmops.flows.server import reached
from llmops.flows.server.used import used
from llmops.flows.server.which import NamedServer, StatedSetting
from llmops.tasks.errors import LlmopsError, UsageError
from tests.commandline import Said, ended, start
from tests.laboratory import Laboratory

AUTH = "admin:p4ssw0rd"
LOGIN = ("alice", "w0nderland")
MLFLOW = """
import sys
from flask import Response, request
from mlflow.server import app
from werkzeug.serving import run_simple
@app.before_request
def login():
    if request.path != "/health" and request.headers.get("Authorization") != sys.argv[2]:
        return Response("You are not authenticated.", 401)
run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], health: str, environment: dict[str, str]) -> Iterator[None]:
    with (Path(environment["FOLDER"]) / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                urllib.request.urlopen(health, timeout=2).close()
                break
            except OSError:
                said = (Path(environment["FOLDER"]) / "log").read_text()[-3000:]
                assert process.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


def plain() -> dict[str, str]:
    servers = ("PREFECT_", "MLFLOW_", "LLMOPS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(servers)}


@pytest.fixture(scope="module")
def their_prefect(
    tmp_path_factory: pytest.TempPathFactory, prefect_database: Path
) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("their-prefect"), free_port()
    shutil.copy(prefect_database, folder / "prefect.db")
    environment = plain() | {
        "FOLDER": str(folder),
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_API_AUTH_STRING": AUTH,
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    app = ["--factory", "prefect.server.api.server:create_app", "--port", str(port)]
    with running(
        [sys.executable, "-m", "uvicorn", *app], f"http://127.0.0.1:{port}/api/health", environment
    ):
        yield f"http://127.0.0.1:{port}/api"


@pytest.fixture(scope="module")
def their_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from llmops.tasks.tracking import prepare, tracking_uri

    folder, port = tmp_path_factory.mktemp("their-mlflow"), free_port()
    prepare(folder)
    environment = plain() | {
        "FOLDER": str(folder),
        "_MLFLOW_SERVER_FILE_STORE": tracking_uri(folder),
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / "artifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    wanted = f"Basic {b64encode(':'.join(LOGIN).encode()).decode()}"
    command = [sys.executable, "-c", MLFLOW, str(port), wanted]
    with running(command, f"http://127.0.0.1:{port}/health", environment):
        yield f"http://127.0.0.1:{port}"


@dataclass
class Team:
    """A laboratory and the environment of a user with servers."""

    lab: Laboratory
    environment: dict[str, str]

    def llmops(self, *words: str | Path) -> Said:
        """In a process of its own, which has heard of no server but these."""
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(plain() | self.environment)
        try:
            return ended(start(self.lab.home, *words, "--json"))
        finally:
            os.environ.clear()
            os.environ.update(before)


@pytest.fixture
def team(tmp_path: Path, their_prefect: str, their_mlflow: str) -> Team:
    lab = Laboratory(tmp_path)
    lab.write("a.md", "# Password\n\nPress reset, and wait for a minute.")
    environment = {
        "PREFECT_HOME": str(tmp_path / "their-home"),
        "PREFECT_API_URL": their_prefect,
        "PREFECT_API_AUTH_STRING": AUTH,
        "MLFLOW_TRACKING_URI": their_mlflow,
        "MLFLOW_TRACKING_USERNAME": LOGIN[0],
        "MLFLOW_TRACKING_PASSWORD": LOGIN[1],
    }
    return Team(lab, environment)


def fetched(url: str, login: str) -> bytes:
    header = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=header), timeout=10) as answer:
        content: bytes = answer.read()
        return content


@pytest.mark.slow
def test_a_build_runs_and_is_recorded_on_the_user_s_servers(team: Team, their_mlflow: str) -> None:
    """The Prefect server stands in a profile, MLflow in a variable; nothing of a server is made in
    the home.
    """
    url = team.environment.pop("PREFECT_API_URL")
    team.environment.pop("PREFECT_API_AUTH_STRING")
    profiles = Path(team.environment["PREFECT_HOME"]) / "profiles.toml"
    profiles.parent.mkdir()
    profiles.write_text(
        f'active = "team"\n[profiles.team]\nPREFECT_API_URL = "{url}"\n'
        f'PREFECT_API_AUTH_STRING = "{AUTH}"\n'
    )
    built = team.llmops("index", team.lab.config()).data
    assert (built["status"], built["warnings"]) == ("published", [])
    assert not (team.lab.home / "prefect").exists()
    assert not (team.lab.home / "mlflow").exists()
    run = json.loads(fetched(f"{url}/flow_runs/{built['prefect_run_id']}", AUTH))
    assert (run["state"]["type"], run["name"]) == ("COMPLETED", "lab v1")
    links, mlflow_run = built["links"], built["mlflow_run_id"]
    pages = url.removesuffix("/api")
    assert links["prefect"] == f"{pages}/runs/flow-run/{built['prefect_run_id']}"
    assert links["mlflow"].startswith(f"{their_mlflow}/#/experiments/")
    # a colleague elsewhere reads the Data Docs in MLflow
    assert links["data docs"] == f"{links['mlflow']}/artifacts/data-docs.html"
    file = f"{their_mlflow}/get-artifact?path=data-docs.html&run_uuid={mlflow_run}"
    assert b"<title>lab v1" in fetched(file, ":".join(LOGIN))
    assert "file://" not in json.dumps(built)
    erased = team.llmops("kb", "erase", "lab", "--uri", "a.md", "--yes").data
    notes = "\n".join(erased["notes"])
    assert f"the Prefect server at {url}" in notes
    assert f"MLflow at {their_mlflow}" in notes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        (
            {"PREFECT_API_URL": "http://127.0.0.1:9/api"},
            "PREFECT_API_URL",
            "does not answer",
        ),
        (
            {"PREFECT_API_AUTH_STRING": "admin:wrong"},
            "PREFECT_API_AUTH_STRING",
            "refuses what PREFECT_API_AUTH_STRING says: 401",
        ),
        (
            {"PREFECT_API_AUTH_STRING": ""},
            "PREFECT_API_URL",
            "refuses requests without a key: 401",
        ),
        (
            {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"},
            "MLFLOW_TRACKING_URI",
            "MLflow does not answer at http://127.0.0.1:9",
        ),
        (
            {"MLFLOW_TRACKING_PASSWORD": "wrong"},
            "MLFLOW_TRACKING_URI",
            "refuses us",
        ),
        (
            {"LLMOPS_MLFLOW_TRACKING_URI": "http://bob:s3cret@127.0.0.1:9"},
            "LLMOPS_MLFLOW_TRACKING_URI",
            "MLflow does not answer at http://127.0.0.1:9",
        ),
    ],
)
def test_what_does_not_answer_or_refuses_is_named_before_anything_is_paid(
    team: Team, changes: dict[str, str], where: str, says: str
) -> None:
    team.environment.update(changes)
    said = team.llmops("index", team.lab.config())
    assert said.code == 1
    assert (said.mistake["where"], said.mistake["kind"]) == (where, "unavailable")
    assert says in said.mistake["message"]
    assert said.mistake["hint"]
    assert team.lab.paid() == 0
    for secret in (AUTH.split(":")[1], LOGIN[1], "s3cret"):
        assert secret not in said.out + said.err


@contextmanager
def answering(*replies: tuple[int, object]) -> Iterator[NamedServer]:
    """A server that says these things, one after the other, the last one for ever."""
    left = list(replies)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, content = left.pop(0) if len(left) > 1 else left[0]
            body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    often = {"poll_interval": 0.01}
    Thread(target=server.serve_forever, kwargs=often, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/api"
    try:
        yield NamedServer((("PREFECT_API_URL", StatedSetting(url, "PREFECT_API_URL in .env")),))
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("replies", "says"),
    [
        ([(200, 3), (200, "2.20.4")], "is version 2.20.4, ours is 3"),
        ([(200, "<html>a page</html>")], "there is no Prefect API at .*no JSON"),
        ([(404, "Not Found")], "there is no Prefect API at .*404"),
        ([(405, "Method Not Allowed")], "there is no Prefect API at .*405"),
        ([(200, {"detail": "hello"})], "there is no Prefect API at .*a dict came"),
    ],
)
def test_what_is_no_prefect_server_of_ours(replies: list[tuple[int, object]], says: str) -> None:
    given = [(code, json.dumps(text) if text == "2.20.4" else text) for code, text in replies]
    with answering(*given) as server, pytest.raises(UsageError, match=says) as caught:
        reached(server)
    assert caught.value.where == "PREFECT_API_URL in .env"


def test_an_older_server_is_used_and_said_and_one_in_trouble_is_not() -> None:
    with answering((200, 3), (200, '"3.1.5"')) as server:
        found = reached(server)
    assert "is version 3.1.5, older than ours" in found.remarks[0]
    with answering((500, "database is locked")) as server:
        with pytest.raises(LlmopsError, match="answers 500") as caught:
            reached(server)
        assert caught.value.exit_code == 1


def test_status_says_which_servers_are_used_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "")
    own = {part.name: part for part in used(tmp_path)}
    assert [own[name].own for name in ("prefect", "mlflow")] == [True, True]
    assert own["prefect"].problem
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://bob:s3cret@127.0.0.1:9")
    with answering((200, 3), (200, '"3.8.8"')) as server:
        monkeypatch.setenv("PREFECT_API_URL", server.url)
        theirs = {part.name: part for part in used(tmp_path)}
    assert (theirs["prefect"].own, theirs["prefect"].why) == (False, "PREFECT_API_URL")
    assert (theirs["prefect"].healthy, theirs["prefect"].version) == (True, "3.8.8")
    assert (theirs["mlflow"].healthy, theirs["mlflow"].why) == (False, "MLFLOW_TRACKING_URI")
    assert "does not answer" in theirs["mlflow"].problem
    assert "s3cret" not in repr(theirs)
    assert list(tmp_path.iterdir()) == []  # asking makes nothing
