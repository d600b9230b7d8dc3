"""Great Expectations at work on one frame."""

import re
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.validation.catalogue import ROW, TABLE, UNIQUE
from llmops.tasks.validation.custom import class_of_type
from llmops.tasks.validation.library import great_expectations
from llmops.tasks.validation.suite import Expectation, Kind
from llmops.tasks.validation.verdict import (
    SAMPLES,
    RowFailure,
    TableFailure,
    Tally,
    ValidationVerdict,
)

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_LENGTH = 120
Judged = tuple[Expectation, Mapping[str, Any]]
"""An expectation with Great Expectations' result as JSON."""
REPLACEMENT = "�"
# No id columns: with them each failing row is searched for again; without, the index tells it.
FORMAT = {
    "result_format": "COMPLETE",
    "return_unexpected_index_query": False,
    "partial_unexpected_count": SAMPLES,
}


def validate(
    frame: "pd.DataFrame", expectations: Sequence[Expectation], kind: Kind
) -> ValidationVerdict:
    """Judge a frame, which must have unique index labels and the columns that the expectations look
    at.

    Nulls pass everything but null checks. Of rows that should be unique all but the first fail. The
    columns `characters` and `replacement_share` are computed from `text`. Raises ConfigError when
    an expectation cannot be evaluated: that is never a pass.
    """
    return judge(looked_at(frame, expectations), expectations, kind, frame.index.tolist())


def judge(
    plain: "pd.DataFrame",
    expectations: Sequence[Expectation],
    kind: Kind,
    labels: Sequence[str | int] | None = None,
) -> ValidationVerdict:
    """The same of what `looked_at` gave, numbered from 0. `labels`: what its rows are called."""
    if not expectations:
        return ValidationVerdict(kind=kind, rows=len(plain))
    names = range(len(plain)) if labels is None else labels
    judged = [
        (item, result, _rows(item, result, plain)) for item, result in _results(plain, expectations)
    ]
    return ValidationVerdict(
        kind=kind,
        rows=len(plain),
        whole=all(item.level != ROW for item in expectations),
        failures=tuple(
            RowFailure(
                row=label if isinstance(label := names[row], str) else int(label),
                expectation=item.sentence,
                severity=item.severity,
                value=_value(item, plain, row),
            )
            for item, _, rows in judged
            for row in rows
        ),
        aggregates=tuple(
            _aggregate(item, result)
            for item, result, _ in judged
            if item.level == TABLE and not result["success"]
        ),
        tallies=tuple(
            _tally(item, result, len(rows)) for item, result, rows in judged if item.level != TABLE
        ),
        results=tuple(_document(item, result, kind) for item, result, _ in judged),
    )


def _value(item: Expectation, plain: "pd.DataFrame", row: int) -> str:
    """The beginning of what failed, column by column where there are several."""
    columns = list(item.columns())
    shown = [str(plain.at[row, name]) for name in columns if name in plain.columns]
    return " · ".join(" ".join(each.split())[:SAMPLE_LENGTH] for each in shown)


def looked_at(frame: "pd.DataFrame", expectations: Sequence[Expectation]) -> "pd.DataFrame":
    """The columns that are looked at, with pandas' own dtypes, numbered from 0, since labels may be
    anything.
    """
    import pandas as pd

    needed = dict.fromkeys(name for item in expectations for name in item.columns())
    missing = {
        "text" if name in ("characters", "replacement_share") else name for name in needed
    } - set(frame.columns)
    if missing:
        hint = f"it has {', '.join(map(str, frame.columns))}"
        raise ConfigError(
            [
                Mistake(f"the frame has no column {name}", hint=hint, kind="expectation")
                for name in sorted(missing)
            ]
        )
    if not frame.index.is_unique:
        raise ValueError("the frame's index labels must be unique: failing rows are told by them")
    return pd.DataFrame(
        {name: _values(frame, name) for name in needed}, index=pd.RangeIndex(len(frame))
    )


def _values(frame: "pd.DataFrame", name: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute

    if name == "characters":
        return (
            pa.compute.utf8_length(pa.array(frame["text"], from_pandas=True)).to_pandas().to_numpy()
        )
    if name == "replacement_share":
        texts = pa.array(frame["text"], from_pandas=True).to_pylist()
        return [
            None if text is None else text.count(REPLACEMENT) / max(len(text), 1) for text in texts
        ]
    return pa.array(frame[name], from_pandas=True).to_pandas().to_numpy()


def _results(plain: "pd.DataFrame", expectations: Sequence[Expectation]) -> list[Judged]:
    """Each expectation with Great Expectations' result as JSON."""
    gx = great_expectations()
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": plain})
    suite = gx.ExpectationSuite(name="suite", expectations=_built(expectations))
    validated = batch.validate(suite, result_format=FORMAT)
    # they come back sorted by column: `meta` carries the place in the suite
    results: list[Any] = [result.to_json_dict() for result in validated.results]
    by_place = {int(result["expectation_config"]["meta"]["number"]): result for result in results}
    return _evaluated([(item, by_place[number]) for number, item in enumerate(expectations)])


def _built(expectations: Sequence[Expectation]) -> list[Any]:
    built: list[Any] = []
    wrong: list[Mistake] = []
    for number, item in enumerate(expectations):
        options: dict[str, Any] = {
            **item.options,
            "severity": item.severity,
            "meta": {"number": number},
        }
        if item.where:
            options["row_condition"] = condition(item.where)
        try:
            built.append(class_of_type(item.type)(**options))
        except (ValueError, TypeError) as error:
            wrong.append(
                Mistake(
                    f"{item.type} refuses its options: {' '.join(str(error).split())}",
                    item.place,
                    kind="expectation",
                )
            )
    if wrong:
        raise ConfigError(wrong)
    return built


def condition(where: Mapping[str, Any]) -> Any:
    """Great Expectations' form of `where`: all columns must have the value, or one of the
    values.
    """
    from great_expectations.expectations.row_conditions import Column

    parts = (
        Column(name).is_in(value) if isinstance(value, list) else Column(name) == value
        for name, value in where.items()
    )
    return reduce(and_, parts)


def _evaluated(
    pairs: list[Judged],
) -> list[Judged]:
    """The same pairs. Raises ConfigError with every expectation that raised instead of judging."""
    hint = "does it suit the column's type?"
    wrong = [
        Mistake(f"{item.type} cannot be evaluated: {reason}", item.place, hint, "expectation")
        for item, result in pairs
        if (reason := _exception(result.get("exception_info") or {}))
    ]
    if wrong:
        raise ConfigError(wrong)
    return pairs


def _exception(info: Mapping[str, Any]) -> str:
    """The exception's message; the info is one record, or one per metric."""
    records = (
        [info]
        if "raised_exception" in info
        else [item for item in info.values() if isinstance(item, Mapping)]
    )
    raised = [
        str(item.get("exception_message") or "an exception")
        for item in records
        if item.get("raised_exception")
    ]
    return re.sub(r"\s+", " ", raised[0])[:300] if raised else ""


def _rows(item: Expectation, result: Mapping[str, Any], plain: "pd.DataFrame") -> list[int]:
    """The numbers of the rows that fail, ascending."""
    rows = sorted(int(row) for row in result["result"].get("unexpected_index_list") or ())
    if item.type not in UNIQUE:
        return rows
    columns = item.options.get("column_list") or [item.options["column"]]
    repeated = plain.loc[rows, columns].duplicated(keep="first")
    return [int(row) for row in repeated[repeated].index]


def _tally(item: Expectation, result: Mapping[str, Any], failed: int) -> Tally:
    counts = result["result"]
    evaluated = (counts.get("element_count") or 0) - (counts.get("missing_count") or 0)
    return Tally(
        key=item.key,
        expectation=item.sentence,
        severity=item.severity,
        mostly=item.mostly,
        evaluated=evaluated,
        failed=failed,
    )


def _aggregate(item: Expectation, result: Mapping[str, Any]) -> TableFailure:
    return TableFailure(
        expectation=item.sentence,
        severity=item.severity,
        observed=f"observed {result['result'].get('observed_value')}",
    )


def _document(item: Expectation, result: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """What the Data Docs show of a result: counts, and a few failing values cut short."""
    kept = {
        name: value
        for name, value in result["result"].items()
        if not isinstance(value, list | dict)
        or name in ("observed_value", "partial_unexpected_list")
    }
    kept["partial_unexpected_list"] = [
        _short(value) for value in kept.get("partial_unexpected_list") or ()
    ]
    return {
        "key": item.key,
        "kind": kind,
        "type": item.type,
        "options": dict(item.options),
        "where": dict(item.where),
        "severity": item.severity,
        "success": bool(result["success"]),
        "result": _native(kept),
    }


def _native(value: object) -> object:
    """Python's own numbers: the renderer of the Data Docs trips over numpy's."""
    if isinstance(value, dict):
        return {name: _native(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_native(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def _short(value: object) -> object:
    if isinstance(value, str) and len(value) > SAMPLE_LENGTH:
        return f"{value[:SAMPLE_LENGTH]}… ({len(value)} characters)"
    return value
