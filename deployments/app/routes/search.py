"""`/v1/search`: passages of a live version, as `llmops search` gives them."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from llmops.deployments.app.documents import SEARCHING, described
from llmops.deployments.app.problems import json_response
from llmops.deployments.app.searching import PassageSearch, pinned, searched
from llmops.deployments.app.services import services_of
from llmops.deployments.app.visit import visit_of
from llmops.tasks.chat.knowledge import SearchResult

router = APIRouter(tags=["search"])


class SearchRequest(BaseModel):
    """`knowledge_base`: without it the application's first; `where`: a condition, such as
    `lang = "de" and year >= 2024`.
    """

    model_config = ConfigDict(extra="forbid")
    query: str = Field(min_length=1, max_length=10_000, pattern=r"\S")
    knowledge_base: str | None = Field(default=None, max_length=63)
    k: int = Field(default=5, ge=1, le=1000)
    mode: Literal["hybrid", "vector", "text"] = "hybrid"
    where: str = Field(default="", max_length=10_000)
    user: str = Field(default="", max_length=200)


class SearchReply(SearchResult):
    """The object of `llmops search`, and the trace's id."""

    trace_id: str


@router.post("/v1/search", **described(SearchReply, *SEARCHING))
async def search(request: Request, body: SearchRequest) -> Response:
    """The best passages of the live version: public ones, and those that the key's labels open."""
    services, visit = services_of(request), visit_of(request)
    opened = await pinned(services, body.knowledge_base)
    wanted = PassageSearch(body.query, body.k, body.mode, body.where, body.user)
    found = await searched(services, visit, opened, wanted)
    return json_response({**found.model_dump(mode="json"), "trace_id": visit.trace_id})
