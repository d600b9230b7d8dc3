"""The text of a passage: headings are headings, what is marked is marked, all else is text."""

import pytest

from llmops.deployments.app.page.passage_text import shown_parts, shown_passage
from llmops.tasks.texts.highlights import MarkedPart

LINE = '<strong class="headline">{}</strong>'


@pytest.mark.parametrize(
    ("text", "marks", "shown"),
    [
        ("# A\n\nBe *b*.", [], LINE.format("A") + "\n\nBe *b*."),
        ("x\n## A #\nb", [(0, 1)], "<mark>x</mark>\n" + LINE.format("A") + "\nb"),
        ("## A\nb c", [(0, 6)], LINE.format("<mark>A</mark>") + "<mark>\nb</mark> c"),
        ("# <script>x</script>", [], LINE.format("&lt;script&gt;x&lt;/script&gt;")),
        ("#tag #\n####### seven", [], "#tag #\n####### seven"),
        ("C # <b>", [(0, 7)], "<mark>C # &lt;b&gt;</mark>"),
        ("#\n# \n", [], "#\n# \n"),
    ],
)
def test_headings_are_shown_and_nothing_else_is_markup(
    text: str, marks: list[tuple[int, int]], shown: str
) -> None:
    assert shown_passage(text, marks) == shown


def test_parts_are_marked_as_they_were_told() -> None:
    parts = [MarkedPart("# The ", hit=False), MarkedPart("tower", hit=True)]
    assert shown_parts(parts) == LINE.format("The <mark>tower</mark>")
