"""Questions put together by what they are about."""

import numpy as np
import pytest

from llmops.tasks.schemas import Vectors
from llmops.tasks.statistics.topics import topics, unlike


def points(*degrees: float) -> Vectors:
    turned = np.radians(np.asarray(degrees))
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("asked", "seen", "rows"),
    [
        (points(0, 90), points(), [0, 1]),
        (points(0, 59, 61), points(0), [2]),
        (points(0, 90), points(5, 95), []),
        (points(), points(0), []),
    ],
)
def test_what_is_like_nothing_that_was_seen(asked: Vectors, seen: Vectors, rows: list[int]) -> None:
    assert unlike(asked.reshape(-1, 2), seen.reshape(-1, 2)) == rows


def test_topics_come_by_size_each_with_the_question_that_is_most_like_the_others() -> None:
    asked = points(200, 0, 10, 20, 100, 110)
    assert [topic.members[0] for topic in topics(asked)] == [2, 4, 0]
    assert [len(topic.members) for topic in topics(asked)] == [3, 2, 1]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_questions_are_topics_too(count: int) -> None:
    assert [topic.members for topic in topics(points(*range(0, 180 * count, 180)))] == [
        (row,) for row in range(count)
    ]


def test_equal_questions_are_one_topic() -> None:
    assert [topic.members for topic in topics(points(30, 30, 30))] == [(0, 1, 2)]
