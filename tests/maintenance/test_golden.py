"""A golden set, cases and a plan against what is live and against what the sources list."""

import json
from pathlib import Path

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.evaluation.stale import case_warnings
from llmops.tasks.knowledge.absent import absent
from llmops.tasks.knowledge.planner import dry_run
from llmops.tasks.maintenance.golden import check_golden, stale_questions
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Case
from llmops.tasks.retrieval.golden import read_golden
from tests.workshop import TEXTS, Workshop

NEXT = {uri: text for uri, text in TEXTS.items() if uri != "d0.txt"} | {"new.txt": "It is new."}


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    file = tmp_path / "golden.jsonl"
    asked = {"a": "d0.txt", "b": "d1.txt", "c": "new.txt", "d": "never.txt"}
    rows = [
        {"id": key, "question": "Which?", "relevant": [{"uri": uri}]} for key, uri in asked.items()
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, Spec(name="lancedb"))


def test_a_golden_set_is_compared_with_the_live_version_and_with_the_next(
    shop: Workshop, golden: Path
) -> None:
    shop.build(TEXTS)
    specs, questions = shop.specs(NEXT), read_golden(golden)
    live = check_golden(shop.handle, specs, questions, "golden.jsonl", sources=False)
    assert (live["knowledge_base"], live["version"]) == ("shop", 1)
    assert [(lost["id"], lost["listed"]) for lost in live["missing"]] == [("c", None), ("d", None)]
    assert live["leaving"] == []
    both = check_golden(shop.handle, specs, questions, "golden.jsonl", sources=True)
    assert [(lost["id"], lost["listed"]) for lost in both["missing"]] == [("c", True), ("d", False)]
    assert [lost["id"] for lost in both["leaving"]] == ["a"]
    assert shop.live.version == 1
    assert stale_questions(shop.handle, [golden]) == [
        "the golden set names 2 documents that version 1 of 'shop' does not have, such as "
        "'new.txt' (question 'c')"
    ]


def test_of_a_renamed_document_the_new_name_is_told(shop: Workshop, golden: Path) -> None:
    shop.build(TEXTS)
    shop.build({"moved.txt" if uri == "d0.txt" else uri: text for uri, text in TEXTS.items()})
    [warning] = stale_questions(shop.handle, [golden])
    assert warning.endswith("'d0.txt' (question 'a'; its text is now in 'moved.txt')")


def test_before_the_first_build_the_sources_alone_can_be_asked(
    shop: Workshop, golden: Path
) -> None:
    specs, questions = shop.specs(NEXT), read_golden(golden)
    with pytest.raises(UsageError, match="published"):
        check_golden(shop.handle, specs, questions, "g", sources=False)
    found = check_golden(shop.handle, specs, questions, "g", sources=True)
    assert (found["version"], [lost["id"] for lost in found["missing"]]) == (None, ["a", "d"])
    assert stale_questions(shop.handle, [golden]) == []


def test_sources_that_cannot_be_listed_are_a_warning(shop: Workshop, golden: Path) -> None:
    shop.build(TEXTS)
    gone = Spec(name="files", options={"path": str(shop.folder / "gone")})
    specs = shop.specs({}).model_copy(update={"sources": (gone,)})
    found = check_golden(shop.handle, specs, read_golden(golden), "g", sources=True)
    assert [lost["id"] for lost in found["missing"]] == ["c", "d"]
    assert "the sources cannot be listed" in found["warnings"][0]


def test_cases_that_expect_what_is_not_there_are_counted_per_base(shop: Workshop) -> None:
    shop.build(TEXTS)
    cases = [
        Case(id="1", inputs={}, expected={"uris": ["d1.txt", "old.txt"]}),
        Case(id="2", inputs={}, expected={"uris": ["old.txt", "older.txt"]}),
        Case(id="3", inputs={}, expected={"uris": "d1.txt"}),  # a scorer's mistake, not this one's
        Case(id="4", inputs={}),
    ]
    (warning,) = case_warnings(shop.home, cases, [("shop", 1), ("shop", 1)])
    assert warning == (
        "the cases name 2 documents that version 1 of 'shop' does not have, such as "
        "'old.txt' (case '1')"
    )
    assert case_warnings(shop.home, cases[3:], [("shop", 1)]) == []
    many = [f"x{n}" for n in range(1200)]
    assert absent(shop.handle, 1, ["d1.txt", *many, "d2.txt"]) == many


@pytest.mark.parametrize(
    ("fraction", "allowed", "says"), [(0.1, False, True), (0.1, True, False), (0.9, False, False)]
)
def test_a_plan_names_the_guard_that_would_stop_the_run(
    shop: Workshop, fraction: float, allowed: bool, says: bool
) -> None:
    shop.build(TEXTS)
    few = {uri: TEXTS[uri] for uri in ("d0.txt", "d1.txt", "d2.txt")}
    outcome = dry_run(
        shop.handle,
        shop.specs(few),
        full=False,
        max_delete_fraction=fraction,
        allow_deletes=allowed,
    )
    assert outcome["status"] == "planned"
    told = [each for each in outcome["warnings"] if "the run would be blocked" in each]
    assert bool(told) == says
    assert not says or "3 of 6 documents have vanished" in told[0]
    assert not says or "--allow-deletes" in told[0]
