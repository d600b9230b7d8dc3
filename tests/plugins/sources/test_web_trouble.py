"""The source `web` against sites that fail, dawdle, lie, vanish and hide."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import DocumentError, Unavailable, UsageError
from llmops.tasks.plugins.sources.web import WebSource
from tests.plugins.sources.crawling import paths, problems, web
from tests.plugins.sources.site import Site, drip, flood, handbook, hang_up


@pytest.mark.parametrize(
    ("status", "items", "complete"),
    [(404, 2, True), (403, 2, True), (503, 0, None), (429, 0, None)],
)
def test_rules_that_cannot_be_read_forbid_everything_and_prove_nothing(
    site: Site, status: int, items: int, complete: bool | None
) -> None:
    site.page("/", "Start.", ["/a"])
    site.page("/a", "A.")
    site.put("/robots.txt", b"busy", "text/plain", status=status)
    if complete is None:
        with pytest.raises(Unavailable, match=r"robots\.txt cannot be read"):
            web(site, retries=0).list()
        assert site.statuses("/") == []
    else:
        listing = web(site).list()
        assert (len(listing.items), listing.complete) == (items, complete)


def test_what_fails_for_a_while_is_tried_again(site: Site) -> None:
    site.page("/", "Start.", ["/a", "/b", "/c"])
    site.page("/a", "A.", fails=[(500, {}), (503, {})])
    site.page("/b", "B.", fails=[(429, {"Retry-After": "0"}), (408, {}), (425, {})])
    site.page("/c", "C.", fails=[(502, {})])
    listing = web(site).list()
    assert listing.complete
    assert len(listing.items) == 4
    assert site.statuses("/b") == [429, 408, 425, 200]


@pytest.mark.slow
def test_a_pause_that_is_asked_for_is_kept_or_refused(site: Site) -> None:
    site.page("/", "Start.", fails=[(429, {"Retry-After": "1"})])
    assert web(site).list().complete
    site.page("/", "Start.", ["/a"])
    site.page("/a", "A.", fails=[(503, {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"})])
    listing = web(site).list()
    assert site.statuses("/a") == [503], "nobody waits so long"
    assert problems(site, listing) == {"/a": "HTTP status 503"}
    assert listing.problems[0].retryable
    assert not listing.complete


@pytest.mark.slow
@pytest.mark.parametrize(
    "trouble",
    ["500", "drip", "headers", "hang up", "huge", "endless", "bomb", "brotli", "bad gzip"],
)
def test_a_page_that_fails_is_a_problem_and_its_links_are_remembered(
    site: Site, tmp_path: Path, trouble: str
) -> None:
    site.page("/", "Start.", ["/a", "/z"])
    site.page("/a", "A.", ["/only-from-a"])
    site.page("/only-from-a", "Deep.")
    site.page("/z", "Z.")
    options = {"max_bytes": 4000, "retries": 1}
    assert len(web(site, tmp_path, **options).list().items) == 4
    answers: dict[str, dict[str, Any]] = {
        "500": {"status": 500},
        "drip": {"behave": drip(0.05)},
        "headers": {"behave": drip(0.05, headers=True)},
        "hang up": {"behave": hang_up},
        "endless": {"behave": flood},
        "huge": {"body": b"<p>" + b"x" * 5000},
        "bomb": {"body": gzip.compress(b"\0" * 10**7), "headers": {"Content-Encoding": "gzip"}},
        "brotli": {"body": b"?", "headers": {"Content-Encoding": "br"}},
        "bad gzip": {
            "body": gzip.compress(b"<p>text")[:20],
            "headers": {"Content-Encoding": "gzip"},
        },
    }
    site.put("/a", **answers[trouble])
    listing = web(site, tmp_path, **options).list()
    assert paths(site, listing) == ["/", "/only-from-a", "/z"]
    assert list(problems(site, listing)) == ["/a"]
    assert not listing.complete
    assert f"{site.url}/a" in listing.why_incomplete


def test_gone_pages_are_gone_and_a_login_wall_proves_nothing(site: Site, tmp_path: Path) -> None:
    site.page("/", "Start.", ["/a", "/b", "/c", "/admin"])
    for name in "abc":
        site.page(f"/{name}", name * 20)
    site.put("/admin", b"log in", status=403)
    first = web(site, tmp_path).list()
    assert problems(site, first) == {"/admin": "HTTP status 403"}
    site.put("/a", status=410)
    del site.answers["/b"]
    second = web(site, tmp_path).list()
    assert paths(site, second) == ["/", "/c"]
    assert second.complete, "a page that was never one proves nothing either way"
    site.put("/c", b"log in", status=401)
    third = web(site, tmp_path).list()
    assert set(problems(site, third)) == {"/admin", "/c"}
    assert not third.complete


def test_a_start_that_is_gone_takes_the_way_to_the_others_with_it(
    site: Site, tmp_path: Path
) -> None:
    site.page("/", "Start.", ["/a"])
    site.page("/a", "A.")
    both = {"start": [site.url, site.url + "/a"]}
    web(site, tmp_path, **both).list()
    del site.answers["/"]
    listing = web(site, tmp_path, **both).list()
    assert paths(site, listing) == ["/a"]
    assert "the start" in listing.why_incomplete
    assert web(site, tmp_path, depth=0, **both).list().complete


def test_a_dead_host_is_not_asked_for_ever(site: Site, tmp_path: Path) -> None:
    handbook(site, 61)
    web(site, tmp_path).list()
    for path, answer in site.answers.items():
        if path.endswith(".html"):
            answer.status = 503
    site.clear()
    listing = web(site, tmp_path, retries=0).list()
    assert site.count(503) == 5
    assert len(listing.problems) == 5, "what nobody asked for has not failed"
    assert len(listing.items) == 11
    assert "failed 5 times in a row and was not asked again; and" not in listing.why_incomplete
    assert not listing.complete


def test_a_server_that_is_off_is_unavailable(site: Site) -> None:
    port = site.url.rsplit(":", 1)[1]
    site.server.shutdown()
    site.server.server_close()
    source = web(site, start=[f"http://127.0.0.1:{port}/"], retries=0)
    with pytest.raises(Unavailable, match="nothing of the site could be read"):
        source.list()
    with pytest.raises(Unavailable):
        source.check()


def test_headers_go_to_the_own_hosts_only(site: Site, other: Site) -> None:
    site.page("/", "Start.", [other.url + "/x"])
    other.page("/x", "Over there.")
    source = web(site, hosts=["127.0.0.1:*"], headers={"Cookie": "session=tulip"})
    assert len(source.list().items) == 2
    assert site.seen[-1]["cookie"] == "session=tulip"
    assert all("cookie" not in seen for seen in other.seen)
    assert "tulip" not in repr(source)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ],
)
def test_private_addresses_are_not_asked(site: Site, host: str) -> None:
    site.page("/", "Internal.")
    port = site.url.rsplit(":", 1)[1]
    source = WebSource(start=[f"http://{host}:{port}/"], delay=0, retries=0, robots=False)
    with pytest.raises(UsageError, match="private address"):
        source.check()
    listing = source.list()
    assert listing.items == []
    assert "allow_private" in listing.problems[0].reason
    assert not listing.problems[0].retryable
    with pytest.raises(DocumentError, match="private"):
        source.read(
            web(site).list().items[0].model_copy(update={"locator": f"http://{host}:{port}/"})
        )
    assert len([path for path, _ in site.log if path == "/"]) == 1, "only the one that was allowed"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"start": []}, "where to begin"),
        ({"start": ["ftp://x/y"]}, "http://"),
        ({"start": ["example.com"]}, "no address"),
        ({"start": ["http://"]}, "no address"),
        ({"start": ["https://me:pw@example.com"]}, "headers"),
        ({"depth": -1}, "greater than or equal to 0"),
        ({"headers": {"A b": "c"}}, "cannot be sent"),
        ({"headers": {"X": "a\nb"}}, "cannot be sent"),
        ({"headers": {"User-Agent": "x"}}, "user_agent"),
        ({"user_agent": "é"}, "user_agent"),
        ({"media_types": []}, "media_types"),
        ({"follow": True}, "follow"),
    ],
)
def test_bad_options_are_named_when_the_config_is_read(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        WebSource(**{"start": ["http://example.com"]} | options)


def test_what_never_existed_is_named_before_a_build(site: Site) -> None:
    site.page("/", "Start.")
    site.put("/robots.txt", b"User-agent: *\nDisallow: /no", "text/plain")
    web(site).check()
    with pytest.raises(UsageError, match="does not exist"):
        web(site, start=[site.url + "/mistyped"]).check()
    with pytest.raises(UsageError, match="does not exist"):
        web(site, sitemaps=[site.url + "/sitemap.xml"]).check()
    with pytest.raises(UsageError, match=r"robots\.txt does not allow"):
        web(site, start=[site.url + "/no/entry"]).check()


@pytest.mark.parametrize(
    ("status", "complete"), [(302, False), (303, False), (307, False), (301, True), (308, True)]
)
def test_being_sent_to_a_log_in_for_now_is_not_being_gone(
    site: Site, other: Site, tmp_path: Path, status: int, complete: bool
) -> None:
    site.page("/", "Start.", ["/a", "/b"])
    site.page("/a", "A.")
    site.page("/b", "B.")
    web(site, tmp_path).list()
    site.moved("/a", other.url + "/login?next=/a", status)
    listing = web(site, tmp_path).list()
    assert paths(site, listing) == ["/", "/b"]
    assert listing.complete == complete
    assert list(problems(site, listing)) == ([] if complete else ["/a"])
    assert other.log == []
