"""The Data Docs: whole without a network, harmless whatever documents hold."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from llmops.tasks.validation import Expectation, ValidationVerdict, combine, validate, write_docs
from tests.validation.test_engine import documents

pytestmark = pytest.mark.slow
EVIL = (
    "</td></table><script src='https://evil.example/x.js'></script><img src=//evil.example/y "
    "onerror=alert(1)>{{section_id}} $x"
)


class References(HTMLParser):
    """Collects the tags, what they refer to, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.targets: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.targets += [
            value or ""
            for name, value in attrs
            if name in ("src", "href", "srcset", "action", "data")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(page: Path) -> References:
    found = References()
    found.feed(page.read_text(encoding="utf-8"))
    return found


def verdict() -> ValidationVerdict:
    pattern = EVIL.replace("(", "").replace(")", "")
    tests = [
        Expectation(
            type="expect_column_values_to_match_regex", options={"column": "text", "regex": pattern}
        ),
        Expectation(
            type="expect_column_values_to_be_in_set",
            options={"column": "uri", "value_set": [EVIL]},
            where={"text": EVIL},
        ),
        Expectation(
            type="expect_column_most_common_value_to_be_in_set",
            options={"column": "text", "value_set": ["a"]},
        ),
        Expectation(
            type="expect_column_mean_to_be_between",
            options={"column": "characters", "max_value": 3},
        ),
        Expectation(
            type="expect_column_distinct_values_to_equal_set",
            options={"column": "text", "value_set": ["a"]},
        ),
        Expectation(
            type="expect_column_values_to_not_be_null",
            options={"column": "title", "mostly": 0.5},
            severity="warning",
        ),
    ]
    shards = [
        validate(documents({"text": EVIL, "uri": EVIL}, {"text": "x" * 500}), tests, "documents")
        for _ in range(2)
    ]
    return combine(shards)


@pytest.mark.parametrize("name", ["handbook v3", f"v4 {EVIL}"])
def test_a_page_refers_to_no_other_host_and_shows_evil_text_as_text(
    tmp_path: Path, name: str
) -> None:
    page = write_docs(tmp_path, name, [verdict(), ValidationVerdict(kind="chunks", rows=7)])
    assert page.parent == tmp_path / "docs"
    for path in (page, page.parent / "index.html"):
        found = parsed(path)
        assert {"script", "img", "link", "iframe"}.isdisjoint(found.tags)
        assert [target for target in found.targets if "//" in target] == []
        assert name in found.text
        assert not re.search(r"url\(|@import", path.read_text(encoding="utf-8"))
    text = parsed(page).text
    assert text.count("evil.example/x.js") > 3
    assert "(500 characters)" in text
    assert "An unexpected Exception" not in text


def test_findings_are_said_in_words_with_their_numbers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = parsed(write_docs(tmp_path, "handbook v3", [verdict()])).text
    assert (
        "expected `title` values to not be null (mostly: 0.5): 4 of 4 rows failed, 50.00% may"
        in text
    )
    assert "blocks" in text
    assert "4 unexpected values found" in text
    assert capfd.readouterr() == ("", "")


def test_a_page_says_of_documents_in_quarantine_that_no_table_counts(tmp_path: Path) -> None:
    rows = [ValidationVerdict(kind="documents", rows=1)]
    held = parsed(write_docs(tmp_path, "v1", rows, {"collect": 1200, "chunk": 1})).text
    assert "1,201 documents were in quarantine" in held
    assert "1,200 at collect, 1 at chunk" in held
    assert "in quarantine when" not in parsed(write_docs(tmp_path, "v2", rows)).text


def test_the_index_lists_every_build_newest_first_and_pages_stay_apart(tmp_path: Path) -> None:
    names = ["handbook v1", "handbook v2", "handbook/v2", "index", "…"]
    pages = [
        write_docs(tmp_path, name, [ValidationVerdict(kind="documents", rows=1)]) for name in names
    ]
    assert len(set(pages)) == len(names)
    index = parsed(tmp_path / "docs" / "index.html")
    assert [index.text.index(name) for name in reversed(names)] == sorted(
        index.text.index(name) for name in names
    )
    assert {target for target in index.targets if target != "index.html"} == {
        page.name for page in pages
    }
    write_docs(tmp_path, "handbook v1", [ValidationVerdict(kind="documents", rows=5)])
    assert parsed(tmp_path / "docs" / "index.html").text.count("handbook v1") == 1
