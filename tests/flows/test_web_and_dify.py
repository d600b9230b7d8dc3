"""Knowledge bases built from a site and from Dify: what a second build costs, and what it may take
away.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from llmops.tasks.knowledge.outcome import Outcome
from tests.laboratory import Laboratory
from tests.plugins.sources import dify_server
from tests.plugins.sources.site import PARAGRAPH, Site, handbook, running

PAGES = 61


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as one:
        handbook(one, PAGES)
        yield one


def crawl(lab: Laboratory, site: Site, **options: Any) -> Outcome:
    own = {
        "name": "web",
        "start": [site.url],
        "allow_private": True,
        "delay": 0,
        "backoff": 0.005,
        "retries": 1,
    }
    return lab.build(sources=[own | options])


@pytest.mark.slow
def test_the_second_build_asks_for_changes_only_and_pays_for_them_alone(
    lab: Laboratory, site: Site
) -> None:
    first = crawl(lab, site)
    assert (first.status, first.documents["total"], first.documents["quarantined"]) == (
        "published",
        PAGES,
        0,
    )
    assert site.count(200) == PAGES + 1, (
        "every page once, and the start once more to see whether it exists"
    )
    paid = lab.paid()
    site.clear()
    assert crawl(lab, site).status == "unchanged"
    assert (site.count(304), site.count(200), lab.paid()) == (PAGES, 0, paid)
    site.clear()
    site.page(
        "/s4/p2.html",
        "The cellar is flooded, and nobody may enter it before Monday.",
        ["/s4/"],
        title="Page 4.2",
    )
    third = crawl(lab, site)
    assert (third.documents["changed"], third.documents["total"]) == (1, PAGES)
    assert (site.count(304), site.count(200), lab.paid()) == (PAGES - 1, 1, paid + 1)
    assert any("flooded" in text for text in lab.search("flooded cellar"))
    assert lab.verified()


@pytest.mark.slow
def test_what_is_gone_is_retired_and_what_fails_is_not(lab: Laboratory, site: Site) -> None:
    crawl(lab, site)
    lost = [f"/s7/p{page}.html" for page in range(3)]
    for path in lost:
        site.answers[path].status = 500
    site.answers["/s2/"].status = 503
    failing = crawl(lab, site)
    assert failing.documents["retired"] == 0
    assert len(lab.visible()) == PAGES, "the pages of a section that fails are still there"
    assert any("not complete" in warning for warning in failing.warnings)
    for path in lost:
        del site.answers[path]
    site.answers["/s2/"].status = 200
    gone = crawl(lab, site)
    assert (gone.status, gone.documents["retired"]) == ("published", 3)
    assert lab.visible() == {item for item in _uris(site) if not item.endswith(tuple(lost))}


@pytest.mark.slow
def test_nothing_of_an_unread_page_stays_behind(lab: Laboratory, site: Site) -> None:
    crawl(lab, site)
    for file in (lab.home / "sources").rglob("*"):
        assert file.is_dir() or PARAGRAPH[-40:-2].encode() not in file.read_bytes()
    site.moved("/s1/p1.html", "/s1/renamed.html")
    site.answers["/s1/renamed.html"] = site.answers["/s1/p2.html"]
    site.page(
        "/s1/renamed.html",
        PARAGRAPH.format(name="1-1", number=3) * 3,
        ["/s1/", "/"],
        title="Page 1.1",
    )
    paid = lab.paid()
    moved = crawl(lab, site)
    assert (moved.documents["renamed"], lab.paid()) == (1, paid)


@pytest.mark.slow
def test_a_team_moves_from_dify(lab: Laboratory) -> None:
    with dify_server.running() as dify:
        for number in range(12):
            dify.add(
                f"{number}.txt",
                PARAGRAPH.format(name=f"{number}", number=number + 2),
                f"The door of office {number} is blue.",
            )
        source = {
            "name": "dify",
            "base_url": dify.url,
            "dataset": dify.dataset,
            "api_key": dify.key,
            "backoff": 0.005,
        }
        first = lab.build(sources=[source])
        assert (first.status, first.documents["total"], lab.visible()) == (
            "published",
            12,
            set(dify.documents),
        )
        paid = lab.paid()
        assert (lab.build(sources=[source]).status, lab.paid()) == ("unchanged", paid)
        edited, deleted = list(dify.documents)[:2]
        dify.segments[edited][1]["content"] = dify.segments[edited][1]["content"].replace(
            "blue", "pink"
        )
        del dify.documents[deleted]
        last = lab.build(sources=[source])
        assert (last.documents["changed"], last.documents["retired"]) == (1, 1)
        assert any("pink" in text for text in lab.search("pink door"))
        assert lab.visible() == set(dify.documents)


def _uris(site: Site) -> set[str]:
    return {site.url + path for path, answer in site.answers.items() if answer.status == 200}
