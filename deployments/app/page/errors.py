"""Problems as the page tells them: in the reader's language, with the request's id."""

from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from llmops.deployments.app.admission import AT_THE_DOOR, PAGES
from llmops.deployments.app.page.shell import fragment, page, swaps
from llmops.deployments.app.problems import SIGN_IN, HttpProblem
from llmops.deployments.app.visit import AppVisit


def told(problem: HttpProblem, scope: Scope, visit: AppVisit) -> Response:
    """A page or, for htmx, a notice where the page is asked for; else as programs are told."""
    if visit.area not in PAGES and visit.area not in AT_THE_DOOR:
        return problem.response(scope["path"], visit.request_id)
    connection = HTTPConnection(scope)
    headers = dict(problem.headers or {})
    if problem.code == SIGN_IN:
        back = f"?next={quote(scope['path'])}" if scope["path"] != "/" else ""
        if swaps(connection):
            return Response(status_code=401, headers={"hx-redirect": f"/sign-in{back}"})
        return RedirectResponse(f"/sign-in{back}", 303)
    shown = {"problem": problem, "status": problem.status_code, "headers": headers}
    if swaps(connection):
        return fragment(connection, "notice.html", **shown)  # type: ignore[arg-type]
    return page(connection, "problem.html", **shown)  # type: ignore[arg-type]
