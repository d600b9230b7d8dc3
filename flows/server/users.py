"""A Prefect server that the user has: whether it answers, lets us in and is of a version that goes
with ours. Nothing here imports Prefect.
"""

import http.client
import json
import math
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from uuid import uuid4

from llmops.flows.server.which import NamedServer
from llmops.tasks.errors import Unavailable, UsageError

REACH_SECONDS = 10.0
TRUE = ("1", "true", "t", "yes", "y", "on")
OWN_INSTEAD = "or leave it empty to use the home's own server"


@dataclass(frozen=True)
class UserServer:
    """A server that the user names, and that answered. `source`: where its address stands;
    `environment`: its settings by their variables, keys included; `remarks`: what they should know.
    """

    url: str
    ui: str
    source: str
    version: str
    remarks: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict, repr=False)


@cache
def reached(server: NamedServer, seconds: float = math.inf) -> UserServer:
    """Ask it once for what takes network, key and database, within `seconds`.

    Raises Unavailable, naming where the address or the key stands, when it does not answer or
    refuses; UsageError when no Prefect API of our major version is there.
    """
    deadline = time.monotonic() + seconds
    counted = _request(server, "/flows/count", {}, deadline=deadline)
    if not isinstance(counted, int):
        raise _no_api(server, f"a count was asked for, a {type(counted).__name__} came")
    theirs, ours = str(_request(server, "/admin/version", deadline=deadline)), version("prefect")
    remarks: tuple[str, ...] = ()
    if not server.cloud:
        if _release(theirs)[:1] != _release(ours)[:1]:
            raise UsageError(
                f"the Prefect server at {server.address} is version {theirs}, ours is {ours}: the "
                "first number must be the same",
                where=server.source,
                hint=f"install prefect {ours} there, {OWN_INSTEAD}",
            )
        if _release(theirs) < _release(ours):
            remarks = (
                f"the Prefect server at {server.address} is version {theirs}, older than ours "
                f"({ours}): upgrade it when you can",
            )
    return UserServer(server.url, server.ui, server.source, theirs, remarks, server.environment)


def _release(text: str) -> tuple[int, ...]:
    """The numbers in front; whatever follows, such as `rc1` or `+dirty`, does not count."""
    numbers: list[int] = []
    for part in text.split("+")[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _request(
    server: NamedServer,
    path: str,
    content: object = None,
    *,
    csrf: str = "",
    deadline: float = math.inf,
) -> object:
    """The JSON that comes back."""
    headers = server.headers()
    if csrf:
        token = _request(server, f"/csrf-token?client={csrf}", deadline=deadline)
        headers["Prefect-Csrf-Client"] = csrf
        headers["Prefect-Csrf-Token"] = str(token.get("token") if isinstance(token, dict) else "")
    left = max(0.01, min(REACH_SECONDS, deadline - time.monotonic()))
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(server.address + path, body, headers)
    try:
        with _opener(server).open(request, timeout=left) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(2000).decode("utf-8", "replace")
        if error.code == 403 and "CSRF" in said and not csrf:
            return _request(server, path, content, csrf=str(uuid4()), deadline=deadline)
        raise _refused(server, error.code, error.reason) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise Unavailable(
            f"the Prefect server at {server.address} does not answer: {reason}",
            where=server.source,
            hint=f"start it, correct the address, {OWN_INSTEAD}",
        ) from error
    except ValueError as error:
        raise _no_api(server, "no JSON came back") from error


def _opener(server: NamedServer) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context(cafile=server.value("PREFECT_API_SSL_CERT_FILE") or None)
    if server.value("PREFECT_API_TLS_INSECURE_SKIP_VERIFY").lower() in TRUE:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    loopback = any(f"//{host}" in server.address for host in ("127.0.0.1", "localhost", "[::1]"))
    proxies = [urllib.request.ProxyHandler({})] if loopback else []
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), *proxies)


def _refused(server: NamedServer, code: int, reason: str) -> Exception:
    if code in (401, 403):
        wanted = "PREFECT_API_KEY" if server.cloud else "PREFECT_API_AUTH_STRING"
        also = "" if server.cloud else " (PREFECT_API_KEY where it takes keys)"
        sent = server.stands("PREFECT_API_AUTH_STRING") or server.stands("PREFECT_API_KEY")
        return Unavailable(
            f"the Prefect server at {server.address} refuses "
            f"{f'what {sent} says' if sent else 'requests without a key'}: {code} {reason}",
            where=sent or server.source,
            hint=f"set {wanted}{also} to what the server wants; a key may have expired",
        )
    if code in (404, 405):
        return _no_api(server, f"{code} {reason}")
    return Unavailable(
        f"the Prefect server at {server.address} answers {code} {reason}",
        where=server.source,
        hint="see its log and its database; then run this again",
    )


def _no_api(server: NamedServer, got: str) -> UsageError:
    workspace = "with account and workspace, as `prefect cloud login` writes it"
    path = workspace if server.cloud else "which usually ends in /api"
    return UsageError(
        f"there is no Prefect API at {server.address}: {got}",
        where=server.source,
        hint=f"give the API's address, {path}, {OWN_INSTEAD}",
    )
