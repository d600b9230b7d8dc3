"""The Prefect server of a home, or its user's, over plain HTTP: for those who only look, and for
`up`, whose own process imports no Prefect.
"""

import http.client
import json
import math
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from pathlib import Path
from typing import NamedTuple, TypedDict, cast

from llmops.tasks.errors import Unavailable

SECONDS = 5.0
PAGE = 200
ACTIVE = ("RUNNING", "PENDING", "CANCELLING")


class State(TypedDict):
    """Of a flow run. `type`: RUNNING, COMPLETED, …; `name`: ours, such as Blocked."""

    type: str
    name: str
    message: str | None


class Run(TypedDict):
    """What is used of a flow run; times in ISO format."""

    id: str
    name: str
    deployment_id: str | None
    expected_start_time: str | None
    start_time: str | None
    end_time: str | None
    state: State | None


class Deployment(TypedDict):
    """What is used of a deployment."""

    id: str
    name: str
    tags: list[str]
    paused: bool
    parameters: dict[str, object]


class PrefectApi(NamedTuple):
    """`url` of the API, without a login; `headers` hold the key, where one is wanted; `deadline`:
    until when it is asked at all, by the monotonic clock.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    deadline: float = math.inf

    def clock(self) -> datetime | None:
        """The time at the server, to the second; None where it does not say. Raises Unavailable."""
        request = urllib.request.Request(self.url + "/health", headers=dict(self.headers))
        with self._open(request, SECONDS) as response:
            told = response.headers.get("date")
        return parsedate_to_datetime(told).astimezone(UTC) if told else None

    def ask(self, path: str, content: object = None, seconds: float = SECONDS) -> object:
        """The JSON that comes back. Raises Unavailable."""
        headers = {**dict(self.headers), "Content-Type": "application/json"}
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.url + path, body, headers)
        with self._open(request, seconds) as response:
            text = response.read()
            return json.loads(text) if text else None

    @contextmanager
    def _open(self, request: urllib.request.Request, seconds: float) -> Iterator[HTTPResponse]:
        """An answer, while it is read. Raises Unavailable."""
        seconds = min(seconds, self.deadline - time.monotonic())
        if seconds <= 0:
            raise self._unavailable("does not answer: it took too long")
        local = any(f"//{host}" in self.url for host in ("127.0.0.1", "localhost", "[::1]"))
        proxies = [urllib.request.ProxyHandler({})] if local else []
        try:
            with urllib.request.build_opener(*proxies).open(request, timeout=seconds) as response:
                yield response
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            raise self._unavailable(f"does not answer: {reason}") from error

    def deployments(self, tags: Sequence[str]) -> list[Deployment]:
        """Those that carry all of the tags."""
        wanted: dict[str, object] = {"deployments": {"tags": {"all_": list(tags)}}}
        return cast(list[Deployment], self._pages("/deployments/filter", wanted, Deployment))

    def runs(
        self,
        deployments: Sequence[str],
        states: Mapping[str, object],
        sort: str = "EXPECTED_START_TIME_DESC",
        limit: int = PAGE,
    ) -> list[Run]:
        """Flow runs of deployments, by their ids; `states`: Prefect's filter of a state."""
        wanted = {
            "flow_runs": {"deployment_id": {"any_": list(deployments)}, "state": dict(states)},
            "sort": sort,
            "limit": limit,
        }
        if not deployments:
            return []
        found = self._rows(self.ask("/flow_runs/filter", wanted), Run)
        for run in found:
            if run["state"] is not None:
                self._rows([run["state"]], State)
        return cast(list[Run], found)

    def active(self, deployments: Sequence[str]) -> list[Run]:
        """Runs that have begun, or are about to."""
        return self.runs(deployments, {"type": {"any_": list(ACTIVE)}})

    def set_state(self, run: str, type_: str, name: str, message: str, *, force: bool) -> bool:
        """Whether the server took the state."""
        state = {"type": type_, "name": name, "message": message}
        answer = self.ask(f"/flow_runs/{run}/set_state", {"state": state, "force": force})
        return isinstance(answer, dict) and answer.get("status") == "ACCEPT"

    def _pages(self, path: str, wanted: dict[str, object], kind: type) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        while True:
            page = self.ask(path, {**wanted, "limit": PAGE, "offset": len(found)})
            rows = self._rows(page, kind)
            found += rows
            if len(rows) < PAGE:
                return found

    def _rows(self, answer: object, kind: type) -> list[dict[str, object]]:
        """What was asked for. Raises Unavailable where something else is there."""
        wanted = kind.__annotations__.keys()
        rows = [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []
        if answer != rows or not all(wanted <= row.keys() for row in rows):
            raise self._unavailable(f"answers, but not with {kind.__name__.lower()}s")
        return rows

    def _unavailable(self, told: str) -> Unavailable:
        return Unavailable(f"the Prefect server {told}", where=self.url)


def api_of(home: Path) -> PrefectApi | None:
    """The server that the user names, else the home's own, if it runs. Raises UsageError for an
    address that is none.
    """
    from llmops.flows import server

    theirs = server.named()
    if theirs is None:
        return own_api(home)
    return PrefectApi(theirs.address, tuple(theirs.headers().items()))


def own_api(home: Path) -> PrefectApi | None:
    """The home's own server, if it answers."""
    from llmops.flows import server

    there = server.find(home)
    return PrefectApi(there.url) if there else None
