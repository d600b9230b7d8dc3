"""A decision in MLflow: its numbers, and the files that go with it: the record, the report, the
cases as they were, every result.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue

from llmops.tasks.decisions.decision import ArmNumbers, Decision
from llmops.tasks.decisions.report import report_html
from llmops.tasks.decisions.words import number
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.results import Result, RunPart, read_results
from llmops.tasks.tracking.evaluation import ArmRecord, EvaluationRecord, record_evaluation

RECORD, REPORT, CASES, TABLE, RESULTS = (
    "decision.json",
    "report.html",
    "cases.jsonl",
    "results.json",
    "results.parquet",
)
CELL = 1000
NOTE, MOST_WARNINGS = 1000, 5
UNSAFE = re.compile(r"[\x00-\x1f\x7f`*\\|#]|<(?=[A-Za-z/!?])")
PLAIN = (
    "case_id",
    "arm",
    "repeat",
    "status",
    "error",
    "answer",
    "latency_ms",
    "tokens_in",
    "tokens_out",
    "cost_usd",
    "cached",
)
HEADLINE = (
    "n",
    "difference",
    "interval",
    "p_value",
    "minimum_detectable_effect",
    "cases_needed",
    "cases",
    "spent",
    "seconds",
)


def track(
    home: Path, decision: Decision, parts: Sequence[RunPart], cases: CaseSet, uri: str | None = None
) -> Decision:
    """The decision with the id and the links of its MLflow run, in which it is recorded. Raises
    Unavailable, LlmopsError as `record_evaluation`.
    """

    def write(folder: Path, run: str, page: str) -> dict[str, int]:
        links = {**decision.links, "mlflow": page}
        known = decision.model_copy(update={"mlflow_run_id": run, "links": links})
        return write_files(folder, known, parts, cases)

    tracked = record_evaluation(home, _recorded(decision, cases), write, uri)
    links = {**decision.links, **tracked.links}
    return decision.model_copy(update={"mlflow_run_id": tracked.run_id, "links": links})


def _recorded(decision: Decision, cases: CaseSet) -> EvaluationRecord:
    content = decision.content()
    return EvaluationRecord(
        name=decision.name,
        decision=decision.id,
        tags={
            "verdict": decision.verdict,
            "reason": decision.reason,
            "candidate": decision.candidate,
            "baseline": decision.baseline,
            "decision_sha256": decision.sha256,
            "dataset_sha256": decision.dataset_sha256,
            "config_sha256": decision.config_sha256,
            "prefect_run_id": decision.prefect_run_id,
            "prefect_url": decision.links.get("prefect"),
            "deciding_metric": decision.metric,
            "mlflow.note.content": note(decision),
        },
        numbers={
            "decision": {name: content[name] for name in HEADLINE},
            **_deciding(decision, decision.candidate),
        },
        settings={
            "decide": content["rule"],
            "promote": content["promote"] or "",
            "repeats": decision.repeats,
            "budget": content["budget"],
        },
        arms=tuple(_arm(decision, name) for name in decision.arms),
        dataset_sha256=cases.sha256,
        cases=len(cases.cases),
        used=decision.cases.used,
        table=TABLE,
        report=REPORT,
        record=RECORD,
    )


def _arm(decision: Decision, name: str) -> ArmRecord:
    arm, compared = decision.arms[name], decision.comparisons.get(name)
    numbers = arm.content()
    measures = {
        metric: {"value": measure.value, "interval": measure.interval, "n": measure.n}
        for metric, measure in arm.metrics.items()
    }
    differences = {
        metric: {
            "value": figures.difference,
            "interval": figures.interval,
            "p_value": figures.p_value,
        }
        for metric, figures in (compared.metrics if compared else {}).items()
    }
    version = arm.prompt.version
    return ArmRecord(
        name=name,
        verdict=compared.verdict if compared else "baseline",
        prompt=None if version is None else (arm.prompt.name, version),
        numbers={
            **_deciding(decision, name),
            **{count: numbers[count] for count in ArmNumbers.model_fields if count != "metrics"},
            "metric": measures,
            "difference": differences,
        },
        settings={
            "prompt": numbers["prompt"],
            "llm": arm.llm,
            "retrieve": arm.retrieve or "none",
        },
    )


def _deciding(decision: Decision, arm: str) -> dict[str, object]:
    """The metric that decides, by its own name: the first column of a list of runs."""
    measure = decision.arms[arm].metrics.get(decision.metric)
    return {decision.metric: measure.value} if measure else {}


def note(decision: Decision) -> str:
    """The run's description, for people who look through a list: MLflow shows it in its table as
    it is, so that it holds no more marks than headings and links.
    """
    new, old = (_shown(decision, name) for name in (decision.candidate, decision.baseline))
    lines = [
        f"**{decision.verdict}**: {_plain(decision.reason)}",
        f"{_plain(decision.metric)}, which decides: {new}, {old}",
        *(f"What now: {_plain(decision.hint)}" for _ in [0] if decision.hint),
        *(f"Warning: {_plain(each)}" for each in decision.warnings[:MOST_WARNINGS]),
        *(
            f"[{name}]({target})"
            for name, target in decision.links.items()
            if re.fullmatch(r"https?://[^\s<>()]+", target)
        ),
    ]
    return "\n\n".join(lines)


def _shown(decision: Decision, name: str) -> str:
    measure = decision.arms[name].metrics.get(decision.metric)
    value = "not measured" if measure is None else number(measure.value)
    return f"{_plain(name)} {value}"


def _plain(text: str) -> str:
    """On one line, and without what would be markup, a link or HTML."""
    return " ".join(UNSAFE.sub(" ", text).replace("](", "] (").split())[:NOTE]


def write_files(
    folder: Path, decision: Decision, parts: Sequence[RunPart], cases: CaseSet
) -> dict[str, int]:
    """Write them all; returns the name and the size in bytes of each. Results are streamed;
    `results.json` is MLflow's form of a table.

    `results.parquet` holds everything of every result, `results.json` long texts cut and the values
    of the scores alone.
    """
    (folder / RECORD).write_text(_json(decision.content()), encoding="utf-8")
    (folder / REPORT).write_text(report_html(decision, _results(parts), cases), encoding="utf-8")
    (folder / CASES).write_text(
        "".join(f"{_json(case.model_dump(mode='json'))}\n" for case in cases.cases),
        encoding="utf-8",
    )
    rows = _table(folder / TABLE, decision, parts)
    whole = _together(folder / RESULTS, parts)
    if rows != whole:
        raise AssertionError(
            f"{whole} results, but {rows} rows in the table"
        )  # a bug: the same files were read twice
    return {
        name: (folder / name).stat().st_size
        for name in (RECORD, REPORT, CASES, TABLE, RESULTS)
        if (folder / name).exists()
    }


def _results(parts: Sequence[RunPart]) -> Iterator[Result]:
    for part in sorted(parts, key=lambda one: one.number):
        yield from read_results(part.file)


def _table(path: Path, decision: Decision, parts: Sequence[RunPart]) -> int:
    metrics = [name for name in decision.metrics if name not in ("latency", "cost")]
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"columns": {_json([*PLAIN, *metrics])}, "data": [')
        for result in _results(parts):
            values = {name: score.value for name, score in result.scores.items()}
            values |= {
                f"{name}.{part}": value
                for name, score in result.scores.items()
                for part, value in score.parts.items()
            }
            cells = [_cell(getattr(result, name)) for name in PLAIN] + [
                values.get(name) for name in metrics
            ]
            file.write(f"{',' if count else ''}\n{_json(cells)}")
            count += 1
        file.write("\n]}\n")
    return count


def _together(path: Path, parts: Sequence[RunPart]) -> int:
    """All parts in one file, a row group each; none where there are no parts. The files of parts
    share one schema, but for columns that hold nothing in one of them."""
    count, writer = 0, None
    files = [part.file for part in sorted(parts, key=lambda one: one.number)]
    schema = (
        pa.unify_schemas([pq.read_schema(file) for file in files], promote_options="permissive")
        if files
        else None
    )
    try:
        for file in files:
            writer = writer or pq.ParquetWriter(path, schema)
            table = pq.read_table(file).cast(schema)
            writer.write_table(table)
            count += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return count


def _cell(value: JsonValue) -> JsonValue:
    return f"{value[:CELL]}…" if isinstance(value, str) and len(value) > CELL else value


def _json(value: object) -> str:
    """On one line; half of a surrogate pair stays an escape, which UTF-8 can hold."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return (
        text
        if not any("\ud800" <= one <= "\udfff" for one in text)
        else json.dumps(value, allow_nan=False)
    )
