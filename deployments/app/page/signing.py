"""`/sign-in`, `/sign-out`, `/preferences`: who looks at the page, in which language and theme."""

import asyncio
import math
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from llmops.deployments.app.admission import NOBODY, PAGES, area
from llmops.deployments.app.cookies import drop_session, keep_session, session_token
from llmops.deployments.app.page.shell import (
    LANGUAGE_COOKIE,
    THEME_COOKIE,
    THEMES,
    form_of,
    page,
)
from llmops.deployments.app.page.texts import LANGUAGES
from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.services import Services, services_of
from llmops.tasks.access import keys, sessions
from llmops.tasks.access.keys import ApiKey
from llmops.tasks.errors import UsageError

TRIES_PER_MINUTE = 10
"""Of an address. A key cannot be guessed; what is tried should not cost much either."""
A_YEAR = 365 * 86_400
router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
async def sign_in(request: Request) -> Response:
    """The form: a key, or where nobody needs one a name."""
    return _form(request, request.query_params.get("next", ""))


@router.post("/sign-in")
async def signed_in(request: Request) -> Response:
    """Begin a session. Whatever session the browser held before is over."""
    services, fields = services_of(request), await form_of(request)
    back = fields.get("next", "")
    _keep_pace(request, services)
    try:
        who = await _who(services, fields)
        before = session_token(request.scope, services.app)
        begin = partial(sessions.begin, services.home, who, before)
        session, token = await asyncio.to_thread(begin)
    except UsageError:
        return _form(request, back, wrong="name")
    except HttpProblem:
        return _form(request, back, wrong="key")
    response = RedirectResponse(_inside(back), 303)
    secure = request.headers.get("origin", "").startswith("https://")
    keep_session(response, services.app, token, session.expires_at, secure)
    return response


@router.post("/sign-out")
async def signed_out(request: Request) -> Response:
    services = services_of(request)
    token = session_token(request.scope, services.app)
    await asyncio.to_thread(sessions.end, services.home, token)
    response = RedirectResponse("/sign-in", 303)
    drop_session(response, services.app)
    return response


@router.post("/preferences")
async def preferences(request: Request) -> Response:
    """Keep a language or a theme, and go on where one was."""
    fields = await form_of(request)
    response = RedirectResponse(_inside(fields.get("next", "")), 303)
    allowed = {LANGUAGE_COOKIE: tuple(LANGUAGES), THEME_COOKIE: THEMES}
    for cookie, values in allowed.items():
        value = fields.get(cookie.removeprefix("llmops-"))
        if value in values:
            response.set_cookie(cookie, value, A_YEAR, httponly=True, samesite="strict")
    return response


def _form(request: Request, back: str, wrong: str = "") -> Response:
    services = services_of(request)
    return page(
        request,
        "sign_in.html",
        status=403 if wrong else 200,
        keyed=services.required,
        next=_inside(back),
        wrong=wrong,
    )


async def _who(services: Services, fields: dict[str, str]) -> ApiKey | str:
    """Raises HttpProblem for a key that is none, and where a name is not enough."""
    presented = fields.get("key", "").strip()
    if not presented and not services.required:
        return fields.get("name", "")
    key = await asyncio.to_thread(keys.verify, services.home, presented)
    if key is None:
        raise HttpProblem(403, "this key is not valid", code="invalid_api_key")
    return key


def _inside(path: str) -> str:
    """The path, where it is one of the page: nobody is led elsewhere."""
    plain = path.startswith("/") and not path.startswith("//") and path.isprintable()
    return path if plain and "\\" not in path and area(path) in (*PAGES, "/sign-in") else "/"


def _keep_pace(request: Request, services: Services) -> None:
    client = request.client.host if request.client else NOBODY
    wait = services.sign_ins.take(client, TRIES_PER_MINUTE)
    if wait > 0:
        headers = {"retry-after": str(math.ceil(wait))}
        told = "too many sign-ins; try again in a moment"
        raise HttpProblem(429, told, code="rate_limit_exceeded", headers=headers)
