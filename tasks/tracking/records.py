"""Numbers, settings and tables by MLflow's names and within its limits."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.entities import Dataset
    from mlflow.tracking import MlflowClient

KEY_LENGTH = 250  # of MLflow's keys, in characters
VALUE_LENGTH = 6000  # of a parameter's value
TAG_LENGTH = 8000  # of a tag's value
NUMBERED = ("version", "previous_version", "candidate")
PARAMETERS_PER_CALL, METRICS_PER_CALL = 100, 500


def key(name: str) -> str:
    """A name that MLflow takes: `recall@5` becomes `recall_at_5`, other characters that it refuses
    become `_`.
    """
    safe = re.sub(r"[^/\w.\- ]", "_", name.replace("@", "_at_"))
    parts = [part for part in safe.split("/") if part.strip(". ")]
    return "/".join(parts)[:KEY_LENGTH].strip("/") or "_"


def parameters(config: Mapping[str, object]) -> dict[str, str]:
    """The config's leaves: `chunk.size`, `sources.0.path`. Lists of plain values stay together, as
    JSON.
    """
    return {key(path): cut(text, VALUE_LENGTH) for path, text in _leaves(config)}


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    items: Iterable[tuple[object, object]] | None = None
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple) and any(
        isinstance(each, Mapping | list | tuple) for each in value
    ):
        items = enumerate(value)
    if items is not None:
        for name, item in items:
            yield from _leaves(item, f"{path}.{name}" if path else str(name))
    elif path:
        plain = isinstance(value, str)
        yield path, str(value) if plain else json.dumps(value, ensure_ascii=False, default=str)


def metrics(outcome: Mapping[str, object]) -> dict[str, float]:
    """The outcome's finite numbers: `documents/new`, `gate/recall_at_5/candidate`,
    `gate/recall_at_5/interval_low`.
    """
    return {key(path): number for path, number in _numbers(outcome) if math.isfinite(number)}


def charted(numbers: Mapping[str, float]) -> dict[str, float]:
    """The same under names by which MLflow's charts begin with the gate and what was measured: it
    makes a section of what stands before the last slash, in the order of the alphabet, and puts
    names without one last. Counts become `size/documents_new`.
    """
    counted = ("documents/", "chunks/", "embeddings/")
    return {
        f"size/{name.replace('/', '_')}" if name.startswith(counted) else name: number
        for name, number in numbers.items()
    }


def _numbers(value: object, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if path or name not in NUMBERED:
                yield from _numbers(
                    item, path if name == "metrics" else f"{path}/{name}".lstrip("/")
                )
    elif path.endswith("/interval") and isinstance(value, list | tuple) and len(value) == 2:
        for end, item in zip(("low", "high"), value, strict=True):
            yield from _numbers(item, f"{path}_{end}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, float(value)


def table(rows: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
    """Rows in the form of mlflow.log_table, which itself warns with pandas 3; nested values as
    JSON, for the cells.
    """
    names: list[object] = list(dict.fromkeys(name for row in rows for name in row))
    return {
        "columns": names,
        "data": [[_cell(row.get(str(name))) for name in names] for row in rows],
    }


def _cell(value: object) -> object:
    plain = value is None or isinstance(value, str | int | float)
    return value if plain else json.dumps(value, ensure_ascii=False, default=str)


def log(
    client: "MlflowClient",
    run: str,
    numbers: Mapping[str, object],
    settings: Mapping[str, str],
    at: int = 0,
) -> None:
    """In as few calls as MLflow's limits allow. What is not a finite number is left out. `at`: in
    milliseconds since the epoch.
    """
    from mlflow.entities import Metric, Param

    values = [Metric(name, value, at, 0) for name, value in metrics(numbers).items()]
    options = [Param(name, value) for name, value in settings.items()]
    for start in range(0, len(values), METRICS_PER_CALL):
        client.log_batch(run, metrics=values[start : start + METRICS_PER_CALL])
    for start in range(0, len(options), PARAMETERS_PER_CALL):
        client.log_batch(run, params=options[start : start + PARAMETERS_PER_CALL])


def log_dataset(client: "MlflowClient", run: str, dataset: "Dataset", context: str) -> None:
    """What went into a run. The entity itself: mlflow.data would want the rows, to hash and profile
    them again. `context`: what it was for, as MLflow's interface shows it.
    """
    from mlflow.entities import DatasetInput, InputTag
    from mlflow.exceptions import MlflowException

    inputs = [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])]
    try:
        client.log_inputs(run, inputs)
    except MlflowException as error:
        if error.error_code != "BAD_REQUEST":
            raise
        # MLflow looks for the data set and then enters it; another process was in between, so this
        # time it is there
        client.log_inputs(run, inputs)


def as_json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def cut(text: str, limit: int) -> str:
    """A text that is not longer than MLflow takes it."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
