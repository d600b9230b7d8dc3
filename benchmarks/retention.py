"""How large a home is after 1, 10, 20, 30, 60 and 90 nights with everything in it, and what of it.

    python -m benchmarks.retention [--nights 90] [--days 30] [--traces 20]

The starter project: each night a document changes, the knowledge base is built and the prompts are
evaluated by their real flows, on the home's own Prefect server; answers are traced, rated and
pruned; a point of live scores, a version of a data set and a training of 300 kB are recorded; then
every part of `maintain` runs, with `--days` for all that it knows by days. Last the whole home is
made a day older: the ledger, MLflow's store and the times of files. Prefect's own database cannot
be, while its server writes: its bound is in docs/operation.md, and it is left out of the sums.
"""

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import DateTime

from llmops.configs import read
from llmops.configs.evaluate import EvaluateConfig
from llmops.configs.index import IndexConfig
from llmops.deployments.starter import write_starter
from llmops.flows.running import run_flow
from llmops.tasks.ledger import close_ledgers
from llmops.tasks.ledger.whole import every_table
from llmops.tasks.maintenance.house import WORK, bases, forget, free
from llmops.tasks.maintenance.retention.policy import RetentionPolicy
from llmops.tasks.models.registry import register
from llmops.tasks.models.version import NewModel
from llmops.tasks.plugins import Spec
from llmops.tasks.traces.retention import prune
from llmops.tasks.traces.trace import TraceRecorder
from llmops.tasks.traces.trained import TrainingNote, write_note
from llmops.tasks.traces.writer import TraceWriter
from llmops.tasks.tracking import (
    DatasetRecord,
    LiveRecord,
    TrainingTracker,
    record_dataset,
    record_live,
)

APP, DAY = "helpdesk", 86_400
SHOWN = (1, 10, 20, 30, 60, 90)
KEPT_VERSIONS = 3
PARTS = ("ledger", "lake", "store", "mlflow.db", "artifacts", "files", "spool", "logs")
FOLDERS = {"lake": "lake", "store": "lancedb", "spool": "spool", "logs": "logs"}
ROWS = "".join(f'{{"messages": "question {n} of a customer"}}\n' for n in range(2_000))
SHIFTED = {
    "runs": ("start_time", "end_time", "deleted_time"),
    "model_versions": ("creation_time", "last_updated_time"),
    "trace_info": ("timestamp_ms",),
}
"""Of MLflow's store, in milliseconds."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nights", type=int, default=90)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--traces", type=int, default=20)
    chosen = parser.parse_args()
    sys.stdout.write(_row(["night", *PARTS, "MB", "maintain, CPU s"]))
    with tempfile.TemporaryDirectory() as folder:
        project, home = Path(folder) / "desk", Path(folder) / "home"
        os.environ["LLMOPS_HOME"] = str(home)
        write_starter(project)
        for night in range(1, chosen.nights + 1):
            _night(project, home, night, chosen.traces)
            spent = _maintained(home, chosen.days)
            if night in (*SHOWN, chosen.nights):
                sizes = _sizes(home)
                cells = [f"{sizes[part] / 1e6:.1f}" for part in PARTS]
                total = f"{sum(sizes.values()) / 1e6:.1f}"
                sys.stdout.write(_row([str(night), *cells, total, f"{spent:.1f}"]))
                sys.stdout.flush()
            _older(home)
    return 0


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _night(project: Path, home: Path, night: int, traces: int) -> None:
    document = project / "docs" / "support.md"
    text = document.read_text(encoding="utf-8").partition("\n## Night")[0]
    document.write_text(f"{text}\n## Night {night}\n\nIn night {night} nobody called.\n", "utf-8")
    options = ("limits.keep_versions=3",)
    run_flow(home, read(project / "handbook.yaml", IndexConfig, options))
    run_flow(home, read(project / "evaluate.yaml", EvaluateConfig))
    _traced(home, night, traces)
    record_live(home, LiveRecord(app=APP, numbers={"grounded": 0.9, "cost": 0.1}, headline="well"))
    _learnt(home, night)


def _traced(home: Path, night: int, count: int) -> None:
    writer = TraceWriter(home, APP, apart=False)
    writer.start()
    for number in range(count):
        made = TraceRecorder(APP, f"Question {number} of night {night}", conversation=f"c{number}")
        with made.span("generate", "CHAT_MODEL", {"messages": made.root.inputs}) as span:
            span.outputs = {"answer": "On the page of your account [1]. " * 20}
            span.used("small", 400, 90, 0.0001)
        writer.put(made.finish("On the page of your account [1].", "ok"))
    writer.close()


def _learnt(home: Path, night: int) -> None:
    """A version of a data set, and what was trained on it."""
    folder = home / "datasets" / APP / f"v{night}"
    folder.mkdir(parents=True)
    manifest = {"name": APP, "version": night, "content_sha256": f"{night:064x}"}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "train.jsonl").write_text(ROWS, encoding="utf-8")
    record = DatasetRecord(
        name=APP,
        version=night,
        sha256=f"{night:064x}",
        folder=str(folder),
        headline=f"{APP} v{night}",
        outcome={"rows": {"train": 2_000}},
        config={"flow": "finetune"},
        config_sha256="0" * 64,
        artifacts=(folder / "manifest.json",),
    )
    record_dataset(home, record)
    training = home / "trainings" / APP / f"trl-{night:012x}"
    training.mkdir(parents=True)
    (training / "weights.bin").write_bytes(os.urandom(300_000))
    write_note(training, TrainingNote(dataset=APP, version=night))
    with TrainingTracker(home, f"{APP} training", APP, {"train": "trl"}) as tracker:
        tracker.step(1, {"loss": 1.0 / night})
    new = NewModel(
        name=APP,
        kind="llm",
        spec=Spec(name="transformers", options={"model": f"home:/{training.relative_to(home)}"}),
        trainer={"name": "trl"},
        dataset=f"{APP} v{night}",
        folder=training.relative_to(home).as_posix(),
    )
    register(home, new, tracker.run_id)


def _maintained(home: Path, days: float) -> float:
    began = time.process_time()
    policy = RetentionPolicy(
        **{name: days for name in RetentionPolicy.model_fields if name.endswith("_days")}
    )
    parts = [free(home, name, paid=True) for name in bases(home)]
    prune(home, APP, days)
    parts += [forget(home, what, policy) for what in WORK]
    failed = [f"{part.what}: {part.told}" for part in parts if part.status == "failed"]
    if failed:
        raise SystemExit("; ".join(failed))
    return time.process_time() - began


def _older(home: Path) -> None:
    """By a day, all but the audit log, whose hashes cover its times, and Prefect's database."""
    close_ledgers()
    with closing(sqlite3.connect(home / "ledger.db", timeout=60)) as connection, connection:
        for table in every_table():
            for column in table.c:
                if isinstance(column.type, DateTime) and table.name != "audit":
                    connection.execute(
                        f"UPDATE {table.name} SET {column.name} = strftime("
                        f"'%Y-%m-%d %H:%M:%S.000000', {column.name}, '-1 day') "
                        f"WHERE {column.name} IS NOT NULL"
                    )
    with (
        closing(sqlite3.connect(home / "mlflow" / "mlflow.db", timeout=60)) as connection,
        connection,
    ):
        for name, columns in SHIFTED.items():
            for column in columns:
                connection.execute(f"UPDATE {name} SET {column} = {column} - {1000 * DAY}")
    for path in home.rglob("*"):
        if path.is_file() and "prefect" not in path.parts and path.suffix != ".db":
            with suppress(FileNotFoundError):
                at = path.stat().st_mtime - DAY
                os.utime(path, (at, at))


def _sizes(home: Path) -> Mapping[str, int]:
    sizes = dict.fromkeys(PARTS, 0)
    for path in home.rglob("*"):
        top = path.relative_to(home).parts[0]
        if not path.is_file() or top == "prefect":
            continue
        part = next((name for name, folder in FOLDERS.items() if folder == top), "files")
        if top.startswith("ledger.db"):
            part = "ledger"
        elif top == "mlflow":
            part = "artifacts" if "artifacts" in path.parts else "mlflow.db"
        sizes[part] += path.stat().st_size
    return sizes


if __name__ == "__main__":
    raise SystemExit(main())
