"""`/metrics`, for Prometheus."""

import asyncio
from datetime import datetime

from fastapi import APIRouter, Request
from starlette.responses import Response

from llmops.deployments.app.documents import described
from llmops.deployments.app.metrics import CONTENT_TYPE
from llmops.deployments.app.services import Services, services_of
from llmops.tasks.alerts.beats import last_beat
from llmops.tasks.errors import LlmopsError
from llmops.tasks.ledger import existing_ledger

router = APIRouter(tags=["operation"])
TEXT = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Done."}}


@router.get("/metrics", responses=TEXT | described(None)["responses"], response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests, answers, tokens, cost, live versions, waiting traces and when the alerter last
    looked, as Prometheus reads them. Where keys are required it wants one of the scope `admin`.
    """
    services = services_of(request)
    state = await services.ready()
    beat = await asyncio.to_thread(_beat, services)
    text = services.metrics.text(state.knowledge_bases, _counts(services), beat)
    return Response(text, media_type=CONTENT_TYPE)


def _beat(services: Services) -> datetime | None:
    """When the alerter last looked; None where nobody does, or where the ledger cannot say it."""
    try:
        last = last_beat(existing_ledger(services.home))
    except LlmopsError:
        return None
    return last.at if last else None


def _counts(services: Services) -> dict[str, int]:
    """Traces by where they are."""
    state = services.traces.state().model_dump()
    return {name: count for name, count in state.items() if isinstance(count, int)}
