"""How the structure of Markdown becomes chunks."""

import pytest

from llmops.tasks.plugins.chunkers._cutting.measured import outline
from llmops.tasks.plugins.chunkers.markdown import MarkdownChunker
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from tests.plugins.chunkers import texts

SECTIONS = "\n\n".join(
    f"# Chapter {number}\n\n" + f"Sentence {number} of it has eight words here. " * 18
    for number in range(9)
)


def cut(
    text: str, size: int = 200, overlap: int = 20, title: str | None = None
) -> list[tuple[str, str]]:
    spans = MarkdownChunker(size=size, overlap=overlap).split(
        text, markup="markdown", title=title, tokenizer=HashEmbedder()
    )
    return [(text[span.start : span.end], span.context) for span in spans]


def test_headings_are_found_outside_of_code() -> None:
    found = [(heading.level, heading.text) for heading in outline(texts.MARKDOWN).headings]
    assert found == [(1, "Install"), (2, "Linux"), (2, "Setext heading"), (3, "Deep"), (1, "Use")]


@pytest.mark.parametrize(
    "text",
    [
        "#no space",
        "    # indented code",
        "~~~\n# code\n~~~",
        "```\n# never closed",
        "| a |\n---",
        "- item\n---",
        "\n---\n",
        "text\n\n===",
    ],
)
def test_what_looks_like_a_heading_is_none(text: str) -> None:
    assert outline(text).headings == ()


def test_a_section_of_the_right_size_is_a_chunk() -> None:
    chunks = cut(SECTIONS)
    assert [text.split("\n")[0] for text, _ in chunks] == [
        f"# Chapter {number}" for number in range(9)
    ]


def test_the_context_is_title_and_headings() -> None:
    contexts = [context for _, context in cut(texts.MARKDOWN, 8, 0, "Guide")]
    assert "Guide > Install > Setext heading > Deep" in contexts
    assert contexts[-1] == "Guide > Use"
    assert cut(texts.MARKDOWN, 8, 0, "Install")[0][1] == "Install"


def test_a_heading_stays_with_what_follows_it() -> None:
    chunks = cut(SECTIONS, 60, 8)
    assert not [text for text, _ in chunks if text.rstrip().split("\n")[-1].startswith("#")]


def test_code_and_tables_stay_whole_where_they_fit() -> None:
    code = "```python\n" + "\n".join(f"value_{line} = {line}" for line in range(20)) + "\n```"
    table = "\n".join(
        ["| a | b |", "|---|---|", *(f"| {row} | {row * row} |" for row in range(12))]
    )
    text = "\n\n".join(
        [texts.english(2500), code, texts.english(5000)[2500:], table, texts.english(8000)[5000:]]
    )
    chunks = [chunk for chunk, _ in cut(text)]
    assert any(code in chunk for chunk in chunks)
    assert any(table in chunk for chunk in chunks)


def test_plain_text_has_no_sections() -> None:
    spans = MarkdownChunker(size=8, overlap=0).split(
        texts.MARKDOWN, markup="plain", title="T", tokenizer=HashEmbedder()
    )
    assert {(span.context, span.headings) for span in spans} == {("T", ())}
