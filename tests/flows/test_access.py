"""Declared fields and access labels through a build: what a search may see, in every mode, and what
a change of them costs.
"""

import json
from typing import Any, cast

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.knowledge.reading import allowed, searcher
from llmops.tasks.retrieval.hybrid import MODES
from tests.laboratory import Laboratory

pytestmark = pytest.mark.slow

ROWS: list[dict[str, Any]] = [
    {"id": "menu", "text": "The canteen menu lists soup and the salary of nobody.", "year": 2023},
    {
        "id": "pay",
        "text": "The salary table lists the salary of everybody.",
        "year": 2024,
        "groups": ["hr", "board"],
    },
    {
        "id": "plan",
        "text": "The board plans a salary cut next spring.",
        "year": 2025,
        "groups": ["board"],
    },
]
SOURCE = {"name": "jsonl", "path": "rows.jsonl", "metadata": ["year", "groups"]}
RULES: dict[str, Any] = {
    "sources": [SOURCE],
    "fields": {"year": "integer"},
    "access": {"field": "groups"},
}


def write(lab: Laboratory, rows: list[dict[str, Any]]) -> None:
    (lab.folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def found(lab: Laboratory, where: str = "", *labels: str) -> list[set[str]]:
    """The uris that a search finds, in each mode."""
    live = lab.handle.published()
    reader = searcher(lab.home, live, allowed(live, where, labels))
    return [set(reader.search("salary of everybody", 50, cast(Any, mode))["uri"]) for mode in MODES]


def test_labels_never_leak_and_conditions_narrow(lab: Laboratory) -> None:
    write(lab, ROWS)
    assert lab.build(**RULES).status == "published"
    assert found(lab) == [{"menu"}] * 3
    assert found(lab, "", "hr") == [{"menu", "pay"}] * 3
    assert found(lab, "", "board", "nobody") == [{"menu", "pay", "plan"}] * 3
    assert found(lab, "year >= 2024", "board") == [{"pay", "plan"}] * 3
    for wide in ("not year = 1", "year is missing or year > 0", 'uri in ("pay", "plan", "menu")'):
        assert found(lab, wide) == [{"menu"}] * 3
    live = lab.handle.published()
    with pytest.raises(UsageError, match="labels are not part of a condition"):
        allowed(live, 'labels contains "hr"', [])


def test_a_change_of_labels_or_fields_takes_effect_and_pays_nothing(lab: Laboratory) -> None:
    def rebuilt(**rules: Any) -> None:
        outcome = lab.build(**RULES | rules)
        assert (outcome.status, outcome.embeddings["computed"]) == ("published", 0)

    write(lab, ROWS)
    lab.build(**RULES)
    write(lab, [{**ROWS[0], "groups": ["kitchen"]}, *ROWS[1:]])
    rebuilt()
    assert found(lab) == [set()] * 3
    rebuilt(sources=[{**SOURCE, "labels": ["staff"]}], access={})
    assert found(lab) == [set()] * 3
    assert found(lab, "", "staff") == [{"menu", "pay", "plan"}] * 3
    rebuilt(fields={"year": "integer", "groups": "texts"})
    assert found(lab, 'groups contains "board"', "board") == [{"pay", "plan"}] * 3
    assert lab.verified()


def test_labels_that_cannot_be_read_are_never_public(lab: Laboratory) -> None:
    write(
        lab,
        [
            *ROWS,
            {"id": "odd", "text": "The salary of everybody, oddly labelled.", "groups": {"hr": 1}},
        ],
    )
    outcome = lab.build(**RULES, limits={"failure_budget": 1.0})
    assert outcome.documents["quarantined"] == 1
    assert found(lab, "", "hr", "board") == [{"menu", "pay", "plan"}] * 3


@pytest.mark.parametrize(
    "change",
    [
        {"groups": [7]},
        {"groups": ["board"], "year": "soon"},
        {"groups": ["board"], "text": "\u200b"},
    ],
)
def test_an_old_form_that_more_may_see_does_not_outlive_a_failure(
    lab: Laboratory, change: dict[str, Any]
) -> None:
    """What was public, is not any more, and cannot be indexed in its new form, is withdrawn; what
    failed otherwise stays.
    """
    write(lab, ROWS)
    lab.build(**RULES)
    write(lab, [{**ROWS[0], **change}, {**ROWS[1], "year": "soon"}, ROWS[2]])
    outcome = lab.build(**RULES, limits={"failure_budget": 1.0})
    assert outcome.status == "published"
    assert found(lab, "", "board") == [{"pay", "plan"}] * 3
    assert any("withdrawn" in warning and "menu" in warning for warning in outcome.warnings)
    assert (outcome.documents["retired"], lab.verified()) == (1, True)
    again = lab.build(**RULES, limits={"failure_budget": 1.0})
    assert (again.status, found(lab, "", "board")) == ("unchanged", [{"pay", "plan"}] * 3)
    write(lab, ROWS)
    assert lab.build(**RULES).status == "published"
    assert found(lab) == [{"menu"}] * 3
