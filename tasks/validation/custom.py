"""Expectations of people's own, by the import path of their class: `type: ours.checks:ExpectX`."""

from functools import cache

from llmops.tasks.plugins.importing import Foreign, imported
from llmops.tasks.validation.catalogue import ROW, TABLE, Type
from llmops.tasks.validation.library import great_expectations, quietly

SHARED = {
    *("severity", "row_condition", "condition_parser", "id", "meta", "notes", "result_format"),
    *("description", "catch_exceptions", "rendered_content", "windows", "batch_id"),
}
"""What every class has, and a suite says in its own way or not at all."""
BY_ROW = ("ColumnMapExpectation", "ColumnPairMapExpectation", "MulticolumnMapExpectation")


def is_path(name: object) -> bool:
    """Whether a type is an import path; those of Great Expectations have neither dot nor colon."""
    return isinstance(name, str) and (":" in name or "." in name)


@cache
def custom_class(path: str) -> Foreign:
    """The class of an expectation. Raises ValueError for what is none."""
    great_expectations()
    with quietly():
        from great_expectations.expectations.expectation import Expectation

        kind = imported(path, "type")
    if not (isinstance(kind, type) and issubclass(kind, Expectation)):
        said = "a class below great_expectations.expectations is wanted, such as one below"
        raise ValueError(  # noqa: TRY004 - a mistake of the suite
            f"{path} is no expectation: {said} ExpectColumnValuesToMatchRegex"
        )
    return kind


@cache
def custom_type(path: str) -> Type:
    """What a class takes, and whether it judges rows or the table. Raises ValueError."""
    kind = custom_class(path)
    from great_expectations.expectations import expectation

    rowwise = issubclass(kind, tuple(getattr(expectation, name) for name in BY_ROW))
    fields = {name: each for name, each in kind.__fields__.items() if name not in SHARED}
    required = tuple(name for name, each in fields.items() if each.required)
    return Type(
        ROW if rowwise else TABLE, required, tuple(name for name in fields if name not in required)
    )


def class_of_type(name: str) -> Foreign:
    """The class behind a type of the catalogue, or at an import path."""
    if is_path(name):
        return custom_class(name)
    great_expectations()
    from great_expectations.expectations.registry import get_expectation_impl

    return get_expectation_impl(name)


def name_of_type(name: str) -> str:
    """What Great Expectations calls it: of a class its name in small letters."""
    return str(custom_class(name).expectation_type) if is_path(name) else name
