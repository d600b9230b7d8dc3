"""The OpenAPI document: every status that can come, with the shape of its body."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from llmops.deployments.app.admission import wanted
from llmops.deployments.app.visit import KEYED

OpenApi = dict[str, Any]
RouteTexts = dict[str, Any]
"""What FastAPI takes beside a route's path."""
COMMON = (400, 401, 403, 421, 429, 500, 503)
BODY = (408, 413)
ASKING = (404, 408, 413, 502, 504)
SEARCHING = (404, 408, 413, 504)
MEANING = {
    400: "The request is wrong.",
    401: "A key is wanted, or this one is not valid.",
    403: "The key may not do that, or the page may not call this application.",
    404: "There is no such thing here.",
    405: "The path knows no such method.",
    408: "The body did not come in time.",
    413: "The body is too large.",
    421: "The application has no such name.",
    429: "Too many requests, or the budget of the month is used up.",
    500: "Unexpected; the log has it.",
    502: "The model could not answer.",
    503: "Busy, or a part does not answer.",
    504: "No answer in time.",
}


class ProblemDetail(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None
    request_id: str


class ProblemBody(BaseModel):
    """An error, as OpenAI's clients read it."""

    error: ProblemDetail


class DifyProblem(BaseModel):
    """An error, as Dify reads it."""

    error_code: int
    error_msg: str


def described(
    reply: type[BaseModel] | None,
    *statuses: int,
    streams: bool = False,
    problem: type[BaseModel] = ProblemBody,
) -> RouteTexts:
    """Of a route: what it gives, and its errors beside those that all have."""
    found: dict[int | str, dict[str, Any]] = {
        status: {"model": problem, "description": MEANING[status]}
        for status in sorted({*COMMON, *statuses})
    }
    if reply is not None:
        found[200] = {"model": reply, "description": "Done."}
    if streams:
        found[200]["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    return {"responses": found, "response_model": None}


def document(app: FastAPI, required: bool) -> OpenApi:
    """The document of an application; `required`: whether it wants keys."""
    if app.openapi_schema:
        return app.openapi_schema
    schema = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    bearer = {"type": "http", "scheme": "bearer", "description": "`llmops keys create NAME`"}
    schema.setdefault("components", {})["securitySchemes"] = {"key": bearer}
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            _correct(path, operation, required)
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"].get("schemas", {}).pop(name, None)
    app.openapi_schema = schema
    return schema


def _correct(path: str, operation: Mapping[str, Any], required: bool) -> None:
    """Wrong values get 400 here, not 422; and who needs a key."""
    operation["responses"].pop("422", None)
    need = wanted(path)
    if need != "open":
        optional: list[dict[str, list[str]]] = [] if required or need in KEYED else [{}]
        operation["security"] = [{"key": []}, *optional]  # type: ignore[index]
