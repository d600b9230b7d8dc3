"""The report of a decision: one HTML file that needs nothing else, and believes nothing that a
model wrote. The biggest losses and wins are shown in full, the other cases as rows, texts of a
bounded size; what the one answer says and the other does not is marked.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmops.tasks.decisions.charts import forests, scatters
from llmops.tasks.decisions.decision import Decision
from llmops.tasks.decisions.evidence import Evidence
from llmops.tasks.decisions.summary import costs, effect, unit_of
from llmops.tasks.decisions.words import number, percent
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.results import Result
from llmops.tasks.evaluation.run import question
from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.scorers import Case, Passage
from llmops.tasks.texts.scripts import UNSPACED

if TYPE_CHECKING:
    from markupsafe import Markup

FOLDER = Path(__file__).parent
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
SIGNS = {"promote": "▲", "reject": "▼", "inconclusive": "◆"}
OUTCOMES = {"win": "▲ won", "loss": "▼ lost", "tie": "= even", "error": "! error"}
FULL, ERRORS, ROWS = 120, 30, 3000
ANSWER, REASON, PASSAGE, PASSAGES, LINE, OTHERS = 6000, 600, 1200, 8, 160, 6
TEXT = 3_000_000  # characters of all cases in full together
# Scripts without spaces go by character, others by word; spaces and signs by themselves.
TOKEN = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+|\s+|[^\w\s]")
MOST_TOKENS = 1500
LEAST_COMMON = 0.3  # of the words of the shorter text


def report_html(decision: Decision, results: Iterable[Result], cases: CaseSet) -> str:
    """The report, some megabytes at most. `results`: of all parts, streamed once.

    It runs only the script and style that it carries (by their hashes), loads nothing, and shows
    all texts as text.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    shown, left = rows(decision, results, cases)
    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"figure": number, "percent": percent, "effect": effect}
    style, script = _part("report.css"), _part("report.js")
    tags = sorted({tag for row in shown for tag in row.tags})
    counts = {name: sum(row.outcome == name for row in shown) for name in OUTCOMES}
    written = templates.get_template("report.html.j2").render(
        record=decision,
        pages=_pages(decision.links),
        reason=decision.reason.split("; "),
        rows=shown,
        left=left,
        full=sum(row.full for row in shown),
        forests=forests(decision),
        scatters=scatters(decision),
        tags=tags,
        signs=SIGNS,
        outcomes=OUTCOMES,
        counts=counts,
        style=style,
        script=script,
        numbers=_columns(decision),
        costs=costs(decision),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    return CONTROL.sub("\ufffd", written)


def _pages(links: Mapping[str, str]) -> list[tuple[str, str]]:
    """The run in both interfaces, where a browser finds them."""
    return [
        (name, links[key])
        for key, name in (("mlflow", "run in MLflow"), ("prefect", "run in Prefect"))
        if links.get(key, "").startswith(("http://", "https://"))
    ]


def _columns(decision: Decision) -> dict[str, str]:
    """The metrics of the table of arms, each with its heading: the deciding one, the guards, then
    the others; parts of scorers are left to the record, and costs of nothing.
    """
    deciding = [decision.metric, *decision.rule.not_worse]
    there = {name for arm in decision.arms.values() for name in arm.metrics}
    rest = sorted(name for name in there if "." not in name)
    if not costs(decision):
        rest = [name for name in rest if name != "cost"]
    units = {name: unit_of(decision, name) for name in there}
    return {
        name: f"{name}, {units[name]}" if units[name] else name
        for name in dict.fromkeys([*deciding, *rest])
        if name in there
    }


def _part(name: str) -> "Markup":
    from markupsafe import Markup

    return Markup((FOLDER / name).read_text(encoding="utf-8"))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class Stretch(NamedTuple):
    """A stretch of text; `own`: the other text does not have it."""

    text: str
    own: bool


@dataclass
class Side:
    """What one arm said to one case."""

    arm: str
    pieces: list[Stretch]
    error: str
    note: str
    passages: list[Passage]


@dataclass
class CaseRow:
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
    sides: list[Side] = field(default_factory=list)
    others: list[Side] = field(default_factory=list)
    scores: list[tuple[str, str, str, str, str]] = field(default_factory=list)


def rows(
    decision: Decision, results: Iterable[Result], cases: CaseSet
) -> tuple[list[CaseRow], int]:
    """The rows, biggest differences first, and how many cases have none. Of the results only those
    shown in full are kept.
    """
    known, evidence = {case.id: case for case in cases.cases}, decision.evidence()
    made = [
        _row(known[case], place, decision, evidence)
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
            left -= _fill(row, known[row.id], kept[row.id], decision)
    return shown, len(made) - len(shown)


def _row(case: Case, place: int, decision: Decision, evidence: Evidence) -> CaseRow:
    metric = decision.metric
    kind = evidence.metrics[metric]
    new, old = (
        _value(evidence.column(arm, metric)[place])
        for arm in (decision.candidate, decision.baseline)
    )
    old = 0.5 if kind.pairwise and new is not None else old
    errors = sum(
        evidence.pairs.errors[arm][place] for arm in (decision.baseline, decision.candidate)
    )
    difference = new - old if new is not None and old is not None else None
    turned = kind.sign * (difference or 0.0)
    outcome = "error" if errors else "win" if turned > 0 else "loss" if turned < 0 else "tie"
    return CaseRow(
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


def _fill(row: CaseRow, case: Case, found: Mapping[str, Result], decision: Decision) -> int:
    """Put the texts in; returns how many characters they are."""
    row.full, row.question, row.expected = (
        True,
        _cut(question(case.inputs), ANSWER),
        _expected(case),
    )
    names = [decision.baseline, decision.candidate]
    texts = [_cut(found[name].answer, ANSWER) if name in found else "" for name in names]
    pieces = highlighted(*texts)
    row.sides = [
        _side(name, found.get(name), list(marked))
        for name, marked in zip(names, pieces, strict=True)
    ]
    rest = [name for name in decision.arms if name not in names][:OTHERS]
    row.others = [
        _side(name, found.get(name), [Stretch(_cut(found[name].answer, ANSWER), False)])
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


def _side(name: str, result: Result | None, pieces: list[Stretch]) -> Side:
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


def highlighted(old: str, new: str) -> tuple[list[Stretch], list[Stretch]]:
    """Both texts in pieces. Very long ones, and those that have few words in common, are not
    marked: all would be.

    Spaces and signs that stand alone between words of the one text are its own, too.
    """
    left, right = TOKEN.findall(old), TOKEN.findall(new)
    whole = [Stretch(old, False)] if old else [], [Stretch(new, False)] if new else []
    if max(len(left), len(right)) > MOST_TOKENS:
        return whole
    blocks = [
        block
        for block in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
        if not block.size or _words(left[block.a : block.a + block.size])
    ]
    common = sum(_words(left[block.a : block.a + block.size]) for block in blocks)
    if common < LEAST_COMMON * max(1, min(_words(left), _words(right))):
        return whole
    marked: tuple[list[Stretch], list[Stretch]] = ([], [])
    for tokens, side, starts in (
        (left, marked[0], [block.a for block in blocks]),
        (right, marked[1], [block.b for block in blocks]),
    ):
        done = 0
        for start, block in zip(starts, blocks, strict=True):
            _add(side, tokens[done:start], True)
            _add(side, tokens[start : start + block.size], False)
            done = start + block.size
    return marked


def _words(tokens: Sequence[str]) -> int:
    return sum(token[0].isalnum() for token in tokens)


def _add(pieces: list[Stretch], tokens: Sequence[str], own: bool) -> None:
    text = "".join(tokens)
    if text:
        pieces.append(Stretch(text, own and bool(text.strip())))
