"""The application: its routes behind its doors."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from llmops.configs.serve import ServeConfig
from llmops.deployments.app.admission import Admission
from llmops.deployments.app.documents import document
from llmops.deployments.app.doors import Door
from llmops.deployments.app.limits import LimitsDoor, RequestLimits
from llmops.deployments.app.metrics import Metrics
from llmops.deployments.app.opening import opened
from llmops.deployments.app.page import (
    ask,
    asset_files,
    build,
    builds,
    compare,
    knowledge,
    signing,
    training,
)
from llmops.deployments.app.page import review as review_page
from llmops.deployments.app.page.errors import told
from llmops.deployments.app.page.running import RunningAnswers
from llmops.deployments.app.problems import HttpProblem, invalid, problem_of
from llmops.deployments.app.routes import (
    answers,
    chat,
    conversations,
    dify,
    feedback,
    health,
    review,
    search,
)
from llmops.deployments.app.routes import metrics as metrics_route
from llmops.deployments.app.routes.mcp_server import McpEndpoint
from llmops.deployments.app.services import Services
from llmops.deployments.app.visit import visit_of

OpenServices = Callable[[ServeConfig, Path, Metrics], AbstractAsyncContextManager[Services]]
ROUTERS = (
    *(health.router, chat.router, search.router, dify.router, feedback.router),
    *(conversations.router, answers.router, review.router, metrics_route.router),
)
PAGE_ROUTERS = (
    *(asset_files.router, signing.router, ask.router, compare.router),
    *(training.router, review_page.router),  # an item may be called as it likes, but for training
    *(knowledge.router, build.router, builds.router),
)
SHARED = ("GET", "POST", "PUT", "DELETE")


def create_app(
    config: ServeConfig,
    home: Path,
    *,
    required: bool | None = None,
    open_services: OpenServices = opened,
) -> FastAPI:
    """The application of a config. `required`: whether everybody needs a key (default: as the
    config says). What it stands on is opened when it starts, and closed when it ends.
    """
    metrics, mcp = Metrics(), McpEndpoint(config.app)
    keyed = config.keys.required if required is None else required

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(config, home, metrics) as services, mcp.running():
            services.required = keyed
            app.state.services = services
            async with RunningAnswers(config.limits) as app.state.running:
                yield

    app = FastAPI(
        title=config.app,
        version=version("llmops-pipelines"),
        description="Answers and passages from documents, with their sources.",
        lifespan=lifespan,
        middleware=_middleware(config, home, keyed, metrics),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={
            RequestValidationError: _invalid,
            HTTPException: _refused,
        },
    )
    for router in (*ROUTERS, *PAGE_ROUTERS):
        app.include_router(router)
    app.router.routes.append(mcp.route)
    app.openapi = lambda: document(app, keyed)  # type: ignore[method-assign]
    return app


def _middleware(
    config: ServeConfig, home: Path, required: bool, metrics: Metrics
) -> list[Middleware]:
    """From the outermost inwards."""
    limits = config.limits
    own = RequestLimits(
        body=limits.body_kb * 1024,
        body_seconds=limits.body_seconds,
        seconds=limits.seconds,
        concurrency=limits.concurrency,
        upload=config.build.upload_mb * 1_000_000,
    )
    found = [Middleware(Door, config.hosts, config.origins, metrics, told)]
    if config.origins:
        found.append(
            Middleware(
                CORSMiddleware,
                allow_origins=config.origins,
                allow_methods=SHARED,
                allow_headers=["authorization", "content-type", "x-conversation-id"],
                expose_headers=["x-request-id", "x-trace-id", "retry-after"],
            )
        )
    found += [
        Middleware(Admission, home, required, limits.requests_per_minute, config.app),
        Middleware(LimitsDoor, own),
    ]
    return found


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _told(request, invalid(error))


async def _refused(request: Request, error: Exception) -> Response:
    """Also what the framework itself refuses: no such route, no such method."""
    assert isinstance(error, HTTPException)
    if isinstance(error, HttpProblem):
        return _told(request, error)
    message = "there is no such route" if error.status_code == 404 else str(error.detail)
    return _told(request, HttpProblem(error.status_code, message, headers=error.headers))


def _told(request: Request, problem: HttpProblem) -> Response:
    return told(problem_of(problem), request.scope, visit_of(request))
