"""What came of validating a frame, and how the verdicts of shards add up to one of the run.

- A row that fails a critical expectation goes to quarantine; one that fails another is only
reported.
- `mostly` below 1 does not save a failing row. It says how many may fail: when the share of good
rows is below it, the
  whole table has failed.
- A table that fails a critical expectation blocks the run; any other severity is a warning.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from llmops.tasks.validation.suite import Severity

SAMPLES = 20


class RowFailure(BaseModel):
    """`row` is the label of the row in the frame's index; `document`: the uri of the document that
    it is, or is a chunk of, once that is known; `value`: the beginning of what failed.
    """

    model_config = ConfigDict(frozen=True)
    row: int | str
    expectation: str
    severity: Severity
    document: str = ""
    value: str = ""


class TableFailure(BaseModel):
    """A table-level expectation that failed, with what was seen instead."""

    model_config = ConfigDict(frozen=True)
    expectation: str
    observed: str
    severity: Severity

    def __str__(self) -> str:
        return f"{self.expectation}: {self.observed}"


class Tally(BaseModel):
    """How many rows an expectation judged (nulls are judged by null checks alone), and how many
    failed it.
    """

    model_config = ConfigDict(frozen=True)
    key: str
    expectation: str
    severity: Severity
    mostly: float
    evaluated: int
    failed: int

    def failure(self) -> TableFailure | None:
        """The table's failure if too many rows failed; never where `mostly` is 1: there each row
        counts for itself.
        """
        good = 1 - self.failed / self.evaluated if self.evaluated else 1.0
        if self.mostly == 1 or good >= self.mostly - 1e-9:
            return None
        observed = f"{self.failed} of {self.evaluated} rows failed, {1 - self.mostly:.2%} may"
        return TableFailure(expectation=self.expectation, observed=observed, severity=self.severity)


class ValidationVerdict(BaseModel):
    """`results` are Great Expectations' own, shortened, for the Data Docs. `whole`: only the table
    was judged.
    """

    model_config = ConfigDict(frozen=True)
    kind: str
    rows: int = 0
    whole: bool = False
    failures: tuple[RowFailure, ...] = ()
    aggregates: tuple[TableFailure, ...] = ()
    tallies: tuple[Tally, ...] = ()
    results: tuple[dict[str, Any], ...] = ()

    @property
    def table_failures(self) -> tuple[TableFailure, ...]:
        """Failed aggregates, and shares of failing rows above what `mostly` allows."""
        return (
            *self.aggregates,
            *(failure for tally in self.tallies if (failure := tally.failure())),
        )

    @property
    def quarantined(self) -> dict[int | str, str]:
        """The rows that failed something critical, each with all its reasons in one sentence."""
        reasons: dict[int | str, list[str]] = defaultdict(list)
        for failure in self.failures:
            if failure.severity == "critical":
                reasons[failure.row].append(failure.expectation)
        return {row: "; ".join(why) for row, why in reasons.items()}

    def of_documents(self, documents: Sequence[str]) -> "ValidationVerdict":
        """The same, with the document of each failing row; `documents`: uris, row by row."""
        named = (
            failure.model_copy(update={"document": documents[int(failure.row)]})
            for failure in self.failures
        )
        return self.model_copy(update={"failures": tuple(named)})

    @property
    def quarantined_count(self) -> int:
        """Documents that failed something critical; where they are not known, rows. Shards number
        their rows anew, so that rows of several are not told apart.
        """
        critical = [each for each in self.failures if each.severity == "critical"]
        return len({each.document or each.row for each in critical})

    @property
    def blocking(self) -> tuple[TableFailure, ...]:
        """Why the run must not publish; empty if it may."""
        return tuple(failure for failure in self.table_failures if failure.severity == "critical")

    @property
    def warnings(self) -> list[str]:
        """Sentences for the outcome: tables that failed less than critically, and how many rows
        did, with a document of theirs.
        """
        found: dict[str, list[str]] = defaultdict(list)
        for failure in self.failures:
            if failure.severity == "warning":
                found[failure.expectation].append(failure.document)
        rows = [
            f"{self.kind}: {len(of)} {'row' if len(of) == 1 else 'rows'}: {sentence}{_example(of)}"
            for sentence, of in found.items()
        ]
        return [
            f"{self.kind}: {failure}"
            for failure in self.table_failures
            if failure.severity == "warning"
        ] + rows


def _example(documents: Sequence[str]) -> str:
    """Which document that is, or one of them; nothing where none is known."""
    named = sorted({each for each in documents if each})
    return f": {'such as ' * (len(named) > 1)}{named[0]}" if named else ""


def combine(verdicts: Iterable[ValidationVerdict]) -> ValidationVerdict:
    """The verdict over shards of one kind and the whole: tallies are summed, so that `mostly` is
    judged over all rows.

    Row labels stay what they were in each frame: quarantine before. Raises ValueError for verdicts
    of two kinds.
    """
    parts = list(verdicts)
    kinds = {verdict.kind for verdict in parts}
    if len(kinds) != 1:
        raise ValueError(f"verdicts of one kind are needed, got {sorted(kinds)}")
    shards = sum(verdict.rows for verdict in parts if not verdict.whole)
    return ValidationVerdict(
        kind=kinds.pop(),
        rows=max([shards, *(verdict.rows for verdict in parts if verdict.whole)]),
        failures=tuple(item for verdict in parts for item in verdict.failures),
        aggregates=tuple(item for verdict in parts for item in verdict.aggregates),
        tallies=_summed(item for verdict in parts for item in verdict.tallies),
        results=_merged(item for verdict in parts for item in verdict.results),
    )


def _summed(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    sums: dict[str, Tally] = {}
    for tally in tallies:
        known = sums.get(tally.key)
        added = (
            {"evaluated": known.evaluated + tally.evaluated, "failed": known.failed + tally.failed}
            if known
            else {}
        )
        sums[tally.key] = tally.model_copy(update=added)
    return tuple(sums.values())


def _merged(results: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    merged: dict[str, dict[str, Any]] = {}
    for result in results:
        known = merged.get(result["key"])
        merged[result["key"]] = _sum(known, result) if known else result
    return tuple(merged.values())


def _sum(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    left, right = first["result"], second["result"]
    counted = [
        name
        for name in ("element_count", "unexpected_count", "missing_count")
        if name in left or name in right
    ]
    total = {name: (left.get(name) or 0) + (right.get(name) or 0) for name in counted}
    if not {"element_count", "unexpected_count"} <= set(total):
        return {**first, "success": first["success"] and second["success"]}
    share = total["unexpected_count"] / max(
        total["element_count"] - total.get("missing_count", 0), 1
    )
    percents = dict.fromkeys(("unexpected_percent", "unexpected_percent_nonmissing"), 100 * share)
    samples = [*left.get("partial_unexpected_list", ()), *right.get("partial_unexpected_list", ())][
        :SAMPLES
    ]
    good = 1 - share >= first["options"].get("mostly", 1) - 1e-9
    return {
        **first,
        "success": good,
        "result": {**left, **total, **percents, "partial_unexpected_list": samples},
    }
