"""Which answers of an application become rows, and how they look then."""

from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.collectors import Collector
from tests.plugins.collectors.context import GivenContext, answer, collected, rows_of

ANSWERS = (
    answer("liked", 1.0),
    answer("disliked", 0.0),
    answer("both", 0.5),
    answer("unrated", grounded=0.9),
    answer("loose", 1.0, grounded=0.2),
)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({}, ["liked", "disliked", "both", "unrated", "loose"]),
        ({"feedback": "up"}, ["liked", "loose"]),
        ({"feedback": "down"}, ["disliked"]),
        ({"feedback": "none"}, ["unrated"]),
        ({"feedback": "rated"}, ["liked", "disliked", "both", "loose"]),
        ({"score": {"grounded": 0.8}}, ["unrated"]),
    ],
)
def test_answers_are_chosen_by_what_was_said_of_them(
    options: dict[str, Any], ids: list[str]
) -> None:
    found = collected("traces", GivenContext(answers=ANSWERS), app="helpdesk", **options)
    assert [row.id for row in rows_of(found)] == ids


def test_a_row_is_what_was_really_sent() -> None:
    [row] = rows_of(collected("traces", GivenContext(answers=[answer("t", 1.0)]), app="helpdesk"))
    assert [(each.role, each.content) for each in row.messages] == [
        ("system", "Be short."),
        ("user", "Q"),
        ("assistant", "A"),
    ]
    assert (row.score, row.group, row.lineage["trace_id"]) == (1.0, "conversation of t", "t")


@pytest.mark.parametrize(("since", "days"), [("12h", 0.5), ("30d", 30), ("2w", 14), ("1.5d", 1.5)])
def test_since_is_hours_days_or_weeks(since: str, days: float) -> None:
    built = Spec(name="traces", options={"app": "a", "since": since}).build(Collector)
    assert getattr(built, "days") == days  # noqa: B009 - of this plugin alone


@pytest.mark.parametrize("since", ["30", "soon", "-1d", "3y"])
def test_another_since_is_refused(since: str) -> None:
    with pytest.raises(ValidationError):
        Spec(name="traces", options={"app": "a", "since": since}).build(Collector)


def test_parts_are_of_two_hundred() -> None:
    answers = [answer(f"t{n}") for n in range(450)]
    built = Spec(name="traces", options={"app": "a"}).build(Collector)
    parts = built.parts(GivenContext(answers=answers))
    assert [len(each.split()) for each in parts] == [200, 200, 50]
