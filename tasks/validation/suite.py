"""Suites of expectations: what is expected of documents and of chunks."""

from collections.abc import Mapping
from typing import Any, Literal, TypeGuard

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.plugins import canonical, digest
from llmops.tasks.validation.catalogue import COLUMNS, DERIVED, PARAMETERS, ROW, TYPES

Kind = Literal["documents", "chunks"]
Severity = Literal["critical", "warning", "info"]


class Expectation(BaseModel):
    """One line of a suite. `options` go to Great Expectations; `where` keeps only rows with these
    values.
    """

    model_config = ConfigDict(frozen=True)
    type: str
    options: Mapping[str, Any] = Field(default_factory=dict)
    severity: Severity = "critical"
    about: str = ""
    where: Mapping[str, Any] = Field(default_factory=dict)
    place: str = ""

    @property
    def level(self) -> str:
        return TYPES[self.type].level

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
        words = self.type.removeprefix("expect_").replace("_", " ")
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

    def expectations(self, kind: Kind) -> tuple[Expectation, ...]:
        return self.documents if kind == "documents" else self.chunks

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
            documents=tuple(map(fill, self.documents)), chunks=tuple(map(fill, self.chunks))
        )


def is_parameter(value: object) -> TypeGuard[str]:
    """Whether an option's value is to be filled in later: `$max_tokens`."""
    return isinstance(value, str) and value.startswith("$") and value[1:] in PARAMETERS
