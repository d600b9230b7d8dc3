"""`/health`: the process is up. `/ready`: it can answer, or what is missing for that."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from llmops.deployments.app.documents import described
from llmops.deployments.app.problems import json_response
from llmops.deployments.app.services import services_of

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    status: str


class Ready(BaseModel):
    """`missing`: why it is not ready; `degraded`: what answers worse than it could; `waiting`:
    knowledge bases that wait for their first version.
    """

    ready: bool
    app: str
    missing: list[str]
    degraded: list[str]
    knowledge_bases: dict[str, int]
    waiting: list[str]


@router.get("/health", **described(Health))
async def health() -> Response:
    """The process is up."""
    return json_response({"status": "ok"})


@router.get("/ready", **described(Ready))
async def ready(request: Request) -> Response:
    """200 where questions can be answered, else 503 with what is missing."""
    services = services_of(request)
    state = await services.ready()
    told = {"ready": not state.missing, "app": services.app, **state._asdict()}
    return json_response(told, 503 if state.missing else 200)
