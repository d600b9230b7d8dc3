"""How large a home is after 1, 10, 20, 30, 60 and 90 nights with everything in it, and what of it.

    python -m benchmarks.retention [--nights 90] [--days 30] [--traces 20]

Each night a document changes and the knowledge base is built by the rooms of its flow, without
Prefect around them; a decision with its run, record and results of 200 cases, traced answers, a
point of live scores, a version of a data set and a training of 300 kB are written as their flows
write them; then every part of `maintain` runs and old traces are pruned, with `--days` for all that
is known by days. Last the whole home is made a day older: the ledger, MLflow's store and the times
of files. What Prefect's database comes to is measured apart: docs/operation.md.
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

from sqlalchemy import DateTime, insert

from llmops.tasks.ledger import close_ledgers, now, open_ledger
from llmops.tasks.ledger.tables import decisions
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
    BuildRecord,
    DatasetRecord,
    LiveRecord,
    TrainingTracker,
    record_build,
    record_dataset,
    record_live,
)
from llmops.tasks.tracking.evaluation import ArmRecord, EvaluationRecord, record_evaluation
from tests.workshop import TEXTS, Workshop

PLUGINS = Path(__file__).parent.parent / "tests" / "plugin_package"
"""The source `memory`, of which a build needs no files."""
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
    sys.path.insert(0, str(PLUGINS))
    sys.stdout.write(_row(["night", *PARTS, "MB", "maintain, CPU s"]))
    with tempfile.TemporaryDirectory() as folder:
        shop = Workshop(Path(folder), Spec(name="lancedb"), APP)
        shop.embedder, home = Spec(name="hash"), shop.home
        for night in range(1, chosen.nights + 1):
            _night(shop, night, chosen.traces)
            spent = _maintained(home, chosen.days)
            if night in (*SHOWN, chosen.nights):
                sizes = _sizes(home)
                cells = [f"{sizes[part] / 1e6:.1f}" for part in PARTS]
                total = f"{sum(sizes.values()) / 1e6:.1f}"
                sys.stdout.write(_row([str(night), *cells, total, f"{spent:.1f}"]))
                sys.stdout.flush()
            older(home)
    return 0


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _night(shop: Workshop, night: int, traces: int) -> None:
    texts = TEXTS | {"d0.txt": f"In night {night} a boat of harbour {night} lit its lamps."}
    version = shop.build(texts, keep=KEPT_VERSIONS)
    outcome = {"status": "published", "version": version, "candidate": version, "seconds": 1.0}
    build = BuildRecord(
        knowledge_base=APP, outcome=outcome, config={"flow": "index"}, config_sha256="0" * 64
    )
    shop.recorded(mlflow_run_id=record_build(shop.home, build))
    _decided(shop.home, night)
    _traced(shop.home, night, traces)
    live = LiveRecord(app=APP, numbers={"grounded": 0.9, "cost": 0.1}, headline="well")
    record_live(shop.home, live)
    _learnt(shop.home, night)


def _decided(home: Path, night: int) -> None:
    """An evaluation that promoted nothing: the run, the record, the row, the results."""
    key = f"{APP}-{night:06}"
    pairs = {"cases": [f"c{n}" for n in range(200)], "values": [n / 200 for n in range(200)]}
    record = {"id": key, "arms": {"a": {}, "b": {}}, "config": {}, "pairs": pairs}
    text = json.dumps(record)

    def write(folder: Path, _experiment: str, _run: str) -> Mapping[str, int]:
        files = {"decision.json": text, "report.html": text * 20, "results.json": text * 5}
        for name, content in files.items():
            (folder / name).write_text(content, encoding="utf-8")
        return {name: len(content) for name, content in files.items()}

    told = EvaluationRecord(
        name=APP,
        decision=key,
        tags={"verdict": "reject"},
        numbers={"n": 200},
        settings={},
        arms=tuple(
            ArmRecord(name=arm, verdict="reject", numbers={"n": 200}, settings={}) for arm in "ab"
        ),
        dataset_sha256="0" * 64,
        cases=200,
        used=200,
        table="results.json",
        report="report.html",
        record="decision.json",
    )
    run = record_evaluation(home, told, write).run_id
    results = home / "evaluations" / key / "scored-0001.parquet"
    results.parent.mkdir(parents=True)
    results.write_text(text * 5, encoding="utf-8")
    (home / "decisions").mkdir(exist_ok=True)
    (home / "decisions" / f"{key}.json").write_text(text, encoding="utf-8")
    row = {"id": key, "name": APP, "sha256": key, "verdict": "reject", "record": record}
    with open_ledger(home).write() as connection:
        connection.execute(insert(decisions).values(**row, mlflow_run_id=run, created_at=now()))


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


def older(home: Path, days: int = 1) -> None:
    """All of it but the audit log, whose hashes cover its times."""
    close_ledgers()
    with closing(sqlite3.connect(home / "ledger.db", timeout=60)) as connection, connection:
        for table in every_table():
            for column in table.c:
                if isinstance(column.type, DateTime) and table.name != "audit":
                    connection.execute(
                        f"UPDATE {table.name} SET {column.name} = strftime("
                        f"'%Y-%m-%d %H:%M:%S.000000', {column.name}, '-{days} day') "
                        f"WHERE {column.name} IS NOT NULL"
                    )
    with (
        closing(sqlite3.connect(home / "mlflow" / "mlflow.db", timeout=60)) as connection,
        connection,
    ):
        for name, columns in SHIFTED.items():
            for each in columns:
                connection.execute(f"UPDATE {name} SET {each} = {each} - {1000 * DAY * days}")
    for path in home.rglob("*"):
        if path.is_file() and path.suffix != ".db":
            with suppress(FileNotFoundError):
                at = path.stat().st_mtime - DAY * days
                os.utime(path, (at, at))


def _sizes(home: Path) -> Mapping[str, int]:
    sizes = dict.fromkeys(PARTS, 0)
    for path in home.rglob("*"):
        top = path.relative_to(home).parts[0]
        if not path.is_file():
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
