"""Expectations by import path, and suites in Great Expectations' own JSON."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llmops.tasks.errors import ConfigError
from llmops.tasks.validation import Suite, ValidationVerdict, read_suite, validate, write_docs
from llmops.tasks.validation.catalogue import GROUP, ROW, TABLE
from llmops.tasks.validation.library import great_expectations

OURS = "tests.validation.expectations"
SENTENCES = f"{OURS}:ExpectColumnValuesToEndAsSentences"
FRAME = pd.DataFrame(
    {"text": ["One.", "two", "three", "Three."], "language": ["en", "en", "de", "en"]}
)


def suite(folder: Path, *lines: dict[str, Any]) -> Suite:
    path = folder / "suite.yaml"
    path.write_text(json.dumps({"documents": list(lines)}), encoding="utf-8")
    return read_suite(path)


def judged(read: Suite, frame: pd.DataFrame = FRAME) -> ValidationVerdict:
    return validate(frame, read.documents, "documents")


def written(folder: Path, name: str, *expectations: Any) -> Path:
    gx = great_expectations()
    gx.get_context(mode="ephemeral")
    made = gx.ExpectationSuite(name=name, expectations=list(expectations))
    path = folder / "suite.json"
    path.write_text(json.dumps(made.to_json_dict()), encoding="utf-8")
    return path


def test_rows_that_fail_an_expectation_of_one_s_own(tmp_path: Path) -> None:
    read = suite(tmp_path, {"type": SENTENCES, "column": "text", "where": {"language": "en"}})
    assert read.documents[0].level == ROW
    assert judged(read).quarantined == {1: read.documents[0].sentence}
    assert read.documents[0].sentence.startswith("expected `text` values to end as sentences")


def test_severity_and_mostly_count_as_with_others(tmp_path: Path) -> None:
    line = {"type": SENTENCES, "column": "text", "mostly": 0.9}
    mild = judged(suite(tmp_path, {**line, "severity": "warning", "about": "no sentence"}))
    assert (mild.quarantined, mild.blocking) == ({}, ())
    assert any("no sentence" in each for each in mild.warnings)
    (blocking,) = judged(suite(tmp_path, line)).blocking
    assert "2 of 4 rows failed" in blocking.observed


def test_tables_and_rows_that_need_the_whole_table(tmp_path: Path) -> None:
    mean, once = f"{OURS}.ExpectColumnMeanToBeSmall", f"{OURS}:ExpectColumnValuesToBeOnce"
    read = suite(
        tmp_path,
        {"type": mean, "column": "characters"},
        {"type": once, "column": "language", "whole": True},
        {"type": once, "column": "text"},
    )
    assert [each.level for each in read.documents] == [TABLE, GROUP, ROW]
    assert judged(read).blocking == ()
    long = FRAME.assign(text="x" * 50 + FRAME["text"])
    assert "observed 5" in judged(read, long).blocking[0].observed


def test_data_docs_render_them(tmp_path: Path) -> None:
    verdict = judged(suite(tmp_path, {"type": SENTENCES, "column": "text"}))
    page = write_docs(tmp_path, "handbook-1", [verdict]).read_text(encoding="utf-8")
    assert "50% unexpected" in page
    assert "three" in page


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"type": f"{OURS}:ExpectColumnMeanToBeSmal"}, "did you mean ExpectColumnMeanToBeSmall?"),
        ({"type": "no.such:Thing"}, "no.such cannot be imported"),
        ({"type": "builtins:dict"}, "is no expectation"),
        ({"type": SENTENCES}, "needs `column`"),
        ({"type": SENTENCES, "column": "txt"}, "did you mean text?"),
        ({"type": SENTENCES, "column": "text", "mosty": 1}, "did you mean mostly?"),
        ({"type": SENTENCES, "column": "text", "whole": "yes"}, "allowed is true or false"),
        (
            {"type": "expect_column_values_to_be_unique", "column": "uri", "whole": True},
            "for a type by import path",
        ),
        ({"type": "expect_column_values_to_be_uniqe", "column": "uri"}, "to_be_unique?"),
    ],
)
def test_mistakes_have_their_place(tmp_path: Path, line: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        suite(tmp_path, line)
    assert says in str(caught.value)
    assert "documents[0]" in str(caught.value)


def test_a_suite_as_great_expectations_writes_it(tmp_path: Path) -> None:
    gx = great_expectations()
    from great_expectations.expectations.row_conditions import Column

    both = (Column("language") == "en") & Column("media_type").is_in(["text/plain"])
    path = written(
        tmp_path,
        "handbook.documents",
        gx.expectations.ExpectColumnValuesToMatchRegex(
            column="text", regex="[.]$", severity="warning", row_condition=both, description="end"
        ),
        gx.expectations.ExpectColumnValuesToBeUnique(column="text", mostly=0.9),
        gx.expectations.ExpectTableRowCountToBeBetween(min_value=1),
    )
    regex, unique, count = read_suite(path).documents
    assert (regex.severity, regex.about) == ("warning", "end")
    assert regex.where == {"language": "en", "media_type": ["text/plain"]}
    assert unique.options == {"column": "text", "mostly": 0.9}
    assert count.options == {"min_value": 1}
    assert validate(FRAME, [unique, count], "documents").table_failures == ()


def test_a_suite_says_its_kind_by_its_columns_too(tmp_path: Path) -> None:
    gx = great_expectations()
    tokens = gx.expectations.ExpectColumnValuesToBeBetween(column="ordinal", min_value=0)
    assert len(read_suite(written(tmp_path, "mine", tokens)).chunks) == 1
    text = gx.expectations.ExpectColumnValuesToNotBeNull(column="text")
    with pytest.raises(ConfigError, match="those of documents and of chunks"):
        read_suite(written(tmp_path, "mine", text))


def test_a_suite_of_an_older_project(tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    line = {
        "expectation_type": "expect_column_values_to_be_in_set",
        "kwargs": {
            "column": "language",
            "value_set": ["en"],
            "row_condition": 'col("source")=="files"',
            "condition_parser": "great_expectations__experimental__",
        },
        "meta": {},
    }
    path.write_text(json.dumps({"expectation_suite_name": "documents", "expectations": [line]}))
    (only,) = read_suite(path).documents
    assert (only.where, only.severity) == ({"source": "files"}, "critical")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"type": "expect_column_values_to_be_uniqe"}, "did you mean expect_column_values_to_be_u"),
        ({"kwargs": {"column": "uri"}}, "an expectation needs a `type`"),
        ({"type": "expect_table_row_count_to_equal", "kwargs": 3}, "allowed is a mapping"),
        (
            {
                "type": "expect_column_values_to_be_null",
                "kwargs": {"column": "page", "row_condition": "page > 3"},
            },
            "allowed are columns that equal a value",
        ),
    ],
)
def test_mistakes_of_such_a_suite(tmp_path: Path, line: dict[str, Any], says: str) -> None:
    path = tmp_path / "suite.json"
    path.write_text(json.dumps({"name": "chunks", "expectations": [line]}), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_suite(path)
    assert says in str(caught.value)
    assert "[0]" in str(caught.value)
