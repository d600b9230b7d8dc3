"""The outermost door: ids, headers of every answer, one line of log, and what is no fit request at
all. Pure ASGI: an answer streams through it as it comes.
"""

import logging
from collections.abc import Awaitable, Callable, Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llmops.deployments.app.metrics import Metrics
from llmops.deployments.app.problems import CLOSE, HttpProblem
from llmops.deployments.app.streams import ClientGone
from llmops.deployments.app.visit import AppVisit, begin, header, noted

access = logging.getLogger("llmops.access")
CSP = b"content-security-policy"
HEADERS = (
    (CSP, b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
LOCAL = ("localhost",)
VERSIONS = ("1.0", "1.1")
LARGEST_HEAD = 32_768
LONGEST_TARGET = 8_192
ONCE = (
    *(b"host", b"authorization", b"content-length", b"content-type"),
    *(b"origin", b"sec-fetch-site"),
)
SAFE = ("GET", "HEAD", "OPTIONS")
PROBES = ("/health", "/ready")
"""Asked every second or so: a line each would bury the others, so one is written where the answer
changes.
"""


Tell = Callable[[HttpProblem, Scope, AppVisit], Response]


def plainly(problem: HttpProblem, scope: Scope, visit: AppVisit) -> Response:
    """As programs are told."""
    return problem.response(scope["path"], visit.request_id)


class Door:
    """`hosts`: the names under which the application may be called, beside `localhost` and any
    address in numbers: a page of a foreign site can make a browser call neither. `origins`: web
    pages of other sites that may call it. `tell`: how a problem is told.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Collection[str],
        origins: Collection[str],
        metrics: Metrics,
        tell: Tell = plainly,
    ) -> None:
        self._app, self._metrics, self._tell = app, metrics, tell
        self._hosts = {host.lower() for host in (*LOCAL, *hosts)}
        self._origins = set(origins)
        self._probed = dict.fromkeys(PROBES, 200)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = begin(scope, header(scope, b"x-request-id"))
        answer = AnswerSender(visit, send)
        try:
            self._check(scope)
            await self._app(scope, receive, answer)
        except ClientGone:
            pass  # nobody is there to be told
        except Exception as error:  # noqa: BLE001 - the last stop: a problem, told as one
            if not answer.status:  # else the stream just ends
                told = self._tell(noted(error, visit), scope, visit)
                await told(scope, receive, answer)
        finally:
            self._note(scope, visit, answer.status)

    def _check(self, scope: Scope) -> None:
        """Raises HttpProblem for a request that two servers could read in two ways, that is meant
        for another name, or that a foreign page makes a browser send.
        """
        if scope["http_version"] not in VERSIONS:
            told = f"got HTTP/{scope['http_version']}; allowed: 1.0 and 1.1"
            raise HttpProblem(505, told, code="http_version", headers=CLOSE)
        if len(scope["raw_path"] or b"") + len(scope["query_string"]) > LONGEST_TARGET:
            told = f"the address has more than {LONGEST_TARGET:,} bytes"
            raise HttpProblem(414, told, code="address_too_long", headers=CLOSE)
        if sum(len(key) + len(value) for key, value in scope["headers"]) > LARGEST_HEAD:
            told = f"the headers have more than {LARGEST_HEAD:,} bytes"
            raise HttpProblem(431, told, code="headers_too_large", headers=CLOSE)
        names = [key for key, _ in scope["headers"]]
        if b"transfer-encoding" in names and b"content-length" in names:
            raise HttpProblem(400, "both a length and chunks", code="bad_framing", headers=CLOSE)
        for name in ONCE:
            if names.count(name) > 1:
                told = f"the header {name.decode()} stands there twice"
                raise HttpProblem(400, told, code="duplicate_header", headers=CLOSE)
        host = header(scope, b"host")
        if not host or not self._named(host):
            told = "this application is not reached under that name; `hosts` in its config lists"
            raise HttpProblem(421, f"{told} its names", code="unknown_host", headers=CLOSE)
        self._check_origin(scope, host)

    def _check_origin(self, scope: Scope, host: str) -> None:
        if scope["method"] in SAFE:
            return
        origin = header(scope, b"origin")
        own = origin is not None and _place(origin) == host.lower()
        foreign = origin is not None and not own and origin not in self._origins
        if foreign or (origin is None and header(scope, b"sec-fetch-site") == "cross-site"):
            told = "a page of another site may not call this application; `origins` allows some"
            raise HttpProblem(403, told, code="foreign_origin", headers=CLOSE)

    def _named(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._hosts or _is_address(name)

    def _note(self, scope: Scope, visit: AppVisit, status: int) -> None:
        path = getattr(scope.get("route"), "path", None) or visit.area or "(no route)"
        took = visit.milliseconds
        self._metrics.request(path, scope["method"], status, took / 1000)
        access.log(
            logging.DEBUG if self._as_before(path, status) else logging.INFO,
            "%s %s %s %.1fms key=%s trace=%s request=%s",
            scope["method"] if scope["method"].isalpha() else "?",
            path,
            status or "gone",
            took,
            visit.key_id or "-",
            visit.trace_id or "-",
            visit.request_id,
        )

    def _as_before(self, path: str, status: int) -> bool:
        """Whether it is a probe whose answer is what it was."""
        if path not in PROBES:
            return False
        before, self._probed[path] = self._probed[path], status
        return before == status


def _place(origin: str) -> str:
    """Host and port of an origin; "" for what is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def from_own_page(scope: Scope) -> bool:
    """Whether a browser says that a page of this very application sends the request."""
    origin, host = header(scope, b"origin"), header(scope, b"host") or ""
    if origin is None:
        return header(scope, b"sec-fetch-site") == "same-origin"
    return _place(origin) == host.lower()


class AnswerSender:
    """Sends an answer on, with the headers that all have. `status`: 0 until it has begun."""

    def __init__(self, visit: AppVisit, send: Callable[[Message], Awaitable[None]]) -> None:
        self._visit, self._send = visit, send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = list(message.get("headers", []))
            given = {name for name, _ in own}
            own += [each for each in HEADERS if each[0] not in given]
            own.append((b"x-request-id", self._visit.request_id.encode()))
            if self._visit.trace_id:
                own.append((b"x-trace-id", self._visit.trace_id.encode()))
            message = {**message, "headers": own}
        await self._send(message)
