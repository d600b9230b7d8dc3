"""Whether the answer is the JSON that it was asked for."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict, Field, field_validator

from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.scorers import Case, Sample, Score, Scorer
from llmops.tasks.plugins.scorers._expected import Reference, at, unanswerable, value_at, without
from llmops.tasks.texts.json_answers import (
    MISSING,
    NoJson,
    check_schema,
    check_schema_text,
    equal,
    read_json,
    schema_errors,
    shown_json,
)
from llmops.tasks.texts.patterns import Slow


class JsonSchemaScorer(Scorer):
    """1 when the answer is JSON that fits the schema (Draft 2020-12, json-schema.org) and whose
    `fields` are those of the case, else 0 with the first errors as the reason.

    `schema` stands in the config; without it the prompt's own `output` counts, and without that any
    JSON does. `fields` names what must equal the case: `[label, price]` compares with
    `expected.label` and `expected.price`, `{label: expected.class}` with other places. JSON in a
    fence of Markdown counts as JSON, as it does for the answer's reader. Part, with `fields`: the
    share that is right.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), populate_by_name=True
    )
    requires: ClassVar[Mapping[str, str]] = {"regex": "pip install regex"}
    shape: dict[str, Any] | bool | None = Field(default=None, alias="schema")
    """The JSON schema; by default that of the prompt."""
    fields: dict[str, Reference] = Field(default_factory=dict)

    @field_validator("shape")
    @classmethod
    def _is_a_schema(cls, value: dict[str, Any] | bool | None) -> dict[str, Any] | bool | None:
        if isinstance(value, dict):
            check_schema(value)
        return value

    @field_validator("fields", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
            return {name: f"expected.{name}" for name in value}
        return value

    def missing(self, case: Case) -> str | None:
        return None if unanswerable(case) else self._lack(case)

    def score(self, sample: Sample) -> Score:
        if lack := self._lack(sample.case):
            return without(sample.case, lack)
        try:
            value = read_json(sample.answer) if sample.parsed is None else sample.parsed
            wrong = self._errors(value, sample)
        except NoJson as error:
            return Score(value=0.0, reason=str(error), parts={"fields": 0.0} if self.fields else {})
        except (Slow, ValueError) as error:
            return Score(value=None, reason=str(error), failed=True)
        pairs = {
            name: (at(value, name, MISSING), value_at(sample.case, place))
            for name, place in self.fields.items()
        }
        different = [
            f"{name} is {shown_json(got)}, not {shown_json(wanted)}"
            for name, (got, wanted) in pairs.items()
            if not equal(got, wanted)
        ]
        parts = {"fields": 1 - len(different) / len(pairs)} if pairs else {}
        return Score(
            value=float(not wrong + different), reason="; ".join(wrong + different), parts=parts
        )

    def _errors(self, value: object, sample: Sample) -> list[str]:
        if self.shape is None and sample.output is not None:
            check_schema_text(canonical(sample.output))
        shape = sample.output if self.shape is None else self.shape
        return [] if shape is None else schema_errors(value, shape)

    def _lack(self, case: Case) -> str | None:
        return next(
            (
                f"{place} is missing"
                for place in self.fields.values()
                if value_at(case, place, MISSING) is MISSING
            ),
            None,
        )
