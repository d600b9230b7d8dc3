"""The cases of a report: the biggest losses and wins in full, the rest as rows; texts of a bounded
size.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmops.tasks.decisions.evidence import Evidence
from llmops.tasks.decisions.report_words import Piece, highlighted
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.run import Result, question
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.scorers import Case, Passage

FULL, ERRORS, ROWS = 120, 30, 3000
ANSWER, REASON, PASSAGE, PASSAGES, LINE, OTHERS = 6000, 600, 1200, 8, 160, 6
TEXT = 3_000_000  # characters of all cases in full together


@dataclass
class Row:
    """One case in the table. `outcome`: win, loss, tie or error; `sides`: the two answers, where
    the case is shown in full; `shared`: both were shown the same passages, which stand with the
    first."""

    id: str
    line: str
    tags: list[str]
    outcome: str
    old: float | None
    new: float | None
    difference: float | None
    errors: int
    full: bool = False
    question: str = ""
    expected: str = ""
    shared: bool = False
    sides: "list[Side]" = field(default_factory=list)
    others: "list[Side]" = field(default_factory=list)
    scores: "list[tuple[str, str, str, str, str]]" = field(default_factory=list)


@dataclass
class Side:
    """What one arm said to one case."""

    arm: str
    pieces: list[Piece]
    error: str
    note: str
    passages: list[Passage]


def rows(
    record: Mapping[str, Any], evidence: Evidence, results: Iterable[Result], cases: CaseSet
) -> tuple[list[Row], int]:
    """The rows, biggest differences first, and how many cases have none. Of the results only those
    shown in full are kept.
    """
    known = {case.id: case for case in cases.cases}
    made = [
        _row(known[case], place, record, evidence)
        for place, case in enumerate(evidence.pairs.cases)
    ]
    made.sort(key=lambda row: (-abs(row.difference or 0.0), row.outcome != "error", row.id))
    shown = made[:ROWS]
    wanted = {
        row.id
        for row in [
            *[row for row in shown if row.outcome != "error"][:FULL],
            *[row for row in shown if row.outcome == "error"][:ERRORS],
        ]
    }
    kept: dict[str, dict[str, Result]] = {case: {} for case in wanted}
    for result in results:
        if result.case_id in wanted and (
            result.arm not in kept[result.case_id] or result.repeat == 0
        ):
            kept[result.case_id][result.arm] = result
    left = TEXT
    for row in shown:
        if row.id in wanted and left > 0:
            left -= _fill(row, known[row.id], kept[row.id], record)
    return shown, len(made) - len(shown)


def _row(case: Case, place: int, record: Mapping[str, Any], evidence: Evidence) -> Row:
    metric = record["metric"]
    kind = evidence.metrics[metric]
    new, old = (
        _value(evidence.column(arm, metric)[place])
        for arm in (record["candidate"], record["baseline"])
    )
    old = 0.5 if kind.pairwise and new is not None else old
    errors = sum(
        evidence.pairs.errors[arm][place] for arm in (record["baseline"], record["candidate"])
    )
    difference = new - old if new is not None and old is not None else None
    turned = kind.sign * (difference or 0.0)
    outcome = "error" if errors else "win" if turned > 0 else "loss" if turned < 0 else "tie"
    return Row(
        case.id,
        _cut(" ".join(question(case.inputs).split()), LINE),
        list(case.tags),
        outcome,
        old,
        new,
        difference,
        errors,
    )


def _value(value: float) -> float | None:
    return None if value != value else float(value)  # NaN


def _fill(row: Row, case: Case, found: Mapping[str, Result], record: Mapping[str, Any]) -> int:
    """Put the texts in; returns how many characters they are."""
    row.full, row.question, row.expected = (
        True,
        _cut(question(case.inputs), ANSWER),
        _expected(case),
    )
    names = [record["baseline"], record["candidate"]]
    texts = [_cut(found[name].answer, ANSWER) if name in found else "" for name in names]
    pieces = highlighted(*texts)
    row.sides = [
        _side(name, found.get(name), list(marked))
        for name, marked in zip(names, pieces, strict=True)
    ]
    rest = [name for name in record["arms"] if name not in names][:OTHERS]
    row.others = [
        _side(name, found.get(name), [Piece(_cut(found[name].answer, ANSWER), False)])
        for name in rest
        if name in found
    ]
    if row.sides[0].passages == row.sides[1].passages:
        row.sides[1].passages = []
        row.shared = True
    row.scores = _scores([found.get(name) for name in names])
    sides = [*row.sides, *row.others]
    return (
        len(row.question)
        + len(row.expected)
        + sum(len(piece.text) for side in sides for piece in side.pieces)
        + sum(len(passage.text) for side in sides for passage in side.passages)
    )


def _side(name: str, result: Result | None, pieces: list[Piece]) -> Side:
    if result is None:
        return Side(name, [], "no result", "", [])
    spent = f", {result.cost_usd:.4g} USD" if result.cost_usd else ""
    note = (
        f"{result.latency_ms:,.0f} ms, {result.tokens_in + result.tokens_out:,} "
        f"tokens{spent}{', remembered' if result.cached else ''}"
    )
    passages = [
        passage.model_copy(update={"text": _cut(passage.text, PASSAGE)})
        for passage in result.passages[:PASSAGES]
    ]
    return Side(
        name,
        pieces,
        _cut(result.error, REASON),
        "" if result.status == "errored" else note,
        passages,
    )


def _scores(found: Sequence[Result | None]) -> list[tuple[str, str, str, str, str]]:
    """Metric, both values, both reasons."""
    given = [result.scores if result else {} for result in found]
    table = []
    for name in dict.fromkeys(name for scores in given for name in scores):
        cells = [scores.get(name) for scores in given]
        values = [
            "–"
            if cell is None or cell.value is None
            else f"{cell.value:.3f}".rstrip("0").rstrip(".")
            for cell in cells
        ]
        reasons = [
            "" if cell is None else _cut(("failed: " if cell.failed else "") + cell.reason, REASON)
            for cell in cells
        ]
        table.append((name, values[0], values[1], reasons[0], reasons[1]))
    return table


def _expected(case: Case) -> str:
    answer = case.expected.get("answer")
    whole = (
        answer
        if isinstance(answer, str) and len(case.expected) == 1
        else canonical(case.expected)
        if case.expected
        else ""
    )
    return _cut(whole, ANSWER)


def _cut(text: str, length: int) -> str:
    return (
        text
        if len(text) <= length
        else f"{text[:length]}… ({len(text) - length:,} more characters)"
    )
