"""Suites of expectations: what is expected of documents and of chunks, and the YAML file that says
so, read with every mistake at once and its place, and without Great Expectations (but for types
that are given by import path).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeGuard

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.errors import ConfigError, Mistake, did_you_mean
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.validation.catalogue import (
    CHECKS,
    COLUMNS,
    DERIVED,
    GROUP,
    PARAMETERS,
    ROW,
    SEVERITIES,
    TYPES,
    Type,
)
from llmops.tasks.validation.custom import custom_type, is_path, name_of_type
from llmops.tasks.validation.gx_json import is_gx_suite, lines_of
from llmops.tasks.yaml_files import parsed, text_of

Kind = Literal["documents", "chunks", "rows"]
Severity = Literal["critical", "warning", "info"]
OWN = ("type", "severity", "about", "where", "whole")


class Expectation(BaseModel):
    """One line of a suite. `options` go to Great Expectations; `where` keeps only rows with these
    values. `type`: one of the catalogue, or the import path of a class, whose rows are then judged
    with all others at hand if `whole` is set.
    """

    model_config = ConfigDict(frozen=True)
    type: str
    options: Mapping[str, Any] = Field(default_factory=dict)
    severity: Severity = "critical"
    about: str = ""
    where: Mapping[str, Any] = Field(default_factory=dict)
    whole: bool = False
    place: str = ""

    @property
    def level(self) -> str:
        if not is_path(self.type):
            return TYPES[self.type].level
        own = custom_type(self.type).level
        return GROUP if self.whole and own == ROW else own

    @property
    def mostly(self) -> float:
        return float(self.options.get("mostly", 1.0))

    @property
    def key(self) -> str:
        """Equal for the same expectation in every shard of a run."""
        return digest(self.place, self.type, canonical(self.options), canonical(self.where))

    @property
    def sentence(self) -> str:
        """`about`, or what the type says, for a person: "expected `tokens` values to be between
        (min_value: 1)".
        """
        if self.about:
            return self.about
        words = name_of_type(self.type).removeprefix("expect_").replace("_", " ")
        subject = self.options.get("column")
        words = words.replace("column", f"`{subject}`", 1) if subject else words
        rest = ", ".join(
            f"{name}: {value}" for name, value in self.options.items() if name != "column"
        )
        only = ", ".join(f"{name} is {value}" for name, value in self.where.items())
        return (
            f"expected {words}"
            + (f" ({rest})" if rest else "")
            + (f" where {only}" if only else "")
        )

    def columns(self) -> tuple[str, ...]:
        """Every column that is looked at, derived ones by their own name."""
        named = [
            self.options[name]
            for name in ("column", "column_A", "column_B")
            if name in self.options
        ]
        return tuple(dict.fromkeys([*named, *self.options.get("column_list", ()), *self.where]))


class Suite(BaseModel):
    """The expectations of a file, by kind of frame."""

    model_config = ConfigDict(frozen=True)
    documents: tuple[Expectation, ...] = ()
    chunks: tuple[Expectation, ...] = ()
    rows: tuple[Expectation, ...] = ()

    def expectations(self, kind: Kind) -> tuple[Expectation, ...]:
        return {"documents": self.documents, "chunks": self.chunks, "rows": self.rows}[kind]

    def rowwise(self, kind: Kind) -> tuple[Expectation, ...]:
        """Those that judge each row by itself: they may be run shard by shard."""
        return tuple(item for item in self.expectations(kind) if item.level == ROW)

    def whole(self, kind: Kind) -> tuple[Expectation, ...]:
        """Those that need all rows at once: uniqueness, order, outliers, aggregates and counts."""
        return tuple(item for item in self.expectations(kind) if item.level != ROW)

    def columns(self, kind: Kind) -> list[str]:
        """The stored columns that `whole` needs, in the schema's order; a derived column counts as
        its origin.
        """
        needed = {DERIVED.get(name, name) for item in self.whole(kind) for name in item.columns()}
        return [name for name in COLUMNS[kind] if name in needed]

    def filled(self, parameters: Mapping[str, Any]) -> "Suite":
        """The same suite with `$max_tokens` and the like replaced."""

        def fill(item: Expectation) -> Expectation:
            options = {
                name: parameters.get(value[1:], value) if is_parameter(value) else value
                for name, value in item.options.items()
            }
            return item.model_copy(update={"options": options})

        return Suite(
            documents=tuple(map(fill, self.documents)),
            chunks=tuple(map(fill, self.chunks)),
            rows=tuple(map(fill, self.rows)),
        )


def is_parameter(value: object) -> TypeGuard[str]:
    """Whether an option's value is to be filled in later: `$max_tokens`."""
    return isinstance(value, str) and value.startswith("$") and value[1:] in PARAMETERS


def read_suite(path: Path) -> Suite:
    """The suite in a YAML file, or in a JSON file as Great Expectations writes it. Raises
    ConfigError with every mistake: file, place, what was got, what is allowed.
    """
    content = parsed(path, text_of(path, "a file of expectations or a suite in JSON")) or {}
    if not isinstance(content, Mapping):
        got = type(content).__name__
        raise ConfigError(
            [Mistake(f"got {got}, allowed are lists under documents, chunks and rows", str(path))]
        )
    if is_gx_suite(content):
        content = lines_of(content, str(path))
    mistakes = [
        _unknown("key", name, list(COLUMNS), f"{path}: {name}")
        for name in content
        if name not in COLUMNS
    ]
    lists = {}
    for kind in COLUMNS:
        entries = content.get(kind) or []
        if not isinstance(entries, list):
            mistakes.append(
                Mistake(
                    f"got {type(entries).__name__}, allowed is a list of expectations",
                    f"{path}: {kind}",
                )
            )
            entries = []
        places = [f"{path}: {kind}[{number}]" for number in range(len(entries))]
        mistakes += [
            mistake
            for entry, place in zip(entries, places, strict=True)
            for mistake in _mistakes(entry, kind, place)
        ]
        lists[kind] = (entries, places)
    if mistakes:
        raise ConfigError(mistakes)
    return Suite(**{kind: tuple(map(_expectation, *pair)) for kind, pair in lists.items()})


def _expectation(entry: Mapping[str, Any], place: str) -> Expectation:
    options = {str(name): value for name, value in entry.items() if name not in OWN}
    return Expectation(
        options=options, place=place, **{name: entry[name] for name in OWN if name in entry}
    )


def _unknown(what: str, name: object, allowed: list[str], place: str) -> Mistake:
    hint = did_you_mean(str(name), allowed) or f"allowed: {', '.join(allowed)}"
    return Mistake(f"unknown {what} {name!r}", place, hint)


def _mistakes(entry: object, kind: str, place: str) -> Iterator[Mistake]:
    if not isinstance(entry, Mapping) or "type" not in entry:
        yield Mistake(
            "an expectation needs a `type`",
            place,
            "such as {type: expect_column_values_to_not_be_null, column: uri}",
        )
        return
    named = entry["type"]
    if is_path(named):
        try:
            known = custom_type(named)
        except ValueError as error:
            yield Mistake(str(error), f"{place}.type")
            return
    elif isinstance(named, str) and named in TYPES:
        known = TYPES[named]
    else:
        yield _unknown("expectation type", named, list(TYPES), f"{place}.type")
        return
    yield from _own_mistakes(entry, kind, place)
    yield from _option_mistakes(entry, known, kind, place)


def _own_mistakes(entry: Mapping[str, Any], kind: str, place: str) -> Iterator[Mistake]:
    if entry.get("severity", "critical") not in SEVERITIES:
        yield Mistake(
            f"got {entry['severity']!r}, allowed: {', '.join(SEVERITIES)}", f"{place}.severity"
        )
    if entry.get("whole", False) not in ((True, False) if is_path(entry["type"]) else (False,)):
        got = f"got {entry['whole']!r}, allowed is true or false, for a type by import path"
        yield Mistake(got, f"{place}.whole")
    if not isinstance(entry.get("about", ""), str):
        yield Mistake(f"got {entry['about']!r}, allowed is a sentence", f"{place}.about")
    where = entry.get("where", {})
    if not isinstance(where, Mapping):
        yield Mistake(
            f"got {where!r}, allowed is a mapping such as {{language: en}}", f"{place}.where"
        )
        return
    for name in where:
        if name not in COLUMNS[kind]:
            yield _unknown("column", name, list(COLUMNS[kind]), f"{place}.where")


def _option_mistakes(
    entry: Mapping[str, Any], known: Type, kind: str, place: str
) -> Iterator[Mistake]:
    allowed = [*known.required, *known.optional]
    for name in (name for name in known.required if name not in entry):
        yield Mistake(
            f"{entry['type']} needs `{name}`", f"{place}.{name}", f"it takes {', '.join(allowed)}"
        )
    for name, value in ((str(name), value) for name, value in entry.items()):
        if name not in allowed and name not in OWN:
            yield _unknown("option", name, allowed, f"{place}.{name}")
        elif name.startswith("column"):
            yield from _column_mistakes(name, value, kind, f"{place}.{name}")
        elif name in CHECKS and not is_parameter(value) and not CHECKS[name][0](value):
            yield Mistake(f"got {value!r}, allowed is {CHECKS[name][1]}", f"{place}.{name}")
    if "min_value" in allowed and not is_path(entry["type"]):
        yield from _range_mistakes(entry.get("min_value"), entry.get("max_value"), place)


def _column_mistakes(name: str, value: object, kind: str, place: str) -> Iterator[Mistake]:
    columns = value if name == "column_list" else [value]
    if not isinstance(columns, list) or (name == "column_list" and len(columns) < 2):
        yield Mistake(f"got {value!r}, allowed is a list of two columns or more", place)
        return
    for column in columns:
        if column not in COLUMNS[kind]:
            yield _unknown(f"column of {kind}", column, list(COLUMNS[kind]), place)


def _range_mistakes(low: object, high: object, place: str) -> Iterator[Mistake]:
    if low is None and high is None:
        yield Mistake(
            "neither min_value nor max_value is given", place, "give one of them, or both"
        )
    elif isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        yield Mistake(f"min_value {low} is above max_value {high}", place)
