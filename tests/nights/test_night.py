"""What a night says of its parts."""

from pathlib import Path

import pytest

from llmops.tasks.errors import ConfigError, Mistake, Unavailable
from llmops.tasks.nights.night import NightPart, broken, night_of, part_of, skipped
from llmops.tasks.nights.summary import summary_markdown

FILE = Path("handbook.yaml")


def build(status: str, **values: object) -> NightPart:
    return part_of("index", "handbook", FILE, {"status": status, "version": 3, **values})


def verdict(word: str, **values: object) -> NightPart:
    return part_of("evaluate", "desk", FILE, {"verdict": word, "status": "decided", **values})


@pytest.mark.parametrize(
    ("part", "code", "failed"),
    [
        (build("published"), 0, False),
        (build("unchanged"), 0, False),
        (build("blocked", reason="the gate says rejected"), 3, True),
        (build("failed", reason="too many"), 4, True),
        (verdict("promote"), 0, False),
        (verdict("reject"), 3, False),  # a decision, not a failure
        (verdict("inconclusive"), 5, False),
        (verdict("inconclusive", status="failed"), 4, True),
        (part_of("score", "desk", FILE, {"status": "scored"}), 0, False),
        (part_of("score", "desk", FILE, {"status": "incomplete"}), 0, False),
        (part_of("score", "desk", FILE, {}), 1, True),
        (part_of("feedback", "desk", FILE, {"status": "changed"}), 0, False),
        (part_of("feedback", "desk", FILE, {"status": "incomplete"}), 0, False),
        (part_of("feedback", "desk", FILE, {}), 1, True),
        (part_of("prune", "desk", FILE, {"status": "pruned"}), 0, False),
        (part_of("prune", "desk", FILE, {"status": "unfinished"}), 1, True),
        (part_of("maintain", "desk", FILE, {"status": "completed"}), 0, False),
        (part_of("maintain", "desk", FILE, {"status": "parts_failed"}), 1, True),
        (broken("index", "handbook", FILE, Unavailable("no network")), 1, True),
        (broken("index", "handbook", FILE, ConfigError([Mistake("wrong")])), 2, True),
        (broken("index", "handbook", FILE, KeyError("x")), 1, True),
        (skipped("evaluate", "desk", FILE, "handbook has no version yet"), 1, True),
    ],
)
def test_a_part_keeps_the_exit_code_of_its_own_flow(
    part: NightPart, code: int, failed: bool
) -> None:
    assert (part.exit_code, part.failed) == (code, failed)


def test_a_config_that_is_wrong_says_all_its_mistakes_once() -> None:
    mistakes = [Mistake("unknown key", "a.yaml: x", "did you mean y?"), Mistake("too small", "b")]
    part = broken("index", "handbook", FILE, ConfigError(mistakes))
    assert (part.headline, part.hint) == ("a.yaml: x: unknown key", "did you mean y?")
    assert part.notes == ["b: too small"]


ERROR = broken("evaluate", "desk", FILE, Unavailable("no network"))


@pytest.mark.parametrize(
    ("parts", "status", "code", "headline"),
    [
        (
            [build("published"), verdict("promote")],
            "completed",
            0,
            "office: 2 of 2 parts done: handbook published, desk promote",
        ),
        (
            [build("unchanged"), verdict("inconclusive"), verdict("reject")],
            "completed",
            3,
            "office: 3 of 3 parts done: handbook unchanged, desk inconclusive, desk reject",
        ),
        (
            [build("blocked", reason="the gate says rejected: worse"), verdict("inconclusive")],
            "parts_failed",
            3,
            "office: 1 of 2 parts failed: index handbook: the gate says rejected: worse",
        ),
        (
            [build("failed", reason="5 of 9 failed"), ERROR],
            "failed",
            1,
            "office: 2 of 2 parts failed: index handbook: 5 of 9 failed; also desk",
        ),
    ],
)
def test_the_worst_part_and_the_first_failure_speak_for_the_night(
    parts: list[NightPart], status: str, code: int, headline: str
) -> None:
    night = night_of("office", parts, None, 1.0)
    assert (night.status, night.exit_code, night.headline) == (status, code, headline)
    assert (
        night.failed
        == {"completed": None, "parts_failed": "PartsFailed", "failed": "Failed"}[status]
    )


def test_what_a_night_costs_is_what_its_parts_cost() -> None:
    arms = {"a": {"cost_usd": 0.25}, "b": {"cost_usd": 0.5}}
    night = night_of(
        "office", [build("published", cost_usd=1.0), verdict("reject", arms=arms)], None, 1
    )
    assert night.cost_usd == 1.75


def test_the_summary_shows_what_parts_say_as_text() -> None:
    notes = ["<script>alert(1)</script> | a cell"]
    links = {"prefect": "http://127.0.0.1/run", "report": "file:///tmp/x", "odd": "http://a b"}
    part = build("blocked", reason="# no *heading*", warnings=notes, links=links)
    text = summary_markdown(night_of("office", [part], None, 1.0))
    assert "<script>" not in text
    assert r"\# no \*heading\*" in text
    assert r"\| a cell" in text
    assert "[prefect](<http://127.0.0.1/run>)" in text
    assert "file:///" not in text
    assert "a b" not in text
