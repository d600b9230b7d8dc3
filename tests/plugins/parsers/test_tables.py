"""Each cell of a table is found again in its row and under its header, whatever the format."""

import pytest

from benchmarks.table_cases import Case
from benchmarks.table_files import FORMATS, files
from benchmarks.tables import measured
from llmops.tasks.plugins.parsers import parse

READ = [
    pytest.param(case, name, data, id=name)
    for kind, name, case, data in files()
    if kind != "PDF, without lines" and case.name != "nested"
]


@pytest.mark.parametrize(("case", "name", "data"), READ)
def test_every_cell_is_found_and_none_elsewhere(case: Case, name: str, data: bytes) -> None:
    score = measured(case, parse(data, name).text)
    assert score.facts > 0
    assert (score.found, score.right) == (score.facts, score.values)


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "PDF, without lines"])
def test_a_piece_of_a_long_table_says_what_its_values_are(kind: str) -> None:
    scores = [
        measured(case, parse(data, name).text)
        for which, name, case, data in files()
        if which == kind and case.name.startswith("long")
    ]
    assert len(scores) == 2
    assert all(score.in_chunks >= 0.95 * score.facts for score in scores)
