"""The source `web`: what it finds, what it calls it, and what it asks for again."""

import threading
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.errors import TransientDocumentError
from llmops.tasks.plugins.sources import content_hash_of
from tests.plugins.sources.crawling import paths, problems, web
from tests.plugins.sources.site import Site, handbook


@pytest.mark.slow
def test_a_site_of_hundreds_of_pages_is_listed_once_and_then_only_asked_for_changes(
    site: Site, tmp_path: Path
) -> None:
    handbook(site, 301)
    source = web(site, tmp_path)
    first = source.list()
    assert len(first.items) == 301
    assert first.complete
    assert site.most_at_once == 1
    raws = [source.read(item) for item in first.items]
    assert all(
        source.content_hash(item) == content_hash_of(raw)
        for item, raw in zip(first.items, raws, strict=True)
    )
    assert site.count(200) == 301, "what the listing fetched is not fetched again"
    site.clear()
    site.page("/s3/p4.html", "Wholly new words.", ["/s3/"])
    del site.answers["/s5/p1.html"]
    site.page("/s5/", "Section 5 has lost a page.", [f"/s5/p{page}.html" for page in range(29)])
    second = web(site, tmp_path).list()
    assert second.complete
    assert (site.count(200), site.count(304), site.count(404)) == (2, 298, 1)
    changed = {item.uri for item in set(second.items) - set(first.items)}
    assert {uri.removeprefix(site.url) for uri in changed} == {"/s3/p4.html", "/s5/"}
    assert {item.uri for item in first.items} - {item.uri for item in second.items} == {
        f"{site.url}/s5/p1.html"
    }


def test_without_a_memory_equal_sites_give_equal_listings(site: Site) -> None:
    handbook(site, 61)
    assert web(site).list() == web(site).list()
    limited = [paths(site, web(site, max_pages=20).list()) for _ in range(2)]
    assert limited[0] == limited[1]
    assert len(limited[0]) == 20


def test_nothing_of_a_page_stays_in_the_memory(site: Site, tmp_path: Path) -> None:
    site.page("/", "Confidential words of the board.", ["/b"], title="Minutes of March")
    site.page("/b", "More of the same.")
    source = web(site, tmp_path)
    for item in source.list().items:
        source.read(item)
    web(site, tmp_path).list()
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"/b" in kept
    assert b"Confidential" not in kept
    assert b"Minutes" not in kept


def test_what_was_not_kept_is_fetched_when_it_is_read(site: Site, tmp_path: Path) -> None:
    site.page("/", "Some words.")
    item = web(site, tmp_path).list().items[0]
    reader = web(site, tmp_path / "elsewhere")
    assert b"Some words" in reader.read(item).data
    del site.answers["/"]
    with pytest.raises(TransientDocumentError, match="404"):
        reader.read(item)


def test_redirects_name_a_page_by_where_they_end(site: Site, other: Site) -> None:
    site.page("/", "Start.", ["/old", "/temp", "/round", "/away", "/deep0", "/bare"])
    site.page("/new", "The page.")
    site.moved("/old", "/new#part")
    site.moved("/temp", "/old", 302)
    site.moved("/round", "/round2", 307)
    site.moved("/round2", "/round", 308)
    site.moved("/away", other.url + "/there")
    for hop in range(14):
        site.moved(f"/deep{hop}", f"/deep{hop + 1}")
    site.put("/bare", status=302)
    listing = web(site).list()
    assert paths(site, listing) == ["/", "/new"]
    assert problems(site, listing)["/round"] == "its redirects lead back to it, in a circle"
    assert "more than 10 redirects" in problems(site, listing)["/deep10"]
    assert "302" in problems(site, listing)["/bare"]
    assert other.log == []
    assert site.statuses("/new") == [200]


def test_a_start_that_moved_to_another_host_is_followed_there(site: Site, other: Site) -> None:
    site.moved("/", other.url + "/home")
    other.page("/home", "Here now.", ["/more"])
    other.page("/more", "More.")
    assert paths(other, web(site).list()) == ["/home", "/more"]


def test_other_hosts_only_where_they_are_named(site: Site, other: Site) -> None:
    site.page("/", "Start.", [other.url + "/x"])
    other.page("/x", "Over there.")
    assert len(web(site).list().items) == 1
    assert other.log == []
    assert len(web(site, hosts=["127.0.0.1:*"]).list().items) == 2


def test_depth_and_patterns(site: Site) -> None:
    site.page("/", "Start.", ["/docs/a", "/blog/b"])
    site.page("/docs/a", "A.", ["/docs/deep/c", "/docs/draft/x"])
    site.page("/docs/deep/c", "C.", ["/docs/deep/d"])
    site.page("/docs/deep/d", "D.")
    site.page("/blog/b", "B.")
    site.page("/docs/draft/x", "X.")
    assert paths(site, web(site, depth=0).list()) == ["/"]
    assert paths(site, web(site, depth=1).list()) == ["/", "/blog/b", "/docs/a"]
    site.clear()
    listing = web(site, include=["docs/**"], exclude=["**/draft/**"], depth=9).list()
    assert paths(site, listing) == ["/docs/a", "/docs/deep/c", "/docs/deep/d"]
    assert listing.complete
    assert not site.statuses("/blog/b")
    assert paths(site, web(site, exclude=[site.url + "/docs/**"]).list()) == ["/", "/blog/b"]


@pytest.mark.parametrize(
    "variants",
    [
        [
            "/a",
            "/a#top",
            "/a?utm_source=x",
            "/b/../a",
            "/%61",
            "HTTP://127.0.0.1:{port}/a",
            "/a?",
            "//127.0.0.1:{port}/a",
        ],
        ["/a?x=1", "/a?x=2", "/a"],
    ],
)
def test_one_page_has_one_address(site: Site, variants: list[str]) -> None:
    port = site.url.rsplit(":", 1)[1]
    site.page("/", "Start.", [one.format(port=port) for one in variants])
    for path in ("/a", "/a?x=1", "/a?x=2"):
        site.page(path, "The same.", title="one title")
    assert paths(site, web(site).list()) == ["/", "/a"]
    assert site.statuses("/a") == [200]


def test_the_canonical_address_counts_unless_it_is_wrong(site: Site) -> None:
    site.page(
        "/",
        "Start.",
        ["/print?page=7", "/lost", "/cms1", "/cms2"],
        head='<link rel="canonical" href="/">',
    )
    site.page(
        "/print?page=7",
        "Text, ready to print.",
        title="Seven",
        head='<link rel="canonical" href="/seven">',
    )
    site.page("/seven", "Text.", title="Seven")
    site.page("/lost", "Only here.", head='<link rel="canonical" href="/nowhere">')
    for number in (1, 2):
        site.page(
            f"/cms{number}",
            f"Own text {number}.",
            title=f"Own title {number}",
            head='<link rel="canonical" href="/">',
        )
    assert paths(site, web(site).list()) == ["/", "/cms1", "/cms2", "/lost", "/seven"]


def test_too_many_pages_are_no_complete_listing(site: Site) -> None:
    handbook(site, 61)
    listing = web(site, max_pages=30).list()
    assert len(listing.items) == 30
    assert "more than 30 pages" in listing.why_incomplete
    assert web(site, max_pages=61).list().complete


def test_last_modified_serves_where_there_is_no_etag(site: Site, tmp_path: Path) -> None:
    site.page(
        "/", "Start.", validators=False, headers={"Last-Modified": "Wed, 01 Jan 2020 00:00:00 GMT"}
    )
    for _ in range(2):
        web(site, tmp_path).list()
    assert site.seen[-1]["if-modified-since"] == "Wed, 01 Jan 2020 00:00:00 GMT"
    assert web(site, tmp_path).list().items == web(site).list().items


def test_hosts_are_asked_side_by_side_and_each_one_after_another(site: Site, other: Site) -> None:
    handbook(site, 31)
    handbook(other, 31)
    gate = threading.Barrier(2, timeout=5)
    for one in (site, other):
        page = one.answers["/"].body

        def behave(handler: Any, page: bytes = page) -> None:
            gate.wait()
            handler.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s"
                % (len(page), page)
            )

        one.answers["/"].behave = behave
    listing = web(site, start=[site.url, other.url], timeout=5, deadline=5).list()
    assert len(listing.items) == 62
    assert (site.most_at_once, other.most_at_once) == (1, 1)


def test_a_crawl_that_was_broken_off_goes_on(site: Site, tmp_path: Path) -> None:
    handbook(site, 61)
    web(site, tmp_path, max_pages=30).list()
    site.clear()
    source = web(site, tmp_path)
    listing = source.list()
    assert (site.count(304), site.count(200)) == (30, 31)
    assert all(source.read(item).data for item in listing.items)


@pytest.mark.parametrize("damage", ["text", "cut", "other options"])
def test_a_damaged_memory_is_begun_anew(site: Site, tmp_path: Path, damage: str) -> None:
    handbook(site, 31)
    first = web(site, tmp_path).list()
    file = tmp_path / "memory" / "pages.db"
    if damage != "other options":
        file.write_bytes(
            b"no database at all, but long enough to look at" * 40
            if damage == "text"
            else file.read_bytes()[:3000]
        )
    options = {"ignore_query": ["x"]} if damage == "other options" else {}
    assert web(site, tmp_path, **options).list() == first
