"""Highlights: the words that a question has, as the full-text search compares them."""

from itertools import pairwise

import pytest

from llmops.tasks.texts.highlights import highlighted


@pytest.mark.parametrize(
    ("text", "question", "hits"),
    [
        ("The tower stands in Paris.", "Which towers stand?", ["tower stands"]),
        ("The tower, it stands.", "towers stand", ["tower", "stands"]),
        ("Use os.path.join here", "join", ["os.path.join"]),
        ("东京铁塔高三百米", "铁塔", ["铁塔"]),
        ("東京の塔", "塔", ["塔"]),
        ("برج‌ها بلند هستند", "برج", ["برج"]),
        ("<script>alert(1)</script>", "script", ["script", "script"]),
        ("## Towers\n\nstand. Towers\n", "towers", ["Towers", "Towers"]),
        ("nothing of it", "else", []),
        ("", "x", []),
        ("anything", "", []),
    ],
)
def test_what_is_found_is_marked(text: str, question: str, hits: list[str]) -> None:
    parts = highlighted(text, question)
    assert "".join(part.text for part in parts) == text
    assert [part.text for part in parts if part.hit] == hits
    assert all(one.hit != other.hit for one, other in pairwise(parts))
