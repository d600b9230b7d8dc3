"""Homes of any age, made of rows and small files: what a property test lets nights go over."""

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from hypothesis import strategies as st
from sqlalchemy import Table, insert

from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.tables import (
    decisions,
    knowledge_bases,
    moves,
    rankings,
    runs,
    versions,
)
from llmops.tasks.models.version import MOVE, ModelMove, NewModel
from llmops.tasks.plugins import Spec
from llmops.tasks.traces.trained import TrainingNote, write_note
from llmops.tasks.tracking import prepare
from llmops.tasks.tracking.models import OURS, SUFFIX
from tests.ledgers import with_ledger

DAY = 86_400
AGES = st.integers(0, 400)
KB, NAME = "handbook", "helpdesk"


class Thing(NamedTuple):
    """`age` in days; `first`, `second`: which others it refers to, if there are so many;
    `flag`: what makes it a special one of its kind.
    """

    age: int
    first: int | None
    second: int | None
    flag: bool


THINGS = st.lists(
    st.builds(
        Thing,
        AGES,
        st.none() | st.integers(0, 5),
        st.none() | st.integers(0, 5),
        st.booleans(),
    ),
    max_size=5,
)


class Plan(NamedTuple):
    """What a home is to hold."""

    runs: list[Thing]
    outcomes: list[Thing]
    datasets: list[Thing]
    trainings: list[Thing]
    models: list[Thing]
    decisions: list[Thing]
    rankings: list[Thing]
    versions: list[Thing]


PLANS = st.builds(Plan, *[THINGS] * len(Plan._fields))


@cache
def _empty() -> Path:
    """A home with a ledger and an MLflow store in which nothing is."""
    home = with_ledger(Path(mkdtemp()) / "home")
    prepare(home)
    return home


def made(home: Path, plan: Plan) -> Path:
    """The home that a plan describes; every reference in it resolves."""
    shutil.copytree(_empty(), home)
    with closing(sqlite3.connect(home / "mlflow" / "mlflow.db")) as connection, connection:
        _runs(home, connection, plan)
        _models(home, connection, plan)
    for number, each in enumerate(plan.datasets, 1):
        folder = home / "datasets" / NAME / f"v{number}"
        manifest = {"name": NAME, "version": number, "content_sha256": f"d{number}"}
        _files(folder, each.age, {"manifest.json": json.dumps(manifest), "train.jsonl": "{}\n"})
    for number, each in enumerate(plan.trainings):
        folder = home / "trainings" / NAME / f"openai-{number}"
        _files(folder, each.age, {"weights.bin": "w"})
        if (at := _of(each.first, plan.datasets)) is not None:
            write_note(folder, TrainingNote(dataset=NAME, version=at + 1))
            _aged(folder, each.age)
    _ledger(home, plan)
    return home


def _of(index: int | None, things: Sequence[Thing]) -> int | None:
    return index % len(things) if index is not None and things else None


def _run(index: int | None, plan: Plan) -> str | None:
    at = _of(index, plan.runs)
    return None if at is None else f"{at:032x}"


def _aged(folder: Path, days: float) -> None:
    at = time.time() - days * DAY - 60
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (at, at))


def _files(folder: Path, age: int, files: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    _aged(folder, age)


def _runs(home: Path, connection: sqlite3.Connection, plan: Plan) -> None:
    """`first`: the run above it, an earlier one; `second`: the one that a night recorded; `flag`:
    somebody's own.
    """
    for number, each in enumerate(plan.runs):
        run, at = f"{number:032x}", int(1000 * (time.time() - each.age * DAY - 60))
        folder = home / "mlflow" / "artifacts" / "any" / run / "artifacts"
        _files(folder, each.age, {"outcome.json": "{}"})
        row = (run, run, "me", "JOB", "FINISHED", at, at, "active", folder.as_uri(), 0)
        connection.execute(
            "INSERT INTO runs (run_uuid, name, user_id, source_type, status, start_time, end_time, "
            "lifecycle_stage, artifact_uri, experiment_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        tags = {"mlflow.source.name": "notebook" if each.flag else "llmops index"}
        if each.first is not None and number:
            tags["mlflow.parentRunId"] = f"{each.first % number:032x}"
        if each.second is not None and number:
            tags["recorded_as"] = f"{each.second % number:032x}"
        for at_dataset, dataset in enumerate(plan.datasets, 1):
            if _run(dataset.first, plan) == run:
                tags["content_sha256"] = f"d{at_dataset}"
        connection.executemany(
            "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
            [(key, value, run) for key, value in tags.items()],
        )


def _models(home: Path, connection: sqlite3.Connection, plan: Plan) -> None:
    """`first`: its run and training; `second`: its data set, and the decision that made it live;
    `flag`: it was live.
    """
    if not plan.models:
        return
    title, alias = NAME + SUFFIX, 0
    connection.execute("INSERT INTO registered_models (name) VALUES (?)", (title,))
    connection.execute(
        "INSERT INTO registered_model_tags (key, value, name) VALUES (?, 'true', ?)", (OURS, title)
    )
    for number, each in enumerate(plan.models, 1):
        training, dataset = _of(each.first, plan.trainings), _of(each.second, plan.datasets)
        folder = "" if training is None else f"trainings/{NAME}/openai-{training}"
        new = NewModel(
            name=NAME,
            kind="llm",
            spec=Spec(name="fake", options={"model": f"m{number}"}),
            trainer={"name": "openai"},
            dataset="" if dataset is None else f"{NAME} v{dataset + 1}",
            folder=folder,
            files={f"{folder}/weights.bin": "0" * 64} if folder else {},
        )
        tags = new.tags()
        if each.flag:
            alias, decided = number, _of(each.second, plan.decisions)
            move = ModelMove(
                alias="live",
                before=None,
                to=number,
                kind="promote",
                decision=None if decided is None else f"decision-{decided}",
                who="somebody",
                moved_at=now(),
            )
            tags[f"{MOVE}{number}"] = move.model_dump_json()
        connection.execute(
            "INSERT INTO model_versions (name, version, creation_time, current_stage, run_id, "
            "source, status) VALUES (?, ?, ?, 'None', ?, '', 'READY')",
            (title, number, int(1000 * (time.time() - each.age * DAY)), _run(each.first, plan)),
        )
        connection.executemany(
            "INSERT INTO model_version_tags (key, value, name, version) VALUES (?, ?, ?, ?)",
            [(key, value, title, number) for key, value in tags.items()],
        )
    if alias:
        row = ("live", alias, title)
        connection.execute(
            "INSERT INTO registered_model_aliases (alias, version, name) VALUES (?, ?, ?)", row
        )


def _ledger(home: Path, plan: Plan) -> None:
    with open_ledger(home).write() as connection:

        def add(table: Table, **row: Any) -> None:
            connection.execute(insert(table).values(**row))

        for number, each in enumerate(plan.outcomes):
            at, told = now() - timedelta(days=each.age), {"flow": "index" if each.flag else "score"}
            add(runs, id=f"flow-{number}", kb=KB, outcome=told, finished_at=at)
        for number, each in enumerate(plan.decisions):
            _decision(home, plan, number, each, add)
        for number, each in enumerate(plan.rankings, 1):
            outcome = _of(each.second, plan.outcomes)
            add(
                rankings,
                kb=KB,
                number=number,
                status="promoted",
                version=1,
                embedder="e",
                dimension=1,
                dataset_sha256="",
                parent=each.second % number or None if each.second is not None else None,
                decision={},
                mlflow_run_id=_run(each.first, plan),
                prefect_run_id=None if outcome is None else f"flow-{outcome}",
                created_at=now() - timedelta(days=each.age),
            )
        live = [number for number, each in enumerate(plan.rankings, 1) if each.flag]
        add(
            knowledge_bases,
            name=KB,
            live=1,
            created_at=now(),
            ranking=live[0] if live else None,
        )
        for number, each in enumerate(plan.versions, 1):
            outcome, model = _of(each.second, plan.outcomes), _of(each.second, plan.models)
            named = "hash" if model is None else f"models:/{NAME}/{model + 1}"
            add(
                versions,
                kb=KB,
                version=number,
                status="published" if each.flag else "retired",
                collection="c",
                config={"embed": {"name": "sentence", "model": named}},
                mlflow_run_id=_run(each.first, plan),
                prefect_run_id=None if outcome is None else f"flow-{outcome}",
                created_at=now() - timedelta(days=each.age),
            )


def _decision(home: Path, plan: Plan, number: int, each: Thing, add: Any) -> None:
    """`first`: its run in MLflow, without one its results are in the home; `second`: the trained
    model of an arm; `flag`: an alias has moved by it.
    """
    key, run, model = f"decision-{number}", _run(each.first, plan), _of(each.second, plan.models)
    _files(home / "evaluations" / key, each.age, {"scored-0001.parquet": "rows"})
    trained = "" if model is None else f"models:/{NAME}/{model + 1}"
    record = {"arms": {"a": {"trained": trained}}, "config": {}}
    (home / "decisions").mkdir(exist_ok=True)
    (home / "decisions" / f"{key}.json").write_text(json.dumps(record))
    at = now() - timedelta(days=each.age)
    add(
        decisions,
        id=key,
        name="weekly",
        sha256=key,
        verdict="promote" if each.flag else "reject",
        record=record,
        mlflow_run_id=run,
        created_at=at,
    )
    if each.flag:
        add(
            moves,
            id=key,
            prompt="helpdesk",
            alias="production",
            to_version=1,
            kind="promote",
            decision=key,
            who="somebody",
            moved_at=at,
        )


def there(home: Path) -> set[str]:
    """Everything in a home that something may refer to, read as it lies there."""
    found = {
        f"{name}/{path.name}"
        for name in ("datasets/helpdesk", "trainings/helpdesk", "evaluations")
        for path in (home / name).glob("[!.]*")
    }
    with closing(sqlite3.connect(home / "mlflow" / "mlflow.db")) as connection:
        found |= {f"run/{run}" for (run,) in connection.execute("SELECT run_uuid FROM runs")}
        found |= {f"model/{each}" for (each, *_) in connection.execute(MODELS)}
    with closing(sqlite3.connect(home / "ledger.db")) as connection:
        for kind, query in KEYS.items():
            found |= {f"{kind}/{each}" for (each,) in connection.execute(query)}
    return found


MODELS = (
    "SELECT v.version, v.run_id, t.value FROM model_versions v JOIN model_version_tags t "
    "ON t.name = v.name AND t.version = v.version AND t.key = 'llmops.record' "
    "WHERE v.current_stage <> 'Deleted_Internal'"
)
KEYS = {
    "outcome": "SELECT id FROM runs",
    "decision": "SELECT id FROM decisions",
    "ranking": "SELECT number FROM rankings",
    "version": "SELECT version FROM versions WHERE status = 'published'",
}
NAMED = {
    "ranking": "SELECT number, mlflow_run_id, prefect_run_id, parent, decision FROM rankings",
    "version": "SELECT version, mlflow_run_id, prefect_run_id, NULL, config FROM versions "
    "WHERE status = 'published'",
    "decision": "SELECT id, mlflow_run_id, NULL, NULL, record FROM decisions",
}


def said(home: Path) -> set[tuple[str, str]]:
    """(who refers, to what), by the words of the rows and files alone: what the graph of the
    product is compared with.
    """
    pairs = set[tuple[str, str]]()
    with closing(sqlite3.connect(home / "ledger.db")) as connection:
        for kind, query in NAMED.items():
            for key, run, outcome, parent, text in connection.execute(query):
                owner = f"{kind}/{key}"
                pairs |= {(owner, f"run/{run}")} if run else set()
                pairs |= {(owner, f"outcome/{outcome}")} if outcome else set()
                pairs |= {(owner, f"ranking/{parent}")} if parent else set()
                models = text.split("models:/helpdesk/")[1:]
                pairs |= {(owner, f"model/{each[0]}") for each in models}
                if kind == "decision" and not run:
                    pairs.add((owner, f"evaluations/{key}"))
    with closing(sqlite3.connect(home / "mlflow" / "mlflow.db")) as connection:
        for version, run, text in connection.execute(MODELS):
            owner, record = f"model/{version}", json.loads(text)
            pairs |= {(owner, f"run/{run}")} if run else set()
            if record["dataset"]:
                pairs.add((owner, f"datasets/helpdesk/{record['dataset'].split()[1]}"))
            pairs |= {(owner, record["folder"])} if record["folder"] else set()
        contents = connection.execute(
            "SELECT value, run_uuid FROM tags WHERE key = 'content_sha256'"
        )
        pairs |= {(f"datasets/helpdesk/v{text[1:]}", f"run/{run}") for text, run in contents}
        above = (
            "SELECT run_uuid, value FROM tags WHERE key IN ('mlflow.parentRunId', 'recorded_as')"
        )
        pairs |= {(f"run/{run}", f"run/{other}") for run, other in connection.execute(above)}
    for note in (home / "trainings").glob("helpdesk/[!.]*/learnt_from.json"):
        number = json.loads(note.read_text())["version"]
        pairs.add((f"trainings/helpdesk/{note.parent.name}", f"datasets/helpdesk/v{number}"))
    return pairs
