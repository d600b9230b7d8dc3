"""`/mcp`: the tools `search` and `ask` for clients of the Model Context Protocol, over streamable
HTTP without sessions: every request stands alone, behind the same doors as all others.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from llmops.deployments.app.asking import AskedOverHttp, asked
from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.searching import PassageSearch, pinned, searched
from llmops.deployments.app.services import Services, services_of
from llmops.deployments.app.visit import AppVisit, noted, visit_of
from llmops.tasks.access.roles import Act

PATH = "/mcp"
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
Context = ServerRequestContext[Any, Any]


class SearchArguments(BaseModel):
    """Of the tool `search`."""

    model_config = ConfigDict(extra="forbid")
    query: str = Field(min_length=1, max_length=10_000, description="What to look for.")
    knowledge_base: str | None = Field(default=None, description="Without it the first one.")
    k: int = Field(default=5, ge=1, le=50, description="How many passages.")
    where: str = Field(
        default="", max_length=10_000, description='A condition, such as lang = "de".'
    )


class AskArguments(BaseModel):
    """Of the tool `ask`."""

    model_config = ConfigDict(extra="forbid")
    question: str = Field(min_length=1, max_length=100_000, description="The question.")
    knowledge_base: str | None = Field(default=None, description="Without it the first one.")


class McpEndpoint:
    """The server, as an ASGI application; `running` has to be entered once."""

    def __init__(self, app: str) -> None:
        server: Server[Any] = Server(
            app,
            version=version("llmops-pipelines"),
            instructions="Searches and answers from the documents of this application.",
            on_list_tools=_listed,
            on_call_tool=_called,
        )
        self._manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
        self.route = Route(PATH, endpoint=self, methods=["POST"], include_in_schema=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self.route
        await self._manager.handle_request(scope, receive, send)


async def _listed(context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
    del context, params
    return ListToolsResult(
        tools=[
            Tool(
                name="search",
                description="Passages of the documents, with where they stand.",
                input_schema=SearchArguments.model_json_schema(),
                annotations=READS,
            ),
            Tool(
                name="ask",
                description="An answer from the documents, with the passages it rests on.",
                input_schema=AskArguments.model_json_schema(),
                annotations=READS,
            ),
        ]
    )


async def _called(context: Context, params: CallToolRequestParams) -> CallToolResult:
    request = context.request
    assert isinstance(request, Request)
    services, visit = services_of(request), visit_of(request)
    given = params.arguments or {}
    try:
        match params.name:
            case "search":
                _may(visit, "search")
                return await _search(services, visit, SearchArguments.model_validate(given))
            case "ask":
                _may(visit, "ask")
                return await _ask(services, visit, AskArguments.model_validate(given))
        return _failed("no such tool; there are: search, ask")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return _failed(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    except Exception as error:  # noqa: BLE001 - whatever it is: told, and noted
        return _failed(f"{noted(error, visit).message} (request {visit.request_id})")


def _may(visit: AppVisit, act: Act) -> None:
    if visit.key is not None and not visit.key.may(act):
        raise HttpProblem(403, f"this key may not {act}", code="insufficient_scope")


async def _search(services: Services, visit: AppVisit, given: SearchArguments) -> CallToolResult:
    opened = await pinned(services, given.knowledge_base)
    wanted = PassageSearch(given.query, given.k, "hybrid", given.where)
    found = await searched(services, visit, opened, wanted)
    text = "\n\n".join(f"[{hit.rank}] {hit.title} ({hit.uri})\n{hit.text}" for hit in found.hits)
    told = {**found.model_dump(mode="json"), "trace_id": visit.trace_id}
    return _done(text or "Nothing was found.", told)


async def _ask(services: Services, visit: AppVisit, given: AskArguments) -> CallToolResult:
    question = AskedOverHttp(given.question, knowledge_base=given.knowledge_base)
    ask = await asked(services, visit, question)
    answered = await ask.answer()
    sources = "\n".join(f"[{one.number}] {one.title} ({one.uri})" for one in answered.citations)
    told = answered.model_dump(mode="json") | {"trace_id": ask.recorder.id}
    return _done(f"{answered.text}\n\n{sources}".strip(), told)


def _done(text: str, told: Mapping[str, object]) -> CallToolResult:
    content = [TextContent(text=text)]
    return CallToolResult(content=content, structured_content=dict(told))


def _failed(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=message)], is_error=True)
