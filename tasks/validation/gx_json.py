"""A suite in Great Expectations' own JSON, as `suite.to_json_dict()` gives it and the files of its
projects hold it, in the form of ours.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.validation.catalogue import COLUMNS

LEFT_OUT = {"batch_id", "condition_parser", "result_format", "catch_exceptions", "windows", "notes"}
"""What says where results come from and how they are written, not what is expected."""
EQUAL = re.compile(r"""\s*(?:col\(["'](\w+)["']\)|(\w+))\s*==\s*["']([^"']*)["']\s*""")
SAYS = "such as {type: comparison, column: {name: language}, operator: ==, parameter: en}"
Content = Mapping[Any, Any]


def is_gx_suite(content: Content) -> bool:
    """Whether this is the object of a suite rather than lists by kind."""
    return "expectations" in content and not {*content} & {*COLUMNS}


def lines_of(content: Content, place: str) -> dict[str, list[Any]]:
    """Its expectations as the lines of our YAML, under the kind of rows that they are of. Raises
    ConfigError with every mistake.
    """
    listed = content["expectations"]
    if not isinstance(listed, list):
        got = type(listed).__name__
        raise ConfigError(
            [Mistake(f"got {got}, allowed is a list of expectations", f"{place}: expectations")]
        )
    mistakes: list[Mistake] = []
    lines = [
        _line(each, f"{place}: expectations[{number}]", mistakes)
        for number, each in enumerate(listed)
    ]
    kinds = _kinds(content, lines)
    if len(kinds) != 1:
        mistakes.append(
            Mistake(
                f"the suite does not say of what it is: its columns are those of "
                f"{' and of '.join(kinds) or 'none of ' + ', '.join(COLUMNS)}",
                place,
                'let its "name" end with documents, chunks or rows, as in "handbook.chunks"',
            )
        )
    if mistakes:
        raise ConfigError(mistakes)
    return {kinds[0]: lines}


def _kinds(content: Content, lines: list[Any]) -> list[str]:
    """Of the suite's name, as in `handbook.chunks`; else those that have all its columns."""
    name = str(content.get("name") or content.get("expectation_suite_name") or "")
    last = re.split(r"[^a-z]+", name.lower())[-1]
    if last in COLUMNS:
        return [last]
    used = {column for line in lines if isinstance(line, Mapping) for column in _columns(line)}
    return [kind for kind, columns in COLUMNS.items() if used <= {*columns}]


def _columns(line: Content) -> Iterator[str]:
    for key, value in line.items():
        if str(key).startswith("column"):
            yield from map(str, value if isinstance(value, list) else [value])


def _line(each: object, place: str, mistakes: list[Mistake]) -> object:
    """One expectation; as it is where it is none, which is then said as of ours."""
    if not isinstance(each, Mapping):
        return each
    options = each.get("kwargs") or {}
    if not isinstance(options, Mapping):
        got = type(options).__name__
        mistakes.append(Mistake(f"got {got}, allowed is a mapping", f"{place}.kwargs"))
        return each
    line = {
        name: value
        for name, value in options.items()
        if name not in LEFT_OUT and name != "row_condition" and value is not None
    }
    named = each.get("type") or each.get("expectation_type")
    line |= {} if named is None else {"type": named}
    line |= {"severity": each["severity"]} if each.get("severity") else {}
    about = each.get("description")
    line |= {"about": about} if isinstance(about, str) and about else {}
    if (condition := options.get("row_condition")) is not None:
        try:
            line["where"] = _where(condition)
        except ValueError as error:
            mistakes.append(Mistake(str(error), f"{place}.kwargs.row_condition", SAYS))
    return line


def _where(condition: object) -> dict[str, object]:
    """Rows with these values. Raises ValueError for what says more."""
    match condition:
        case str(text) | {"type": "pass_through", "pass_through_filter": str(text)}:
            if said := EQUAL.fullmatch(text):
                return {said[1] or said[2]: said[3]}
        case {
            "type": "comparison",
            "column": {"name": str(name)},
            "operator": "==" | "IN",
            "parameter": value,
        }:
            return {name: value}
        case {"type": "and", "conditions": list(several)}:
            parts = [_where(each) for each in several]
            whole = {name: value for part in parts for name, value in part.items()}
            if len(whole) == sum(map(len, parts)):
                return whole
    raise ValueError(
        f"got {condition!r}; allowed are columns that equal a value, or one of several, and "
        "several of these joined by and"
    )
