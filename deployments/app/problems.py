"""What goes wrong with a request, and how each kind of client is told: in OpenAI's shape, for
`/retrieval` in Dify's. Nothing from inside is in a message: the log has that, under the request's
id.
"""

import json
from collections.abc import Mapping

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from llmops.tasks.errors import DocumentError, LlmopsError, Unpublished, UsageError

DIFY = "/retrieval"
SIGN_IN = "sign_in_wanted"
DIFY_FORMAT, DIFY_KEY, DIFY_BASE = 1001, 1002, 2001
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CLOSE = {"connection": "close"}
"""For a request whose body was not read to its end."""
NO_OBJECT = ("missing", "dict_type", "model_type", "model_attributes_type")


class HttpProblem(HTTPException):
    """`code`: a word for programs; `param`: the key of the request that is wrong; `dify`: its
    number for Dify, else the status.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        dify: int | None = None,
    ) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.message, self.code, self.param, self.dify = message, code, param, dify

    @property
    def kind(self) -> str:
        server = "server_error" if self.status_code >= 500 else "invalid_request_error"
        return TYPES.get(self.status_code, server)

    def public(self, request_id: str) -> dict[str, dict[str, str | None]]:
        """The object that clients of OpenAI read."""
        told = {"message": self.message, "type": self.kind, "param": self.param}
        return {"error": {**told, "code": self.code or None, "request_id": request_id}}

    def response(self, path: str, request_id: str) -> Response:
        shape: Mapping[str, object] = self.public(request_id)
        if path == DIFY:
            shape = {"error_code": self.dify or self.status_code, "error_msg": self.message}
        return json_response(shape, self.status_code, self.headers)


def json_response(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str)
    body = text.encode("utf-8", "replace")
    return Response(body, status, headers, media_type="application/json")


def not_found(message: str = "there is no such thing here") -> HttpProblem:
    return HttpProblem(404, message, code="not_found")


def unexpected() -> HttpProblem:
    return HttpProblem(
        500,
        "something unexpected happened here; its log has it under the request's id",
        code="internal_error",
    )


def problem_of(error: Exception) -> HttpProblem:
    """What a client is told of an error from the rooms below."""
    match error:
        case HttpProblem():
            return error
        case TimeoutError():
            return HttpProblem(504, "no answer within the time allowed", code="timeout")
        case UsageError() if error.where == "--where":
            told = f"{error.message} ({error.hint})" if error.hint else error.message
            return HttpProblem(400, told, code="invalid_condition", param="where")
        case DocumentError():
            return HttpProblem(502, "the model could not answer this request", code="model_error")
        case Unpublished():
            return _unavailable(_unpublished(error))
        case LlmopsError():
            return _unavailable("a part of the application does not answer now; try again later")
    return unexpected()


def _unavailable(message: str) -> HttpProblem:
    return HttpProblem(503, message, code="unavailable", headers={"retry-after": "5"})


def _unpublished(error: Unpublished) -> str:
    if error.building:
        return (
            f"the knowledge base {error.knowledge_base!r} is being built for the first time; try "
            "again when that has ended"
        )
    return (
        f"the knowledge base {error.knowledge_base!r} has no published version yet; whoever runs "
        "this application has to build it"
    )


def invalid(error: RequestValidationError) -> HttpProblem:
    """What is wrong with a body, without a word of what stood there."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])  # it begins with body, query or path
    if first["type"] == "json_invalid":
        return HttpProblem(400, "the body is not valid JSON", code="invalid_json")
    if not place and first["type"] in NO_OBJECT:
        told = "the body has to be a JSON object, with the header `content-type: application/json`"
        return HttpProblem(400, told, code="invalid_value")
    if first["type"] == "extra_forbidden":
        return HttpProblem(400, f"unknown key {place!r}", code="invalid_value", param=place)
    message = str(first["msg"]).removeprefix("Value error, ")
    told = f"{place}: {message}" if place else message
    return HttpProblem(400, told, code="invalid_value", param=place or None)
