"""One request, as the doors know it: who it is and under which ids it runs."""

import logging
import re
import secrets
import time
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection
from starlette.types import Scope

from llmops.deployments.app.problems import HttpProblem, problem_of
from llmops.tasks.access.keys import ApiKey
from llmops.tasks.access.roles import Act
from llmops.tasks.access.sessions import Session

log = logging.getLogger("llmops.app")

KEYED: frozenset[Act] = frozenset({"delete", "curate", "keys", "audit"})
"""Wants a key also where others need none."""
REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


@dataclass
class AppVisit:
    """`key`: None where nobody has one, and none is wanted. `trace_id`: set once there is one.
    `area`: what its path belongs to, where no route was reached. `session`: of whoever is signed
    in to the page; it acts as its key.
    """

    request_id: str
    began: float = field(default_factory=time.perf_counter)
    key: ApiKey | None = None
    trace_id: str = ""
    area: str = ""
    session: Session | None = None

    @property
    def key_id(self) -> str:
        return self.key.id if self.key else ""

    @property
    def labels(self) -> frozenset[str]:
        return self.key.labels if self.key else frozenset()

    def may(self, act: Act) -> bool:
        """Whether the key may do it; without one, where none is wanted, all but `KEYED`."""
        return self.key.may(act) if self.key else act not in KEYED

    @property
    def milliseconds(self) -> float:
        return (time.perf_counter() - self.began) * 1000


def visit_of(connection: HTTPConnection) -> AppVisit:
    visit: AppVisit = connection.scope["state"]["visit"]
    return visit


def begin(scope: Scope, given: str | None) -> AppVisit:
    """The visit of a request. An id that its client gives is kept where it is well-formed."""
    known = given if given and REQUEST_ID.fullmatch(given) else f"req-{secrets.token_hex(12)}"
    visit = AppVisit(known)
    scope["state"] = {**scope.get("state", {}), "visit": visit}
    return visit


def header(scope: Scope, name: bytes) -> str | None:
    """The one value of a header; None where it is missing or stands there twice."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if len(values) == 1 else None


def noted(error: Exception, visit: AppVisit) -> HttpProblem:
    """What a client is told of an error; what it really was goes into the log, under the request's
    id.
    """
    problem = problem_of(error)
    if problem.status_code == 500:
        log.error("request %s failed", visit.request_id, exc_info=error)
    elif problem is not error and problem.status_code > 500:
        log.warning("request %s: %s: %s", visit.request_id, type(error).__name__, error)
    return problem
