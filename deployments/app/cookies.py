"""The cookie of who is signed in to the page. Its name holds the application's: browsers keep one
jar for all ports of a machine.
"""

from datetime import datetime

from starlette.responses import Response
from starlette.types import Scope

from llmops.deployments.app.visit import header

HOST_ONLY = "__Host-"
"""A cookie of such a name comes over TLS alone, and no neighbouring name can set it."""


def cookies(scope: Scope) -> dict[str, str]:
    """Those of a request by name; one that stands there twice is none."""
    found: dict[str, str] = {}
    twice = set[str]()
    for part in (header(scope, b"cookie") or "").split(";"):
        name, _, value = part.strip().partition("=")
        twice |= {name} & found.keys()
        found[name] = value
    return {name: value for name, value in found.items() if name not in twice}


def session_token(scope: Scope, app: str) -> str:
    """What the browser holds of a session; "" for nothing."""
    held = cookies(scope)
    return held.get(HOST_ONLY + _name(app)) or held.get(_name(app)) or ""


def keep_session(response: Response, app: str, token: str, until: datetime, secure: bool) -> None:
    """`secure`: the browser came over TLS, whoever ended that."""
    name = (HOST_ONLY if secure else "") + _name(app)
    response.set_cookie(
        name, token, expires=until, path="/", secure=secure, httponly=True, samesite="strict"
    )


def drop_session(response: Response, app: str) -> None:
    for prefix in ("", HOST_ONLY):
        response.delete_cookie(
            prefix + _name(app), secure=bool(prefix), httponly=True, samesite="strict"
        )


def _name(app: str) -> str:
    return f"llmops-{app}"
