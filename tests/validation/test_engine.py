"""Verdicts of the real Great Expectations on frames with Arrow dtypes."""

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llmops.tasks.errors import ConfigError
from llmops.tasks.schemas import CHUNKS, DOCUMENTS, frame
from llmops.tasks.validation import (
    Expectation,
    Suite,
    ValidationVerdict,
    combine,
    judge,
    looked_at,
    read_suite,
    validate,
)
from llmops.tasks.validation.catalogue import ROW, TABLE, TYPES

pytestmark = pytest.mark.slow
DEFAULT = Path(__file__).resolve().parents[2] / "configs" / "expectations" / "default.yaml"
NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


def documents(*rows: dict[str, Any]) -> pd.DataFrame:
    plain = {
        "source": "files",
        "title": None,
        "text": "Some text.",
        "markup": "plain",
        "media_type": "text/plain",
        "language": "en",
        "content_hash": "a" * 64,
        "metadata": "{}",
        "revision": "",
        "fetched_at": NOW,
    }
    return frame(
        [
            {"doc_id": f"d{number}", "uri": f"{number}.md", **plain, **row}
            for number, row in enumerate(rows)
        ],
        DOCUMENTS,
    )


def chunks(*rows: dict[str, Any]) -> pd.DataFrame:
    plain = {
        "doc_id": "d",
        "text": "Some text.",
        "start": 0,
        "end": 10,
        "tokens": 3,
        "headings": ["A"],
        "page": None,
        "context": "",
    }
    return frame(
        [
            {"chunk_id": f"c{number}", "ordinal": number, **plain, **row}
            for number, row in enumerate(rows)
        ],
        CHUNKS,
    )


def expect(
    kind: str, severity: Any = "critical", where: dict[str, Any] | None = None, **options: Any
) -> Expectation:
    return Expectation(
        type=f"expect_{kind}",
        severity=severity,
        where=where or {},
        options=options,
        place="suite.yaml: documents[0]",
    )


def default() -> Suite:
    return read_suite(DEFAULT).filled({"max_tokens": 256})


def test_the_default_suite_passes_good_rows_and_names_what_is_wrong_with_bad_ones() -> None:
    good = validate(documents({}, {}), default().documents, "documents")
    assert (good.rows, good.failures, good.table_failures, good.warnings) == (2, (), (), [])
    bad = documents(
        {},
        {"text": " \n\t"},
        {"text": "�" * 3 + "abc"},
        {"content_hash": "abc"},
        {"metadata": "{"},
        {"doc_id": "d0"},
        {"text": "x" * 60 + "�"},
    )
    bad.index = pd.Index([f"row-{number}" for number in range(len(bad))])
    verdict = validate(bad, default().documents, "documents")
    assert verdict.quarantined == {
        "row-1": "the text is empty",
        "row-2": "more than a tenth of the text could not be decoded",
        "row-3": "the content hash is not a SHA-256",
        "row-4": "the metadata is not JSON",
        "row-5": "another document has the same id",
    }
    assert verdict.warnings == [
        "documents: 2 rows: more than one character in a hundred could not be decoded"
    ]
    assert verdict.blocking == ()


def test_the_library_does_not_log_what_it_does(caplog: pytest.LogCaptureFixture) -> None:
    validate(documents({}), default().documents, "documents")
    assert [each.name for each in caplog.records if each.name.startswith("great_exp")] == []


def test_a_warning_names_a_document() -> None:
    one = documents({}, {"text": "x" * 60 + "�"})
    suite = default().documents
    told = "more than one character in a hundred could not be decoded"
    found = validate(one, suite, "documents").of_documents(["a.md", "b.md"])
    assert found.warnings == [f"documents: 1 row: {told}: b.md"]
    two = documents({"text": "x" * 60 + "�"}, {"text": "y" * 60 + "�"})
    found = validate(two, suite, "documents").of_documents(["a.md", "b.md"])
    assert found.warnings == [f"documents: 2 rows: {told}: such as a.md"]


def test_the_default_suite_for_chunks() -> None:
    verdict = validate(
        chunks(
            {},
            {"tokens": 0},
            {"tokens": 257},
            {"start": 5, "end": 5},
            {"text": "\n"},
            {"chunk_id": "c0"},
        ),
        default().chunks,
        "chunks",
    )
    assert list(verdict.quarantined) == [5, 4, 1, 2, 3]
    assert verdict.quarantined[3] == "the chunk ends before it starts"


def test_nulls_pass_all_but_null_checks() -> None:
    table = documents({"language": None}, {"language": "xx"}, {"language": "de"})
    in_set = validate(
        table,
        [expect("column_values_to_be_in_set", column="language", value_set=["de"])],
        "documents",
    )
    assert list(in_set.quarantined) == [1]
    assert (in_set.tallies[0].evaluated, in_set.tallies[0].failed) == (2, 1)
    not_null = validate(
        table, [expect("column_values_to_not_be_null", column="language")], "documents"
    )
    assert list(not_null.quarantined) == [0]


def test_only_critical_rows_are_quarantined_and_only_critical_tables_block() -> None:
    found = {}
    for severity in ("critical", "warning", "info"):
        tests = [
            expect("column_values_to_be_in_set", severity, column="uri", value_set=["0.md"]),
            expect("table_row_count_to_equal", severity, value=5),
        ]
        verdict = validate(documents({}, {}), tests, "documents")
        found[severity] = (
            list(verdict.quarantined),
            len(verdict.blocking),
            len(verdict.warnings),
            len(verdict.failures),
        )
    assert found == {"critical": ([1], 1, 0, 1), "warning": ([], 0, 2, 1), "info": ([], 0, 0, 1)}


def test_mostly_quarantines_in_any_case_and_blocks_above_its_share_over_all_shards() -> None:
    tests = [expect("column_values_to_not_be_null", column="title", mostly=0.75)]
    good, bad = documents(*[{"title": "T"}] * 5, {}), documents({}, {"title": "T"})
    verdicts = [validate(table, tests, "documents") for table in (good, bad)]
    assert [list(verdict.quarantined) for verdict in verdicts] == [[5], [0]]
    assert [len(verdict.blocking) for verdict in verdicts] == [0, 1]
    assert combine(verdicts).blocking == ()  # 2 of 8
    worse = combine([*verdicts, verdicts[1]])  # 3 of 10
    assert [str(failure) for failure in worse.blocking] == [
        "expected `title` values to not be null (mostly: 0.75): 3 of 10 rows failed, 25.00% may"
    ]
    assert worse.rows == 10
    assert (worse.results[0]["success"], worse.results[0]["result"]["unexpected_count"]) == (
        False,
        3,
    )


def test_shards_and_the_whole_count_each_row_once() -> None:
    table = documents({}, {})
    whole = validate(
        documents({}, {}, {}, {}, {}),
        [expect("column_values_to_be_unique", column="doc_id")],
        "documents",
    )
    shard = validate(table, [expect("column_values_to_not_be_null", column="uri")], "documents")
    assert (combine([shard, shard, whole]).rows, combine([shard, shard]).rows) == (5, 4)
    with pytest.raises(ValueError, match="one kind"):
        combine([])


def test_of_repeated_rows_the_first_stays() -> None:
    table = documents(
        {"doc_id": "a"}, {"doc_id": "b"}, {"doc_id": "a"}, {"doc_id": "a", "uri": "0.md"}
    )
    one = validate(table, [expect("column_values_to_be_unique", column="doc_id")], "documents")
    assert list(one.quarantined) == [2, 3]
    pair = validate(
        table,
        [
            expect(
                "compound_columns_to_be_unique",
                column_list=["doc_id", "uri"],
                where={"source": "files"},
            )
        ],
        "documents",
    )
    assert list(pair.quarantined) == [3]


def test_where_keeps_only_some_rows() -> None:
    table = documents(
        {"language": "de"}, {"language": "en", "title": "T"}, {"language": "en"}, {"language": None}
    )
    tests = [
        expect(
            "column_values_to_not_be_null",
            column="title",
            where={"language": "en", "source": ["files", "web"]},
        )
    ]
    verdict = validate(table, tests, "documents")
    assert (list(verdict.quarantined), verdict.tallies[0].evaluated) == ([2], 2)


def test_an_expectation_that_cannot_be_evaluated_is_an_error_and_never_a_pass() -> None:
    with pytest.raises(
        ConfigError,
        match=r"suite\.yaml: documents\[0\]: expect_column_mean_to_be_between cannot be evaluated",
    ):
        validate(
            documents({}),
            [expect("column_mean_to_be_between", column="text", min_value=1)],
            "documents",
        )
    with pytest.raises(ConfigError, match="the frame has no column nope"):
        validate(
            documents({}), [expect("column_values_to_not_be_null", column="nope")], "documents"
        )
    with pytest.raises(ConfigError, match="refuses its options"):
        validate(
            documents({}),
            [expect("column_value_lengths_to_be_between", column="text", min_value="x")],
            "documents",
        )
    with pytest.raises(ValueError, match="unique"):
        validate(
            documents({}, {}).set_index(pd.Index([1, 1])),
            [expect("column_values_to_not_be_null", column="uri")],
            "documents",
        )


def test_empty_frames_and_no_expectations_pass() -> None:
    assert validate(documents(), default().documents, "documents").table_failures == ()
    assert validate(documents({}), [], "documents") == ValidationVerdict(kind="documents", rows=1)


def test_several_expectations_of_one_type_and_column_all_count() -> None:
    tests = [
        expect("column_values_to_match_regex", column="text", regex=pattern)
        for pattern in ("a", "b", "x")
    ]
    verdict = validate(documents({"text": "a"}), tests, "documents")
    assert verdict.quarantined[0].count("expected") == 2
    assert [tally.failed for tally in verdict.tallies] == [0, 1, 1]


SAMPLES: dict[str, dict[str, Any]] = {
    "column": {"column": "tokens"},
    "column_A": {"column_A": "end"},
    "column_B": {"column_B": "start"},
    "column_list": {"column_list": ["start", "ordinal"]},
    "value_set": {"value_set": [3]},
    "value_pairs_set": {"value_pairs_set": [[10, 0]]},
    "threshold": {"threshold": 3},
    "double_sided": {"double_sided": True},
    "value": {"value": 2},
    "regex": {"regex": "x"},
    "regex_list": {"regex_list": ["x"]},
    "sum_total": {"sum_total": 0},
    "strftime_format": {"strftime_format": "%Y"},
    "quantile_ranges": {"quantile_ranges": {"quantiles": [0.5], "value_ranges": [[1, 5]]}},
}
TEXTS = ("length", "regex", "dateutil", "json", "strftime")


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_type_of_the_catalogue_runs(name: str) -> None:
    options: dict[str, Any] = {}
    for needed in TYPES[name].required:
        options |= SAMPLES[needed]
    options |= {"column": "text"} if any(word in name for word in TEXTS) else {}
    options |= {"max_value": 100} if "max_value" in TYPES[name].optional else {}
    table = chunks({"text": '{"a": 1}'}, {"tokens": 4}, {"tokens": 5, "page": 3})
    item = Expectation(type=name, options=options)
    verdict = validate(table, [item], "chunks")
    assert len(verdict.tallies) == (item.level != TABLE)
    if item.level == ROW:
        assert verdict.tallies[0].evaluated == 3
        assert len(verdict.failures) == verdict.tallies[0].failed


def test_dates_and_null_numbers_compare() -> None:
    tests = [
        expect(
            "column_values_to_be_between",
            column="fetched_at",
            min_value=dt.datetime(2026, 1, 3, tzinfo=dt.UTC),
        )
    ]
    assert list(validate(documents({}), tests, "documents").quarantined) == [0]
    pages = validate(
        chunks({"page": 1}, {"page": None}, {"page": 9}),
        [expect("column_values_to_be_between", column="page", max_value=5)],
        "chunks",
    )
    assert list(pages.quarantined) == [2]


def test_frames_are_judged_together_as_each_by_itself() -> None:
    expectations = [
        Expectation(
            type="expect_column_values_to_be_between",
            options={"column": "characters", "min_value": 4},
        ),
        Expectation(
            type="expect_column_values_to_match_regex",
            options={"column": "uri", "regex": r"\.md$"},
        ),
    ]
    frames = [
        documents({"text": "long enough"}, {"text": "no"}),
        documents({"uri": "a.txt"}, {"text": "good text"}, {"text": "x", "uri": "b.txt"}),
    ]
    plain = [looked_at(each, expectations) for each in frames]
    together = judge(pd.concat(plain, ignore_index=True), expectations, "documents")
    each = [validate(one, expectations, "documents") for one in frames]
    failures = [
        (failure.row if failure in each[0].failures else int(failure.row) + 2, failure.expectation)
        for verdict in each
        for failure in verdict.failures
    ]
    assert sorted((one.row, one.expectation) for one in together.failures) == sorted(failures)
    assert len(failures) == 4
    assert combine(each).tallies == together.tallies
