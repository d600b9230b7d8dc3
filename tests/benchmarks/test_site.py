"""The site that `make docs` builds."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from benchmarks import site
from benchmarks.site import DOCS, PAGES, ROOT, anchors, links, page


def named(nav: list[Any]) -> Iterator[str]:
    """Every page of a navigation."""
    for entry in nav:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else named(value)


def test_the_navigation_leads_to_every_page_once() -> None:
    project = tomllib.loads((DOCS / "zensical.toml").read_text())["project"]
    assert sorted(named(project["nav"])) == sorted(PAGES.values())


def test_links_in_code_are_none_and_those_elsewhere_are_not_ours() -> None:
    text = (
        "[a](a.md#b) `[b](b.md)` ![c](c.png) [d](https://d.example/d.md)\n\n```\n[e](e.md)\n```\n"
    )
    assert links(text) == {"a.md#b", "c.png"}


def test_headings_of_one_name_have_anchors_of_their_own() -> None:
    text = (
        "# What it costs\n\n## `llmops up`, twice\n\n## What it costs\n\n```\n# no heading\n```\n"
    )
    assert anchors(text) == {"what-it-costs", "llmops-up-twice", "what-it-costs-1"}


def test_links_are_turned_and_other_files_come_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "docs" / "a.md"
    (tmp_path / "docs").mkdir()
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "prices.yaml").write_text("{}")
    (tmp_path / "README.md").write_text("# Read me")
    written.write_text(
        "# A\n\n[r](../README.md#x) [p](../configs/prices.yaml) [a](#a)\n\n| `x\\|y` |\n|---|\n"
    )
    monkeypatch.setattr(site, "ROOT", tmp_path)
    monkeypatch.setattr(site, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(site, "PAGES", {tmp_path / "README.md": "index.md", written: "a.md"})
    text = page(written, tmp_path / "pages")
    assert "[r](index.md#x) [p](configs/prices.yaml) [a](#a)" in text
    assert "| `x|y` |" in text
    assert (tmp_path / "pages" / "configs" / "prices.yaml").read_text() == "{}"
    written.write_text("[gone](../gone.md)")
    with pytest.raises(SystemExit, match=r"a\.md: \.\./gone\.md leads to no file"):
        page(written, tmp_path / "pages")


@pytest.mark.slow  # starts Zensical
def test_the_site_is_built_strictly_and_asks_no_other_host(tmp_path: Path) -> None:
    built = site.build(tmp_path)
    for path, name in PAGES.items():
        document = html.parse(built / Path(name).with_suffix(".html")).getroot()
        assert anchors(path.read_text()) <= set(document.xpath("//@id")), name
        loaded = document.xpath("//link/@href | //script/@src | //img/@src | //iframe/@src")
        assert [each for each in loaded if "//" in each] == [], name
    front = html.parse(built / "index.html").getroot()
    assert front.xpath("string(//article//h1)").startswith("llmops-pipelines")
    assert (ROOT / "README.md").read_text().count("\n## ") == len(front.xpath("//article//h2"))
