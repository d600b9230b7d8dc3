"""A knowledge base in Haystack: a component that finds its passages."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from llmops.integrations import needing
from llmops.integrations._conditions import Tests, joined
from llmops.integrations._parts import base_of, described
from llmops.knowledge_base import KnowledgeBase
from llmops.results import Passage
from llmops.tasks.errors import UsageError
from llmops.tasks.retrieval.hybrid import Mode

with needing("Haystack", "haystack", "haystack"):
    from haystack import Document, component, default_to_dict

Filters = dict[str, Any]
"""Haystack's: `{"field": "meta.year", "operator": ">=", "value": 2024}`, and `operator` AND, OR or
NOT with `conditions`."""
SIGNS = {"==": "=", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
OPERATORS = (*SIGNS, "!=", "in", "not in")


@component
class KnowledgeBaseRetriever:
    """The k best passages of a knowledge base (a name, or a KnowledgeBase) as documents: the live
    version's, or that of `version`. `where`: a condition; `labels`: the access labels that whoever
    asks holds. Documents have the passage's chunk_id as their id; their meta hold uri, title,
    version, page, start, end and those of the document.

    A run may have its own `top_k`, and `filters` that narrow further. Labels are given where the
    component is made, never by a run, whose inputs may come from outside.
    """

    def __init__(
        self,
        knowledge_base: str | KnowledgeBase,
        k: int = 5,
        mode: Mode = "hybrid",
        where: str = "",
        labels: Collection[str] = (),
        home: str | Path | None = None,
        version: int | None = None,
    ) -> None:
        self.base = base_of(knowledge_base, home, version)
        self.k, self.mode, self.where, self.labels = k, mode, where, labels
        self._home = None if isinstance(knowledge_base, str) and home is None else self.base.home

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, top_k: int | None = None, filters: Filters | None = None
    ) -> dict[str, list[Document]]:
        """The documents, best first. Raises UsageError for filters that are not understood."""
        return _found(self.base.search(query, *self._options(top_k, filters)))

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, top_k: int | None = None, filters: Filters | None = None
    ) -> dict[str, list[Document]]:
        """The same for `Pipeline.run_async`."""
        return _found(await self.base.asearch(query, *self._options(top_k, filters)))

    def to_dict(self) -> dict[str, Any]:
        """For Haystack's pipelines as YAML: the knowledge base by its name, and by its home where
        one was given.
        """
        return default_to_dict(
            self,
            knowledge_base=self.base.name,
            k=self.k,
            mode=self.mode,
            where=self.where,
            labels=sorted(self.labels),
            home=None if self._home is None else str(self._home),
            version=self.base.pinned,
        )

    def _options(
        self, top_k: int | None, filters: Filters | None
    ) -> tuple[int, Mode, str, Collection[str]]:
        own = conditions(filters, Tests(self.base.fields)) if filters else ""
        k = self.k if top_k is None else top_k
        return k, self.mode, joined([self.where, own], "and"), self.labels


def _found(passages: Sequence[Passage]) -> dict[str, list[Document]]:
    return {
        "documents": [
            Document(
                id=each.chunk_id, content=each.text, meta=dict(described(each)), score=each.score
            )
            for each in passages
        ]
    }


def conditions(filters: Filters, tests: Tests) -> str:
    """Haystack's filters as a condition. Raises UsageError."""
    operator = str(filters.get("operator", ""))
    if "field" in filters:
        field = str(filters["field"]).removeprefix("meta.")
        return _test(field, operator, filters.get("value"), tests)
    parts = [conditions(each, tests) for each in filters.get("conditions", ())]
    if operator not in ("AND", "OR", "NOT"):
        raise UsageError(f"got {filters!r}; allowed: AND, OR, NOT, or a field")
    if operator == "NOT":  # not all of them
        inner = joined(parts, "and")
        return f"not ({inner})" if inner else ""
    return joined(parts, operator.lower())


def _test(field: str, operator: str, value: object, tests: Tests) -> str:
    """Equal to None is missing; what is unequal may be missing: as Haystack has it."""
    if value is None and operator in ("==", "!="):
        missing = tests.missing(field)
        return missing if operator == "==" else f"not {missing}"
    if operator in SIGNS:
        return tests.compared(field, SIGNS[operator], value)
    match operator:
        case "!=":
            return f"not {tests.compared(field, '=', value)}"
        case "in":
            return tests.among(field, value)
        case "not in":
            return f"not ({tests.among(field, value)})"
    raise UsageError(
        f"the operator {operator!r} on {field!r} is not known; allowed: {', '.join(OPERATORS)}"
    )
