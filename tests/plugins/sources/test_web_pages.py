"""The source `web`: sitemaps, robots, character sets and kinds of pages."""

import codecs
import gzip
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.tasks.plugins.sources.web.page import facts, one_charset
from tests.plugins.sources.crawling import paths, web
from tests.plugins.sources.site import Site


def test_robots_are_heeded(site: Site) -> None:
    site.put(
        "/robots.txt",
        b"User-agent: *\nDisallow: /secret\nUser-agent: llmops-pipelines\nDisallow: /ours\n",
        "text/plain",
    )
    site.page("/", "Start.", ["/secret", "/ours", "/hidden", "/blind", "/open"])
    site.page("/secret", "For our group of the file this is allowed.")
    site.page("/ours", "Not for us.")
    site.page(
        "/hidden",
        "Not to be shown.",
        ["/behind"],
        head='<meta name="Robots" content="NOINDEX, follow">',
    )
    site.page("/behind", "Behind.")
    site.page("/blind", "No links, please.", ["/unseen"], headers={"X-Robots-Tag": "nofollow"})
    site.page("/unseen", "Unseen.")
    site.page(
        "/open",
        "Open.",
        head='<meta name="robots" content="index, follow, max-image-preview:none">',
    )
    listing = web(site).list()
    assert paths(site, listing) == ["/", "/behind", "/blind", "/open", "/secret"]
    assert listing.complete
    assert site.statuses("/ours") == []
    assert len(web(site, robots=False).list().items) == 8
    assert {seen["user-agent"] for seen in site.seen} == {
        "llmops-pipelines/1 (knowledge base indexer)"
    }


def test_a_sitemap_index_with_packed_and_plain_lists(site: Site) -> None:
    for number in range(6):
        site.page(f"/p{number}", f"Page {number}.", ["/linked"])
    site.page("/linked", "Not in any sitemap.")
    site.put(
        "/robots.txt",
        f"Sitemap: {site.url}/index.xml\nsitemap: {site.url}/list.txt".encode(),
        "text/plain",
    )
    site.sitemap(
        "/index.xml",
        [site.url + "/a.xml", site.url + "/b.xml.gz", site.url + "/index.xml"],
        "sitemapindex",
    )
    site.sitemap(
        "/a.xml",
        [
            site.url + "/p0",
            site.url + "/p1?utm_medium=mail",
            site.url + "/gone",
            "http://elsewhere.example/p",
        ],
    )
    site.sitemap("/plain", [site.url + "/p2", site.url + "/p3"])
    site.put(
        "/b.xml.gz", gzip.compress(site.answers.pop("/plain").body, mtime=0), "application/gzip"
    )
    site.put("/list.txt", f"{site.url}/p4\n{site.url}/p5\n".encode(), "text/plain")
    listing = web(site, start=None, sitemaps=[site.url + "/robots.txt"]).list()
    assert listing.complete
    assert paths(site, listing) == ["/p0", "/p2", "/p3", "/p4", "/p5"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<urlset><url><loc>http://x</loc>", "no XML"),
        (b"<html><body>log in</body></html>", "root is <html>"),
        (gzip.compress(b"<urlset/>" * 50, mtime=0)[:30], "cut off"),
        (b"\x1f\x8bnonsense", "damaged"),
    ],
)
def test_a_broken_sitemap_proves_nothing(site: Site, body: bytes, said: str) -> None:
    site.put("/broken.xml", body, "application/xml")
    site.page("/", "Start.")
    listing = web(site, sitemaps=[site.url + "/broken.xml", site.url + "/absent.xml"]).list()
    assert not listing.complete
    assert said in listing.why_incomplete
    assert "absent.xml cannot be read: HTTP status 404" in listing.why_incomplete


def test_entities_of_a_sitemap_are_not_resolved(site: Site, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    site.put(
        "/s.xml",
        f'<!DOCTYPE urlset [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><urlset><url><loc>{site.url}/&x;</loc></url></urlset>'.encode(),
        "application/xml",
    )
    web(site, start=None, sitemaps=[site.url + "/s.xml"]).list()
    assert not any("secret" in path for path, _ in site.log)


def test_packed_pages_are_unpacked(site: Site) -> None:
    page = b"<html><body>" + b"<p>Words, words.</p>" * 30
    site.page("/", "Start.", ["/gzip", "/zlib", "/raw"])
    raw = zlib.compressobj(wbits=-15)
    for name, coding, body in [
        ("gzip", "gzip", gzip.compress(page, mtime=0)),
        ("zlib", "deflate", zlib.compress(page)),
        ("raw", "deflate", raw.compress(page) + raw.flush()),
    ]:
        site.put(f"/{name}", body, headers={"Content-Encoding": coding})
    source = web(site)
    assert [source.read(item).data for item in source.list().items][1:] == [page] * 3


@pytest.mark.parametrize(
    ("declared", "meta", "encoded"),
    [
        ("text/html; charset=windows-1251", "", "cp1251"),
        ('text/html; charset="Shift_JIS"', "", "cp932"),
        ("text/html; charset=ISO-8859-1", "", "utf-8"),
        ("text/html; charset=utf-8", "iso-8859-1", "utf-8"),
        ("text/html", "windows-1251", "cp1251"),
        ("text/html; charset=nonsense", "", "utf-8"),
        ("text/html; charset=windows-1251", "", "utf-8-sig"),
        ("text/html; charset=utf-8", "", "utf-16"),
    ],
)
def test_character_sets(site: Site, declared: str, meta: str, encoded: str) -> None:
    from llmops.tasks.plugins.parsers import parse

    text = "日本語の文書です。漢字とかな。" if encoded == "cp932" else "Привет, это текст страницы."
    page = f"<html><head>{f'<meta charset={meta}>' if meta else ''}</head><body><p>{text}</p></body></html>"  # noqa: E501
    site.put("/", page.encode(encoded), declared)
    source = web(site)
    raw = source.read(source.list().items[0])
    assert text in parse(raw.data, "", raw.media_type).text


def test_iso_8859_1_means_what_browsers_make_of_it(site: Site) -> None:
    site.put("/", "<p>“Größe” – 5 €</p>".encode("cp1252"), "text/html; charset=ISO-8859-1")
    source = web(site)
    assert (
        source.read(source.list().items[0]).data.removeprefix(codecs.BOM_UTF8).decode()
        == "<p>“Größe” – 5 €</p>"
    )


def test_other_kinds_pass_through_and_pictures_do_not(site: Site) -> None:
    site.page("/", "Start.", ["/a.pdf", "/b.md", "/c.txt", "/d.png", "/e.zip", "/untold"])
    site.put("/a.pdf", b"%PDF-1.4 rest", "application/pdf")
    site.put("/b.md", b"# Title\n", "text/markdown")
    site.put("/c.txt", b"plain", "text/plain; charset=us-ascii")
    site.put("/d.png", b"\x89PNG", "image/png")
    site.put("/e.zip", b"PK\3\4", "application/zip")
    site.put("/untold", b"<html><body><a href='/found'>x</a></body></html>", "")
    site.page("/found", "Found.")
    source = web(site)
    raws = {item.uri.removeprefix(site.url): source.read(item) for item in source.list().items}
    assert {path: raw.media_type for path, raw in raws.items()} == {
        "/": "text/html",
        "/a.pdf": "",
        "/b.md": "text/markdown",
        "/c.txt": "",
        "/untold": "",
        "/found": "text/html",
    }
    assert raws["/a.pdf"].data == b"%PDF-1.4 rest"
    assert paths(site, web(site, media_types=["image/*", "text/html"]).list()) == [
        "/",
        "/d.png",
        "/found",
        "/untold",
    ]


def test_links_of_a_page_count_that_a_sitemap_names_too(site: Site, other: Site) -> None:
    site.page("/", "Start.", ["/a"])
    site.page("/a", "A.", ["/b"])
    site.page("/b", "B.")
    site.page("/c", "Only in the sitemap.", ["/d"])
    site.page("/d", "Nowhere.")
    site.sitemap("/s.xml", [site.url + "/a", site.url + "/c"])
    assert paths(site, web(site, sitemaps=[site.url + "/s.xml"]).list()) == ["/", "/a", "/b", "/c"]
    site.sitemap("/index.xml", [other.url + "/s.xml"], "sitemapindex")
    assert (
        "name it in `hosts`" in web(site, sitemaps=[site.url + "/index.xml"]).list().why_incomplete
    )


LETTERS = st.sampled_from("<>/ahtmlbodyrefsc='\"&;!-[]#: \x00ä")


@given(st.binary(max_size=200) | st.text(alphabet=LETTERS).map(str.encode), st.text(max_size=30))
def test_no_page_stops_a_crawl(data: bytes, said: str) -> None:
    found = facts(
        one_charset(data, f"text/html; charset={said}"),
        "http://example.com/",
        {"x-robots-tag": said},
        [],
        heed=True,
    )
    assert all(link.startswith("http") for link in found.links)
