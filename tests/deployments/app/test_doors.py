"""What every answer carries, and which requests are none."""

import logging
import re
import time
from collections.abc import Iterator

import pytest

from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.services import ReadyState, Services
from tests.chat.apps import TALL, Towers, copied
from tests.deployments.app.apps import App, application
from tests.workshop import Workshop

SECURITY = (
    *("content-security-policy", "x-content-type-options", "x-frame-options"),
    *("referrer-policy", "cross-origin-resource-policy", "cache-control"),
)


@pytest.mark.parametrize("path", ["/health", "/", "/v1/models", "/nothing", "/metrics", "/ready"])
def test_every_answer_has_the_headers_that_browsers_heed(app: App, path: str) -> None:
    headers = app.get(path).headers
    assert [name for name in SECURITY if name not in headers] == []
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers
    assert not any(name.startswith("access-control") for name in headers)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("req-12345678", True),
        ("0f8fad5b-d9cb-469f-a165-70867728950e", True),
        ("short", False),
        ("x" * 65, False),
        ("a b c d e f g h", False),
        ("evil\\nheader-1234", False),
        ("<script>alert(1)</script>", False),
    ],
)
def test_a_request_s_id_is_kept_where_it_is_well_formed(app: App, given: str, kept: bool) -> None:
    answered = app.get("/health", x_request_id=given).headers["x-request-id"]
    assert (answered == given) is kept
    assert re.fullmatch(r"[A-Za-z0-9._-]+", answered)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8400", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8400", 200),
        ("10.0.0.7", 200),
        ("app.example.com", 200),
        ("app.example.com:443", 200),
        ("evil.example.com", 421),
        ("localhost.evil.com", 421),
        ("127.0.0.1.evil.com", 421),
        ("evil.com:127.0.0.1", 421),
        ("user@localhost", 200),
        ("localhost@evil.com", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_it_is_reached_by_its_own_names_alone(named: App, host: str, status: int) -> None:
    assert named.get("/health", host=host).status_code == status


@pytest.fixture(scope="module")
def named(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """With a name of its own."""
    towers = copied(shelf, tmp_path_factory.mktemp("named"))
    with application(towers, hosts=["app.example.com"]) as found:
        yield found


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1"}, 200),
        ({"origin": "https://evil.example.com"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
    ],
)
def test_a_page_of_another_site_cannot_call_it(
    app: App, headers: dict[str, str], status: int
) -> None:
    assert app.post("/v1/search", {"query": TALL}, **headers).status_code == status


@pytest.mark.parametrize("name", ["origin", "sec-fetch-site"])
def test_where_a_request_comes_from_is_said_once(app: App, name: str) -> None:
    headers = [(name, "https://evil.example.com"), (name, "http://127.0.0.1")]
    response = app.client.post("/v1/search", json={"query": TALL}, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "duplicate_header")


def test_a_form_of_another_site_cannot_either(app: App) -> None:
    body = '{"query": "x"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = {"content-type": kind}
        response = app.client.post("/v1/search", content=body, headers=headers)
        assert response.status_code == 400, kind


def test_pages_that_are_named_may_call_it(towers: Towers) -> None:
    origin = "https://portal.example.com"
    asks = {
        "access_control_request_method": "POST",
        "access_control_request_headers": "authorization, content-type",
    }
    with application(towers, origins=[origin], keys={"required": True}) as app:
        headers = {name.replace("_", "-"): value for name, value in asks.items()}
        allowed = app.client.options("/v1/search", headers={**headers, "origin": origin})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == origin
        assert "access-control-allow-credentials" not in allowed.headers
        other = app.client.options(
            "/v1/search", headers={**headers, "origin": "https://evil.example.com"}
        )
        assert "access-control-allow-origin" not in other.headers
        answered = app.post("/v1/search", {"query": TALL}, app.key(), origin=origin)
        assert answered.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/v1/search", 405), ("DELETE", "/health", 405)],
)
def test_what_is_not_there_is_told_in_the_same_shape(
    app: App, method: str, path: str, status: int
) -> None:
    response = app.client.request(method, path)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code", "request_id"}


def test_what_nobody_expected_is_told_by_its_id_alone(
    towers: Towers, caplog: pytest.LogCaptureFixture
) -> None:
    with application(towers) as app:

        async def broken(*_: object, **__: object) -> None:
            raise RuntimeError("secret of the inside")

        app.services.knowledge.pinned = broken
        response = app.search()
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (500, "internal_error")
    assert "inside" not in response.text
    assert error["request_id"] in caplog.text
    assert "secret of the inside" in caplog.text


def test_a_request_is_one_line_of_log_without_what_was_asked(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "llmops.access")
    app.ask("my secret question", user="anna@example.com")
    app.get("/v1/models?token=abc123")
    app.get("/nothing/but/a/secret")
    first, second, third = [each.getMessage() for each in caplog.records if "access" in each.name]
    assert re.match(r"POST /v1/chat/completions 200 [\d.]+ms key=- trace=tr-\w+ request=", first)
    assert re.match(r"GET /v1/models 200 ", second)
    assert re.match(r"GET \(no route\) 404 ", third)
    told = first + second + third
    assert not [word for word in ("secret", "anna", "abc123") if word in told]


def test_problems_are_told_to_each_client_in_its_words() -> None:
    problem = HttpProblem(429, "wait", code="slow", headers={"retry-after": "3"})
    ours, dify = problem.response("/v1/search", "r"), problem.response("/retrieval", "r")
    assert (ours.status_code, ours.headers["retry-after"]) == (429, "3")
    assert b'"type":"rate_limit_error"' in bytes(ours.body)
    assert bytes(dify.body) == b'{"error_code":429,"error_msg":"wait"}'


def test_whether_it_is_ready_says_what_is_missing_and_what_is_worse(towers: Towers) -> None:
    with application(towers, knowledge_bases=["towers", "other"]) as app:
        app.ask()
        deadline = time.monotonic() + 20
        while not (said := app.get("/ready").json())["degraded"]:
            assert time.monotonic() < deadline, said
            time.sleep(0.1)
        assert app.get("/ready").status_code == 503
    assert said["missing"] == ["knowledge base other"]
    assert said["knowledge_bases"] == {"towers": 1}
    assert said["degraded"] == ["traces: they wait, as MLflow does not take them"]
    assert "127.0.0.1:9" not in str(said)


def test_probes_leave_a_line_only_where_their_answer_changes(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/health", "/ready"):
        app.client.get(path)
    caplog.clear()
    caplog.set_level("INFO", logger="llmops.access")
    for path in ("/health", "/ready", "/v1/models"):
        app.client.get(path)
    whole = Services.ready

    async def lacking(services: Services) -> ReadyState:
        return (await whole(services))._replace(missing=["knowledge base other"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Services, "ready", lacking)
        app.client.get("/ready")
        app.client.get("/ready")
    app.client.get("/ready")
    lines = [each.getMessage() for each in caplog.records if each.name == "llmops.access"]
    assert [each.split()[1:3] for each in lines] == [
        ["/v1/models", "200"],
        ["/ready", "503"],
        ["/ready", "200"],
    ]
