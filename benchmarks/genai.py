"""`mlflow.genai.evaluate` on trivial rows, in a process of its own: what it takes, and what of it
is in the store afterwards.

    python -m benchmarks.genai ROWS FOLDER

`FOLDER` holds a prepared store, `mlflow/mlflow.db`. Prints one JSON object on the last line. With 0
rows it only counts what is there.
"""

import importlib.util
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.echo import last_word
from llmops.tasks.plugins.scorers import Case, Sample
from llmops.tasks.plugins.scorers.exact_match import ExactMatchScorer
from llmops.tasks.tracking.store import QUIET, artifact_root, tracking_uri


def main() -> int:
    rows, folder = int(sys.argv[1]), Path(sys.argv[2])
    os.environ.update(
        {
            "MLFLOW_TRACKING_URI": tracking_uri(folder, None),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            **QUIET,
        }
    )
    import mlflow

    if importlib.util.find_spec(
        "litellm"
    ):  # MLflow imports it where it is installed: seconds that are not of its own making
        importlib.import_module("litellm")
    if rows == 0:
        sys.stdout.write(f"{json.dumps(stored(mlflow))}\n")
        return 0
    mlflow.create_experiment("trivial", artifact_location=artifact_root(tracking_uri(folder, None)))
    mlflow.set_experiment("trivial")
    began, before = time.perf_counter(), cpu()
    calls, result = evaluated(rows)
    inside = {"wall": time.perf_counter() - began, "cpu": cpu() - before}
    found = inside | {
        "calls": calls,
        "mean": float(result.metrics.get("exact/mean", "nan")),
        **stored(mlflow),
    }
    sys.stdout.write(f"\n{json.dumps(found)}\n")
    return 0


def evaluated(rows: int) -> tuple[int, Any]:
    """How often the predict function was called, and MLflow's result. Whatever it logs in the
    background is waited for.
    """
    import mlflow
    from mlflow.genai.scorers import scorer

    calls: list[str] = []

    def predict(question: str) -> str:
        calls.append(question)
        return last_word(question)

    @scorer
    def exact(outputs: str, expectations: dict[str, Any]) -> float:
        case = Case(id="row", inputs={}, expected=expectations)
        return ExactMatchScorer().score(Sample(case=case, answer=outputs)).value or 0.0

    data = [
        {"inputs": {"question": question}, "expectations": {"answer": last_word(question)}}
        for question in questions(rows)
    ]
    result = mlflow.genai.evaluate(data=data, predict_fn=predict, scorers=[exact])
    mlflow.flush_trace_async_logging()
    return len(calls), result


def questions(rows: int) -> list[str]:
    """Short and all different."""
    return [f"What is the last word of sentence number {number}" for number in range(rows)]


def stored(mlflow: Any) -> dict[str, int]:
    """The traces in the store, and those of them that have the scorer's value."""
    experiment = mlflow.get_experiment_by_name("trivial")
    if experiment is None:  # it was ended before it began
        return {"traces": 0, "scored": 0}
    traces = mlflow.search_traces(
        locations=[experiment.experiment_id], max_results=100_000, return_type="list"
    )
    return {
        "traces": len(traces),
        "scored": sum(
            any(one.name == "exact" for one in trace.info.assessments) for trace in traces
        ),
    }


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
