"""The OpenAPI document is true: no request brings an answer that it does not tell of."""

from typing import Any

import pytest
import requests
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings

from llmops.deployments.app.application import ROUTERS
from tests.chat.apps import Towers
from tests.deployments.app.apps import App, listening

EXAMPLES = 25


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(path, method) for path, each in document["paths"].items() for method in each}


def test_every_route_is_in_it(app: App) -> None:
    document = app.get("/openapi.json").json()
    routes = {
        (route.path.replace(":path", ""), method.lower())
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert operations(document) == routes
    assert "422" not in str(document["paths"])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert {"200", "429", "500"} <= set(operation["responses"]), (path, method)
            assert ("security" in operation) == (path not in ("/health", "/ready"))


@pytest.mark.slow
@pytest.mark.parametrize("who", ["nobody", "operator"])
def test_no_request_brings_a_failure_or_an_answer_that_it_does_not_tell_of(
    towers: Towers, who: str
) -> None:
    import schemathesis  # for four seconds, which only this test is to take
    from schemathesis.core.result import Ok

    scopes = ["ask", "search", "feedback", "admin"]
    with listening(towers) as served, requests.Session() as session:
        key = served.key(who, scopes=scopes, role="operator") if who == "operator" else ""
        session.headers.update({"authorization": f"Bearer {key}"} if key else {})
        schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
        for result in schema.get_all_operations():
            assert isinstance(result, Ok)
            tried(result.ok(), session)
        metrics = served.app.state.services.metrics.registry
        seen = {
            s.labels["status"] for m in metrics.collect() for s in m.samples if "status" in s.labels
        }
        assert {"200", "400", "404"} <= seen


def tried(operation: Any, session: requests.Session) -> None:
    """Requests that fit the document, and some that do not."""
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy() | operation.as_strategy(GenerationMode.NEGATIVE))
    def once(case: Any) -> None:
        case.call_and_validate(session=session, checks=checks)

    once()
