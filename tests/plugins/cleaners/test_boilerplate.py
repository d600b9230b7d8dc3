"""The cleaner `boilerplate`: what many documents share goes from their edges, what they are about
stays.
"""

import os
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners import Cleaner, Document, Sketched
from llmops.tasks.plugins.cleaners.boilerplate import FLAG, BoilerplateCleaner

NAV = "Home\nProducts\n[Sign in](/login)\n\n"
FOOT = (
    "\n\nWas this page helpful?\nYes\nNo\n\n## Stay in touch\n\nSubscribe to our newsletter "
    "once a month.\nPage {} of 300\n"
)


LINES = (
    "nav",
    "Home",
    "",
    "# Title",
    "a longer line that is shared",
    "own {}",
    "```",
    "\f",
    "| x |",
    "foot 1",
    "foot 2",
)


def body(number: int) -> str:
    chance = random.Random(number)
    return "\n".join(
        " ".join(chance.choices(["river", "lamp", "stone", "winter", "salt", "mirror"], k=9))
        + f" {chance.random()}.".replace("0", "o")
        for _ in range(12)
    )


def lines(text: str) -> Counter[str]:
    return Counter(line for line in re.split("[\n\f]", text) if line)


def cleaned(
    texts: dict[str, str],
    markup: str = "markdown",
    sources: dict[str, str] | None = None,
    **options: Any,
) -> dict[str, Document]:
    cleaner = BoilerplateCleaner(**options)
    documents = {uri: Document(text=text, markup=markup) for uri, text in texts.items()}
    judged = cleaner.judge(
        [
            Sketched(
                doc_id=uri,
                source=(sources or {}).get(uri, "s"),
                uri=uri,
                sketch=cleaner.sketch(document),
            )
            for uri, document in documents.items()
        ]
    )
    return {
        uri: cleaner.settle(document, judged[uri].note) if uri in judged else document
        for uri, document in documents.items()
    }


def many(make: Any, count: int = 12) -> dict[str, str]:
    return {f"d{number}": make(number) for number in range(count)}


def test_navigation_and_footers_go_and_the_rest_is_as_it_was() -> None:
    found = cleaned(
        many(lambda n: NAV + f"# Page about {body(n)[:20]}\n\n{body(n)}" + FOOT.format(n))
    )
    assert {uri: one.text for uri, one in found.items()} == many(
        lambda n: f"# Page about {body(n)[:20]}\n\n{body(n)}"
    )


@pytest.mark.parametrize(
    "shared",
    [
        "}",
        "---",
        "* * *",
        "```",
        "Example:\n\n    print(1)",
        "| a | b |\n|---|---|",
        "    return None",
        "12",
        "</Tip>",
        "```python\nimport os\n```",
        "## See also",
    ],
)
def test_what_is_structure_code_or_table_stays(shared: str) -> None:
    texts = many(lambda n: f"{body(n)}\n\n{shared}\n\n{body(n + 100)}")
    assert {uri: one.text for uri, one in cleaned(texts, where="anywhere").items()} == texts


def test_a_heading_goes_only_where_nothing_is_left_below_it() -> None:
    found = cleaned(
        many(
            lambda n: (
                f"## Overview\n\n{body(n)}\n\n## Legal notice\n\nAll rights are reserved "
                f"by the makers.\n"
            )
        )
    )
    assert {uri: one.text for uri, one in found.items()} == many(
        lambda n: f"## Overview\n\n{body(n)}"
    )


def test_headers_and_footers_of_pages_go_from_each_page() -> None:
    def paged(
        n: int, top: str = "ACME manual, confidential\n", end: str = "\nPage {} of 9, ACME\n"
    ) -> str:
        return "\f".join(f"{top}{body(n * 10 + page)}{end.format(page)}" for page in range(3))

    found = cleaned(many(paged), markup="plain")
    assert {uri: one.text for uri, one in found.items()} == many(lambda n: paged(n, "", ""))


def test_in_the_middle_only_long_lines_go_and_only_when_that_is_wanted() -> None:
    banner = "We use cookies to make this site better for you."
    texts = many(
        lambda n: (
            "\n".join(body(n * 10 + part) for part in range(5))
            + f"\n{banner}\nOK\n"
            + "\n".join(body(n * 10 + part) for part in range(5, 10))
        )
    )
    assert {uri: one.text for uri, one in cleaned(texts).items()} == texts
    anywhere = cleaned(texts, where="anywhere")
    assert not any(banner in one.text for one in anywhere.values())
    assert all("\nOK\n" in one.text for one in anywhere.values())


def test_a_line_counts_within_its_source_or_across_all() -> None:
    texts = many(lambda n: body(n) + ("\n\nThe makers of lamps." if n < 12 else ""), 24)
    sources = {f"d{n}": "site" if n < 12 else "files" for n in range(24)}
    assert not any(
        "makers" in one.text for one in cleaned(texts, sources=sources, share=0.6).values()
    )
    assert {
        uri: one.text
        for uri, one in cleaned(texts, sources=sources, share=0.6, across="all").items()
    } == texts


def test_few_documents_and_rare_lines_are_left_alone() -> None:
    texts = many(lambda n: body(n) + "\n\nThe makers of lamps.", 9)
    assert {uri: one.text for uri, one in cleaned(texts).items()} == texts
    rare = many(lambda n: body(n) + ("\n\nThe makers of lamps." if n < 5 else ""))
    assert {uri: one.text for uri, one in cleaned(rare).items()} == rare


def test_versions_of_one_document_and_pages_of_nothing_else_are_left_whole_and_say_so() -> None:
    versions = many(lambda n: f"{body(1)}\nThis is edition {'abcdefghijkl'[n]} of it.")
    found = cleaned(versions)
    assert {uri: one.text for uri, one in found.items()} == versions
    assert all(one.metadata["flags"] == [FLAG] for one in found.values())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(LINES), max_size=16), min_size=10, max_size=12),
    st.booleans(),
    st.randoms(),
)
def test_cleaning_twice_is_cleaning_once_whatever_the_order(
    made: list[list[str]], anywhere: bool, chance: random.Random
) -> None:
    texts = {f"d{n}": "\n".join(rows).replace("{}", str(n)) for n, rows in enumerate(made)}
    cleaner = BoilerplateCleaner(where="anywhere" if anywhere else "edges", most=1)
    sketches = [
        Sketched(doc_id=uri, source="s", uri=uri, sketch=cleaner.sketch(Document(text=text)))
        for uri, text in texts.items()
    ]
    judged = cleaner.judge(sketches)
    chance.shuffle(sketches)
    assert cleaner.judge(sketches) == judged
    for uri, verdict in judged.items():
        once = cleaner.settle(Document(text=texts[uri]), verdict.note)
        assert cleaner.settle(once, verdict.note) == once
        assert once.text.count("\f") == texts[uri].count("\f")
        assert not lines(once.text) - lines(texts[uri])


@pytest.mark.parametrize(
    "options",
    [{"share": 0}, {"share": 1.5}, {"min_documents": 1}, {"where": "middle"}, {"across": "site"}],
)
def test_mistakes_are_found_when_the_config_is_read(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BoilerplateCleaner.model_validate(options)


def test_it_is_found_by_name() -> None:
    assert isinstance(Spec(name="boilerplate").build(Cleaner), BoilerplateCleaner)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "pattern"),
    [("fastapi-docs/docs/en/docs", "*.md"), ("dify-docs/en", "*.mdx"), ("dify-docs/zh", "*.mdx")],
)
def test_real_documentation_loses_nothing_of_its_own(folder: str, pattern: str) -> None:
    data = os.environ.get("LLMOPS_BENCH_DATA")
    if not data:
        pytest.skip("LLMOPS_BENCH_DATA is not set: the folder of benchmark data")
    texts = {str(path): path.read_text() for path in sorted((Path(data) / folder).rglob(pattern))}
    assert {uri: one.text for uri, one in cleaned(texts).items()} == texts
    dressed = {
        uri: NAV + text.rstrip("\n") + FOOT.format(n) for n, (uri, text) in enumerate(texts.items())
    }
    found = cleaned(dressed)
    whole = [uri for uri, one in found.items() if FLAG in one.metadata.get("flags", ())]
    assert len(whole) <= 0.02 * len(texts)
    assert {uri: one.text.strip() for uri, one in found.items() if uri not in whole} == {
        uri: text.strip() for uri, text in texts.items() if uri not in whole
    }
