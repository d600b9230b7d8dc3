"""Suites: what they may say, and every mistake at once."""

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from llmops.tasks.errors import ConfigError
from llmops.tasks.schemas import CHUNKS, DOCUMENTS
from llmops.tasks.validation import Suite, read_suite
from llmops.tasks.validation.catalogue import COLUMNS, DERIVED, GROUP, ROW, TABLE, TYPES
from llmops.tasks.validation.library import great_expectations
from llmops.tasks.validation.suite import Severity

DEFAULT = Path(__file__).resolve().parents[2] / "configs" / "expectations" / "default.yaml"
# Of no use where columns are fixed, not for pandas, or (JSON schema) raising at the first value
# that is not JSON.
LEFT_OUT = {
    "expect_column_values_to_match_json_schema",
    "expect_column_kl_divergence_to_be_less_than",
    "expect_column_to_exist",
    "expect_column_type_to_be",
    "expect_column_values_to_be_in_type_list",
    "expect_column_values_to_be_of_type",
    "expect_column_values_to_not_be_outliers",
    "expect_column_values_to_match_like_pattern",
    "expect_column_values_to_match_like_pattern_list",
    "expect_column_values_to_not_match_like_pattern",
    "expect_column_values_to_not_match_like_pattern_list",
    "expect_query_results_to_match_comparison",
    "expect_table_column_count_to_be_between",
    "expect_table_column_count_to_equal",
    "expect_table_columns_to_match_ordered_list",
    "expect_table_columns_to_match_set",
    "expect_table_row_count_to_equal_other_table",
    "unexpected_rows_expectation",
}
SHARED = {
    "severity",
    "row_condition",
    "condition_parser",
    "library_metadata",
    "id",
    "meta",
    "notes",
    "result_format",
    "description",
    "catch_exceptions",
    "rendered_content",
    "windows",
    "batch_id",
}


def write(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(folder: Path, text: str) -> list[str]:
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        read_suite(path)
    return [str(item).replace(f"{path}: ", "", 1) for item in caught.value.mistakes()]


def test_the_columns_are_those_of_the_records() -> None:
    for kind, schema in (("documents", DOCUMENTS), ("chunks", CHUNKS)):
        assert COLUMNS[kind] == (*schema.names, *DERIVED)


def _is_own(kind: type) -> bool:
    """Not one of a test's, which is registered as soon as its module is imported."""
    return kind.__module__.startswith("great_expectations.")


@pytest.mark.slow
def test_the_catalogue_is_what_the_installed_great_expectations_has() -> None:
    great_expectations()
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    known_there = list_registered_expectation_implementations()
    own = {name for name in known_there if _is_own(get_expectation_impl(name))}
    assert own == set(TYPES) | LEFT_OUT
    for name, known in TYPES.items():
        implementation = get_expectation_impl(name)
        fields = implementation.__fields__.items()
        assert {field for field, about in fields if about.required} - SHARED <= set(
            known.required
        ), name
        assert {field for field, _ in fields} - SHARED == {*known.required, *known.optional}, name
        mapped = any("MapExpectation" in base.__name__ for base in implementation.__mro__)
        assert mapped == (known.level in (ROW, GROUP)), name


def test_the_default_suite_is_whole_and_quick_to_read() -> None:
    suite = read_suite(DEFAULT)
    assert {item.level for item in suite.documents} == {ROW, GROUP}
    assert len(suite.rowwise("documents")) + len(suite.whole("documents")) == len(suite.documents)
    assert (suite.columns("documents"), suite.columns("chunks")) == (["doc_id"], ["chunk_id"])
    code = (
        f"import sys\nfrom pathlib import Path\nfrom llmops.tasks.validation import "
        f"read_suite\nread_suite(Path({str(DEFAULT)!r}))\n"
        "print({'great_expectations', 'pandas'} & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=DEFAULT.parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "set()\n"


def test_levels_parts_and_needed_columns(tmp_path: Path) -> None:
    suite = read_suite(
        write(
            tmp_path,
            """
documents:
  - {type: expect_column_mean_to_be_between, column: characters, min_value: 10, where: {language: de}}
  - {type: expect_compound_columns_to_be_unique, column_list: [source, uri], severity: warning}
  - {type: expect_column_values_to_not_be_null, column: title, mostly: 0.9, about: no title}
""",  # noqa: E501
        )
    )
    assert [item.level for item in suite.documents] == [TABLE, GROUP, ROW]
    assert suite.columns("documents") == ["source", "uri", "text", "language"]
    assert [item.severity for item in suite.documents] == ["critical", "warning", "critical"]
    assert [item.sentence for item in suite.documents] == [
        "expected `characters` mean to be between (min_value: 10) where language is de",
        "expected compound columns to be unique (column_list: ['source', 'uri'])",
        "no title",
    ]
    assert suite.documents[2].mostly == 0.9
    assert (suite.chunks, read_suite(write(tmp_path, ""))) == ((), Suite())


def test_parameters_are_filled_in_later(tmp_path: Path) -> None:
    text = (
        "chunks:\n  - {type: expect_column_values_to_be_between, column: tokens, max_value: "
        "$max_tokens}"
    )
    suite = read_suite(write(tmp_path, text))
    assert suite.filled({"max_tokens": 256}).chunks[0].options["max_value"] == 256
    assert suite.chunks[0].options["max_value"] == "$max_tokens"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            "{type: expect_column_values_to_be_nul, column: text}",
            "documents[0].type: unknown expectation type 'expect_column_values_to_be_nul' "
            "(did you mean expect_column_values_to_be_null?)",
        ),
        (
            "{type: ExpectColumnValuesToNotBeNull, column: text}",
            "documents[0].type: unknown expectation type",
        ),
        ("{type: [a], column: text}", "documents[0].type: unknown expectation type ['a']"),
        ("{column: text}", "documents[0]: an expectation needs a `type`"),
        ("just text", "documents[0]: an expectation needs a `type`"),
        (
            "{type: expect_column_values_to_not_be_null}",
            "documents[0].column: expect_column_values_to_not_be_null needs `column`",
        ),
        (
            "{type: expect_column_values_to_not_be_null, column: texts}",
            "documents[0].column: unknown column of documents 'texts' (did you mean text?)",
        ),
        (
            "{type: expect_column_values_to_not_be_null, column: tokens}",
            "documents[0].column: unknown column of documents 'tokens'",
        ),
        (
            "{type: expect_column_values_to_not_be_null, column: text, mosty: 1}",
            "documents[0].mosty: unknown option 'mosty' (did you mean mostly?)",
        ),
        (
            "{type: expect_column_values_to_not_be_null, column: text, mostly: 95}",
            "documents[0].mostly: got 95, allowed is a share from 0 to 1",
        ),
        (
            "{type: expect_column_values_to_not_be_null, column: text, severity: error}",
            "documents[0].severity: got 'error', allowed: critical, warning, info",
        ),
        (
            "{type: expect_column_values_to_not_be_null, column: text, where: {lang: en}}",
            "documents[0].where: unknown column 'lang' (did you mean language?)",
        ),
        (
            "{type: expect_column_values_to_match_regex, column: text, regex: '('}",
            "documents[0].regex: got '(', allowed is a regular expression",
        ),
        (
            "{type: expect_column_value_lengths_to_be_between, column: text}",
            "documents[0]: neither min_value nor max_value is given",
        ),
        (
            "{type: expect_column_value_lengths_to_be_between, column: text, min_value: 9, "
            "max_value: 1}",
            "documents[0]: min_value 9 is above max_value 1",
        ),
        (
            "{type: expect_column_values_to_be_between, column: characters, min_value: some}",
            "documents[0].min_value: got 'some', allowed is a number, or a date",
        ),
        (
            "{type: expect_column_values_to_be_between, column: characters, min_value: $limit}",
            "documents[0].min_value: got '$limit', allowed is a number, or a date",
        ),
        (
            "{type: expect_compound_columns_to_be_unique, column_list: [uri]}",
            "documents[0].column_list: got ['uri'], allowed is a list of two columns or more",
        ),
    ],
)
def test_a_mistake_names_its_place_and_what_is_allowed(
    tmp_path: Path, entry: str, expected: str
) -> None:
    found = mistakes(tmp_path, f"documents:\n  - {entry}\n")
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        """
document: []
documents: {type: x}
chunks:
  - {type: expect_column_values_to_not_be_null, column: nope, mostly: 2}
  - {type: nope}
""",
    )
    assert [item.split(": ")[0] for item in found] == [
        "document",
        "documents",
        "chunks[0].column",
        "chunks[0].mostly",
        "chunks[1].type",
    ]


@pytest.mark.parametrize("content", [b"documents: [", b"\xff\xfe\x00", b"- a list", b"text"])
def test_a_file_that_is_no_suite_is_a_config_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "suite.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"suite\.yaml"):
        read_suite(tmp_path / "suite.yaml")


def test_a_key_that_stands_twice_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(
        "chunks:\n- type: expect_column_values_to_be_null\n  column: uri\n  column: text\n"
    )
    with pytest.raises(ConfigError, match="'column' stands here twice, in line 4, column 3"):
        read_suite(tmp_path / "suite.yaml")


@pytest.mark.parametrize(
    ("name", "says"), [("missing.yaml", "no such file"), (".", "this is a folder")]
)
def test_a_missing_file_and_a_folder_are_config_errors(
    tmp_path: Path, name: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        read_suite(tmp_path / name)


def test_severities_are_those_of_the_type() -> None:
    from llmops.tasks.validation.catalogue import SEVERITIES

    known: Any = get_args(Severity)
    assert known == SEVERITIES
