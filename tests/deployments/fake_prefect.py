"""A Prefect server as far as `up` and `status` ask one over HTTP: deployments, runs, states."""

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any


def state(kind: str, name: str = "", message: str | None = None) -> dict[str, object]:
    return {"type": kind, "name": name or kind.title(), "message": message, "timestamp": ""}


class FakePrefect:
    """`set_state`: told of each state that a run gets; `refuses`: answers 500 to everything;
    `wants`: the header of the login without which it answers 401; `wait`: seconds before each
    answer; `cut`: it closes in the middle of each; `asked`: the paths so far.
    """

    def __init__(self) -> None:
        self.url, self.refuses = "", False
        self.wants, self.wait, self.cut = "", 0.0, False
        self.asked: list[str] = []
        self.deployments: list[dict[str, object]] = [
            {"id": "d1", "name": "handbook", "tags": [], "paused": False, "parameters": {}}
        ]
        self.runs: dict[str, dict[str, Any]] = {}
        self.states: list[tuple[str, str]] = []
        self.set_state: Callable[[str, str], None] = lambda _run, _kind: None

    def add(self, name: str, expected: datetime, state: dict[str, object], **more: object) -> str:
        """A run more; its id."""
        key = f"{name}-{len(self.runs)}"
        times = {"expected_start_time": expected.isoformat(), "start_time": None, "end_time": None}
        run = {"id": key, "name": name, "deployment_id": "d1", "state": state, **times, **more}
        self.runs[key] = run
        return key

    def answer(self, path: str, wanted: dict[str, Any]) -> object:
        if path == "/api/flows/count":
            return 1
        if path == "/api/deployments/filter":
            return self.deployments
        if path == "/api/flow_runs/filter":
            kinds = wanted["flow_runs"]["state"]["type"]["any_"]
            known = list(self.runs.values())
            return [run for run in known if run["state"]["type"] in kinds]
        _, _, key, verb = path.removeprefix("/api").rsplit("/", 3)
        assert verb == "set_state"
        self.runs[key]["state"] = wanted["state"]
        self.states.append((key, wanted["state"]["type"]))
        self.set_state(key, wanted["state"]["type"])
        return {"status": "ACCEPT"}

    @classmethod
    @contextmanager
    def serving(cls) -> "Iterator[FakePrefect]":
        fake = cls()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._say(fake.answer(self.path, wanted))

            def do_GET(self) -> None:
                self._say("3.8.8")

            def _say(self, answer: object) -> None:
                fake.asked.append(self.path)
                time.sleep(fake.wait)
                body = json.dumps(answer).encode()
                let_in = not fake.wants or self.headers["Authorization"] == fake.wants
                self.send_response(500 if fake.refuses else 200 if let_in else 401)
                self.send_header("Content-Length", str(len(body) + fake.cut))
                self.end_headers()
                with contextlib.suppress(OSError):  # who asked has gone
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            often = {"poll_interval": 0.01}  # else each end takes half a second
            threading.Thread(target=server.serve_forever, kwargs=often, daemon=True).start()
            fake.url = f"http://127.0.0.1:{server.server_port}/api"
            yield fake
            server.shutdown()
