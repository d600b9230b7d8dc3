"""`/metrics`, for Prometheus."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from llmops.deployments.app.documents import described
from llmops.deployments.app.metrics import CONTENT_TYPE
from llmops.deployments.app.services import Services, services_of

router = APIRouter(tags=["operation"])
TEXT = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Done."}}


@router.get("/metrics", responses=TEXT | described(None)["responses"], response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests, answers, tokens, cost, live versions and waiting traces, as Prometheus reads
    them. Where keys are required it wants one of the scope `admin`.
    """
    services = services_of(request)
    state = await services.ready()
    text = services.metrics.text(state.knowledge_bases, _counts(services))
    return Response(text, media_type=CONTENT_TYPE)


def _counts(services: Services) -> dict[str, int]:
    """Traces by where they are."""
    state = services.traces.state().model_dump()
    return {name: count for name, count in state.items() if isinstance(count, int)}
