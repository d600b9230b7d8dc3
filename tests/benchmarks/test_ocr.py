"""The measures of the benchmark of text recognition."""

import pytest

from benchmarks.ocr import distance, found, letters


@pytest.mark.parametrize(
    ("first", "second", "edits"),
    [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("abc", "abc", 0), ("ab", "ba", 2)],
)
def test_distance(first: str, second: str, edits: int) -> None:
    assert (distance(first, second), distance(second, first)) == (edits, edits)


def test_what_is_compared() -> None:
    assert letters("## A  b\n| --- |\n") == "ab"
    assert found("one two two", "Two one") == pytest.approx(2 / 3)
