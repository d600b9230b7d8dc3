"""Who is signed in, how somebody becomes so, and what a foreign page cannot make of it."""

import re
from collections.abc import Iterator

import pytest

from llmops.deployments.app.admission import LOOKS_PER_MINUTE
from llmops.deployments.app.page.signing import TRIES_PER_MINUTE
from llmops.tasks.access import keys
from llmops.tasks.access.pace import RequestPace
from tests.chat.apps import TALL, Towers, copied
from tests.deployments.app.apps import App, application
from tests.deployments.app.page.pages import OWN, Visitor
from tests.workshop import Workshop

COOKIE = "llmops-guide"


@pytest.mark.parametrize("path", ["/", "/ask/conv-1"])
def test_whoever_is_not_signed_in_is_asked_who_they_are(app: App, path: str) -> None:
    visitor = Visitor(app)
    moved = visitor.get(path)
    assert moved.status_code == 303
    assert moved.headers["location"].startswith("/sign-in")
    part = visitor.get(path, hx_request="true")
    assert (part.status_code, part.headers["hx-redirect"]) == (401, moved.headers["location"])
    assert visitor.sign_in().headers["location"] == "/"
    assert "Anna" in visitor.get("/").text


def test_a_key_opens_no_page_and_a_name_none_where_keys_are_wanted(keyed: App) -> None:
    key, visitor = keyed.key("opens"), Visitor(keyed)
    assert (
        keyed.client.get(
            "/", headers={"authorization": f"Bearer {key}"}, follow_redirects=False
        ).status_code
        == 303
    )
    assert visitor.sign_in("Anna").status_code == 403
    assert visitor.sign_in(key="llmops_" + "a" * 43).status_code == 403
    assert COOKIE not in visitor.cookies
    assert visitor.sign_in(key=key).status_code == 303
    assert visitor.get("/").status_code == 200


def test_the_cookie_is_for_this_page_alone(app: App) -> None:
    line = Visitor(app).sign_in().headers["set-cookie"]
    assert line.startswith(f"{COOKIE}=")
    assert {"httponly", "samesite=strict", "path=/"} <= {
        part.strip().lower() for part in line.split(";")
    }
    assert "domain" not in line.lower()


def test_over_tls_the_cookie_goes_over_tls_alone(towers: Towers) -> None:
    with application(towers, hosts=["app.example.com"]) as app:
        headers = {"host": "app.example.com", "origin": "https://app.example.com"}
        line = Visitor(app).post("/sign-in", {"name": "Anna"}, **headers).headers["set-cookie"]
    assert line.startswith(f"__Host-{COOKIE}=")
    assert "; Secure" in line


def test_a_session_ends_with_its_key_and_with_signing_out(keyed: App) -> None:
    visitor, other = Visitor(keyed), Visitor(keyed)
    key = keyed.key("ends")
    visitor.sign_in(key=key)
    other.sign_in(key=key)
    held = dict(other.cookies)
    other.post("/sign-out")
    assert COOKIE not in other.cookies
    other.cookies = held
    assert other.get("/").status_code == 303
    assert visitor.get("/").status_code == 200
    keys.revoke(keyed.towers.home, "ends")
    assert visitor.get("/").status_code == 303


def test_a_session_that_somebody_else_planted_is_not_taken_over(app: App) -> None:
    mallory, anna = Visitor(app), Visitor(app)
    mallory.sign_in("Mallory")
    anna.cookies = dict(mallory.cookies)
    anna.sign_in("Anna")
    assert anna.cookies[COOKIE] != mallory.cookies[COOKIE]
    assert mallory.get("/").status_code == 303
    assert "Anna" in anna.get("/").text
    anna.cookies[COOKIE] = "a" * 43
    anna.sign_in("Anna")
    assert anna.cookies[COOKIE] != "a" * 43


def test_a_page_s_script_calls_the_api_as_its_session(keyed: App) -> None:
    visitor = Visitor(keyed)
    visitor.sign_in(key=keyed.key("searches-only", scopes=["search"]))
    jar = f"{COOKIE}={visitor.cookies[COOKIE]}"
    headers = {**OWN, "cookie": jar}
    search = keyed.client.post("/v1/search", json={"query": TALL}, headers=headers)
    assert search.status_code == 200
    body = {"model": "guide", "messages": [{"role": "user", "content": TALL}]}
    asked = keyed.client.post("/v1/chat/completions", json=body, headers=headers)
    assert (asked.status_code, asked.json()["error"]["code"]) == (403, "insufficient_scope")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OWN, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "https://portal.example.com"}, 403),
        ({"origin": "null"}, 403),
    ],
)
def test_no_other_page_does_anything_for_whoever_is_signed_in(
    allowing: App, headers: dict[str, str], status: int
) -> None:
    visitor = Visitor(allowing)
    visitor.sign_in()
    jar = {"cookie": f"{COOKIE}={visitor.cookies[COOKIE]}"}
    search = allowing.client.post("/v1/search", json={"query": TALL}, headers={**jar, **headers})
    assert search.status_code == status
    out = allowing.client.post("/sign-out", headers={**jar, **headers}, follow_redirects=False)
    assert out.status_code == (303 if status == 200 else 403)


@pytest.fixture(scope="module")
def allowing(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Pages of a neighbouring name may call it, with a key."""
    towers = copied(shelf, tmp_path_factory.mktemp("allowing"))
    with application(towers, origins=["https://portal.example.com"]) as found:
        yield found


def test_two_cookies_of_one_name_are_none(app: App) -> None:
    visitor = Visitor(app)
    visitor.sign_in()
    token = visitor.cookies[COOKIE]
    for jar in (f"{COOKIE}={token}; {COOKIE}=x", f"{COOKIE}=x; {COOKIE}={token}"):
        seen = app.client.get("/", headers={"cookie": jar}, follow_redirects=False)
        assert seen.status_code == 303


def test_keys_cannot_be_tried_out_quickly(keyed: App) -> None:
    visitor = Visitor(keyed)
    key = keyed.key("late")
    keyed.services.sign_ins = RequestPace()
    tries = [visitor.sign_in(key="llmops_" + "b" * 43) for _ in range(TRIES_PER_MINUTE + 1)]
    assert [each.status_code for each in tries] == [403] * TRIES_PER_MINUTE + [429]
    late = visitor.sign_in(key=key)
    assert (late.status_code, COOKIE in visitor.cookies) == (429, False)
    assert int(late.headers["retry-after"]) >= 1
    keyed.services.sign_ins = RequestPace()


def test_looking_at_pages_does_not_use_up_what_a_key_may_ask(towers: Towers) -> None:
    with application(towers, limits={"requests_per_minute": 3}) as app:
        visitor = Visitor(app)
        visitor.sign_in()
        assert {visitor.get("/").status_code for _ in range(6)} == {200}
        assert LOOKS_PER_MINUTE >= 6


def test_a_name_is_shown_as_text(app: App) -> None:
    visitor = Visitor(app)
    visitor.sign_in("<script>alert(1)</script>")
    shown = visitor.get("/").text
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown
    assert re.search(r"<script(?![^>]* src=)", shown) is None


def test_a_form_that_is_none_is_refused(app: App) -> None:
    for content, kind in (
        ("{}", "application/json"),
        ("a=%ff", "application/x-www-form-urlencoded"),
    ):
        response = app.client.post(
            "/sign-in", content=content, headers={**OWN, "content-type": kind}
        )
        assert response.status_code == 400, kind
