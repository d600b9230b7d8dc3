"""Who may come in: keys and sessions, what they may do, and how often. Decided before a body is
read.
"""

import asyncio
import math
import re
from pathlib import Path
from typing import Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from llmops.deployments.app.cookies import session_token
from llmops.deployments.app.doors import SAFE, from_own_page
from llmops.deployments.app.problems import DIFY, DIFY_FORMAT, DIFY_KEY, SIGN_IN, HttpProblem
from llmops.deployments.app.visit import KEYED, AppVisit, header
from llmops.tasks.access import keys, sessions
from llmops.tasks.access.keys import ApiKey
from llmops.tasks.access.pace import RequestPace
from llmops.tasks.access.roles import Act

Wanted = Act | Literal["open", "any", "admin"]
PAGES: dict[str, Wanted] = {
    "/": "any",
    "/ask": "ask",
    "/compare": "review",
    "/build": "knowledge",
    "/knowledge": "search",
    "/review": "review",
    "/review/training": "knowledge",
}
"""What is only for people who are signed in, by session alone: a key is no use there."""
AT_THE_DOOR: tuple[str, ...] = ("/sign-in", "/sign-out", "/preferences")
"""Of the page, and open to everybody."""
WANTED: dict[str, Wanted] = {
    "/health": "open",
    "/ready": "open",
    "/static": "open",
    **dict.fromkeys(AT_THE_DOOR, "open"),
    **PAGES,
    "/v1/chat/completions": "ask",
    "/v1/conversations": "ask",
    "/v1/search": "search",
    DIFY: "search",
    "/v1/feedback": "feedback",
    "/v1/review": "review",
    "/v1/review/ask": "feedback",
    "/v1/users": "delete",
    "/v1/answers": "curate",
    "/metrics": "admin",
}
"""What a key has to be good for, by the path or what it begins with; "any" for all else. A path
that is forgotten here is closed to everybody without a key.
"""
BEARER = re.compile(r"bearer +([\x21-\x7e]{1,512})", re.IGNORECASE)
NOBODY = "address"
LOOKS_PER_MINUTE = 600
"""Of one person who looks at pages: what they ask counts as everybody's requests do."""


def area(path: str) -> str:
    """The longest known beginning of a path; "" for none."""
    part = path
    while part and part != "/":
        if part in WANTED:
            return part
        part = part.rpartition("/")[0]
    return path if path == "/" else ""


def wanted(path: str) -> Wanted:
    """What a key has to be good for, to come to a path."""
    return WANTED.get(area(path), "any")


class Admission:
    """`required`: nobody comes in without a key, but to what is open. Where keys are not required,
    any bearer token is let pass, as clients send one that their users made up; a key of ours that
    is not valid is refused all the same. Whoever is signed in to the page needs no header.
    """

    def __init__(
        self, app: ASGIApp, home: Path, required: bool, per_minute: int, name: str
    ) -> None:
        self._app, self._home, self._required, self._name = app, home, required, name
        self._per_minute, self._pace = per_minute, RequestPace()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._admit(scope)
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        visit: AppVisit = scope["state"]["visit"]
        path: str = scope["path"]
        visit.area, need = area(path), wanted(path)
        await self._recognise(visit, scope)
        if need == "open":
            return
        if visit.session is not None:
            visit.key = visit.session.key
            if need in KEYED and visit.key is None:
                raise _unknown("this wants a key", "missing_api_key", DIFY_FORMAT)
        elif visit.area in PAGES:
            raise HttpProblem(401, "sign in first", code=SIGN_IN)
        else:
            visit.key = await self._key(header(scope, b"authorization"), path, need)
        if visit.key is not None and not _good_for(visit.key, need):
            told = f"this key may not do that: {need!r} is not among what its scopes and role allow"
            raise HttpProblem(403, told, code="insufficient_scope", dify=DIFY_KEY)
        self._keep_pace(visit, scope)

    async def _recognise(self, visit: AppVisit, scope: Scope) -> None:
        """Who is signed in. Browsers send the cookie by themselves, also for a page of a
        neighbouring name that `origins` lets call us with a key: so what changes something has to
        come from a page of our own.
        """
        at_page = visit.area in PAGES or visit.area in AT_THE_DOOR
        token = session_token(scope, self._name)
        if token and (at_page or header(scope, b"authorization") is None):
            session = await asyncio.to_thread(sessions.read, self._home, token)
            if session is not None and (session.key is not None or not self._required):
                visit.session = session
        if at_page or visit.session is not None:
            if scope["method"] in SAFE or from_own_page(scope):
                return
            told = "only a page of this application may do that for whoever is signed in"
            raise HttpProblem(403, told, code="foreign_origin")

    async def _key(self, given: str | None, path: str, need: Wanted) -> ApiKey | None:
        required = self._required or need in KEYED
        match = BEARER.fullmatch(given or "")
        if match is None:
            if required or path == DIFY:
                told = "a header is wanted such as `Authorization: Bearer llmops_…`"
                raise _unknown(told, "missing_api_key", DIFY_FORMAT)
            return None
        presented = match[1]
        if not (required or presented.startswith(keys.PREFIX)):
            return None
        key = await asyncio.to_thread(keys.verify, self._home, presented)
        if key is None:
            raise _unknown("this key is not valid, or not any more", "invalid_api_key", DIFY_KEY)
        return key

    def _keep_pace(self, visit: AppVisit, scope: Scope) -> None:
        client = scope.get("client") or (NOBODY, 0)
        who = visit.key_id or f"{NOBODY}/{client[0]}"
        own = visit.key.requests_per_minute if visit.key else None
        per_minute = own or self._per_minute
        if visit.area in PAGES and scope["method"] in SAFE and visit.session is not None:
            who, per_minute = f"session/{visit.session.id}", LOOKS_PER_MINUTE
        wait = self._pace.take(who, per_minute)
        if wait > 0:
            seconds = str(math.ceil(wait))
            told = f"more than {per_minute} requests a minute; try again in {seconds} s"
            raise HttpProblem(
                429, told, code="rate_limit_exceeded", headers={"retry-after": seconds}
            )


def _good_for(key: ApiKey, need: Wanted) -> bool:
    if need == "any":
        return True
    return "admin" in key.scopes if need == "admin" else key.may(need)  # type: ignore[arg-type]


def _unknown(message: str, code: str, dify: int) -> HttpProblem:
    return HttpProblem(401, message, code=code, dify=dify, headers={"www-authenticate": "Bearer"})
