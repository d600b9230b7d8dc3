"""What a home holds, read from the ledger, MLflow and its folders, with what each thing needs."""

import json
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, select

from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import decisions, knowledge_bases, moves, rankings, runs, versions
from llmops.tasks.maintenance.retention.references import HeldThing, Holdings, Reference
from llmops.tasks.models.registry import versions_in
from llmops.tasks.models.version import RegisteredModel
from llmops.tasks.traces.trained import NOTE, TrainingNote
from llmops.tasks.tracking.models import open_models
from llmops.tasks.tracking.stored import StoredRun, stored_runs

MODEL = re.compile(r"models:/([a-z][a-z0-9-]{0,62})/([1-9][0-9]{0,8})(?![0-9])")
TRAINING = re.compile(r"(?<![\w.-])trainings/([a-z][a-z0-9-]{0,62})/([A-Za-z0-9_.-]+)")
ROWS = re.compile(r"(?<![\w.-])datasets/([a-z][a-z0-9-]{0,62})/v([1-9][0-9]{0,8})(?![0-9])")
DATASET = re.compile(r"([a-z][a-z0-9-]{0,62}) v([1-9][0-9]{0,8})")
"""How a trained model says what it was trained on."""
MANIFEST, OUTCOME, LOCK = "manifest.json", "outcome.json", ".lock"


def holdings(home: Path) -> Holdings:
    """As they are now. Raises Unavailable where the ledger or MLflow's registry does not answer:
    then nobody knows what is needed, and nothing may go.
    """
    stored = stored_runs(home)
    things = [
        *_of_ledger(home),
        *_runs(stored),
        *_datasets(home, stored),
        *_trainings(home),
        *_evaluations(home),
        *_models(home),
    ]
    return Holdings(things)


def _of_ledger(home: Path) -> Iterator[HeldThing]:
    with existing_ledger(home).read() as connection:
        yield from _versions(connection)
        yield from _rankings(connection)
        yield from _decisions(connection)
        yield from _outcomes(connection)


def _versions(connection: Connection) -> Iterator[HeldThing]:
    for row in connection.execute(select(versions).where(versions.c.status == "published")):
        needs = {*_recorded(row.mlflow_run_id, row.prefect_run_id), *named_in(row.config)}
        reference = Reference("version", f"{row.kb}/{row.version}")
        yield HeldThing(reference, aware(row.created_at), frozenset(needs), pinned=True)


def _rankings(connection: Connection) -> Iterator[HeldThing]:
    """One needs those that were live before it: a rollback goes there."""
    bases = connection.execute(select(knowledge_bases.c.name, knowledge_bases.c.ranking))
    live = {row.name: row.ranking for row in bases}
    newest = dict[str, int]()
    for row in connection.execute(select(rankings).order_by(rankings.c.number.desc())):
        needs = {*_recorded(row.mlflow_run_id, row.prefect_run_id), *named_in(row.decision)}
        needs |= {Reference("ranking", f"{row.kb}/{row.parent}")} if row.parent else set()
        pinned = row.number in (live.get(row.kb), newest.setdefault(row.kb, row.number))
        reference = Reference("ranking", f"{row.kb}/{row.number}")
        yield HeldThing(reference, aware(row.created_at), frozenset(needs), pinned)


def _decisions(connection: Connection) -> Iterator[HeldThing]:
    """What was decided without MLflow has its results in the home alone."""
    moved = set(connection.scalars(select(moves.c.decision)))
    plain = (decisions.c[name] for name in ("id", "name", "mlflow_run_id", "created_at"))
    parts = (decisions.c.record[name].label(name) for name in ("arms", "config"))
    rows = connection.execute(select(*plain, *parts)).all()
    last = _newest((row.name, aware(row.created_at)) for row in rows)
    for row in rows:
        needs = {*_recorded(row.mlflow_run_id, None), *named_in([row.arms, row.config])}
        needs |= set() if row.mlflow_run_id else {Reference("evaluation", row.id)}
        at = aware(row.created_at)
        pinned = row.id in moved or at == last[row.name]
        yield HeldThing(Reference("decision", row.id), at, frozenset(needs), pinned)


def _outcomes(connection: Connection) -> Iterator[HeldThing]:
    flow = runs.c.outcome["flow"].as_string().label("flow")
    rows = connection.execute(select(runs.c.id, runs.c.kb, flow, runs.c.finished_at)).all()
    last = _newest((f"{row.flow} {row.kb}", aware(row.finished_at)) for row in rows)
    for row in rows:
        at = aware(row.finished_at)
        yield HeldThing(Reference("outcome", row.id), at, pinned=at == last[f"{row.flow} {row.kb}"])


def _newest(given: Iterable[tuple[str, datetime]]) -> dict[str, datetime]:
    newest: dict[str, datetime] = {}
    for name, at in given:
        newest[name] = max(at, newest.get(name, at))
    return newest


def _recorded(mlflow_run_id: str | None, prefect_run_id: str | None) -> Iterator[Reference]:
    if mlflow_run_id:
        yield Reference("run", mlflow_run_id)
    if prefect_run_id:
        yield Reference("outcome", prefect_run_id)


def named_in(content: object) -> Iterator[Reference]:
    """Trained models, folders of trainings and of data sets that anything of plain JSON names."""
    if isinstance(content, str):
        for name, number in MODEL.findall(content):
            yield Reference("model", f"{name}/{number}")
        for name, folder in TRAINING.findall(content):
            yield Reference("training", f"{name}/{folder}")
        for name, number in ROWS.findall(content):
            yield Reference("dataset", f"{name}/v{number}")
    elif isinstance(content, Mapping):
        for each in content.values():
            yield from named_in(each)
    elif isinstance(content, list | tuple):
        for each in content:
            yield from named_in(each)


def _runs(stored: list[StoredRun]) -> Iterator[HeldThing]:
    """A run, those above and those below it stay together. What a flow of ours has not made is not
    ours to remove, nor what a model was registered from.
    """
    below: dict[str, set[Reference]] = {}
    for run in stored:
        below.setdefault(run.parent, set()).add(Reference("run", run.id))
    known = {run.id for run in stored}
    for run in stored:
        near = {run.parent, run.recorded_as} & known
        needs = {Reference("run", each) for each in near} | below.get(run.id, set())
        pinned = run.registered or not (run.ours or run.parent in known)
        yield HeldThing(Reference("run", run.id), run.at, frozenset(needs), pinned)


def _datasets(home: Path, stored: list[StoredRun]) -> Iterator[HeldThing]:
    """A version holds its rows itself; what it needs is the run that says how it came to be."""
    by_content: dict[str, set[Reference]] = {}
    for run in stored:
        by_content.setdefault(run.content_sha256, set()).add(Reference("run", run.id))
    for folder in sorted((home / "datasets").glob("*/")):
        there = [each for each in folder.glob("v*") if each.name[1:].isdecimal() and each.is_dir()]
        newest = max((int(each.name[1:]) for each in there), default=0)
        for each in there:
            content = _json(each / MANIFEST).get("content_sha256")
            reference = Reference("dataset", f"{folder.name}/{each.name}")
            needs = frozenset(by_content.get(str(content), ()) if content else ())
            pinned = int(each.name[1:]) == newest or not content
            yield HeldThing(reference, touched(each), needs, pinned)


def _trainings(home: Path) -> Iterator[HeldThing]:
    for folder in sorted((home / "trainings").glob("*/*/")):
        if folder.name.startswith(".") or folder.parent.name.startswith("."):
            continue
        needs = set[Reference]()
        note = folder / NOTE
        try:
            told = TrainingNote.model_validate_json(note.read_bytes())
            needs.add(Reference("dataset", f"{told.dataset}/v{told.version}"))
            needs.update(named_in(told.begins))  # one that was killed has no outcome
        except (OSError, ValidationError):
            pass  # one of which nobody knows what it has learnt from needs nothing
        outcome = _json(folder / OUTCOME)
        if run := outcome.get("mlflow_run_id"):
            needs.add(Reference("run", str(run)))
        needs.update(named_in([outcome.get("base"), outcome.get("llm"), outcome.get("embed")]))
        reference = Reference("training", f"{folder.parent.name}/{folder.name}")
        yield HeldThing(reference, touched(folder), frozenset(needs))


def _evaluations(home: Path) -> Iterator[HeldThing]:
    for folder in sorted((home / "evaluations").glob("*/")):
        if not folder.name.startswith("."):
            yield HeldThing(Reference("evaluation", folder.name), touched(folder))


def _models(home: Path) -> Iterator[HeldThing]:
    """A version that was live stays for a rollback, the newest and what others were made from, for
    the next training.
    """
    with open_models(home) as shelf:
        every = [versions_in(shelf, name) for name in shelf.aliases()]
    for mine in filter(None, every):
        was = {number for each in mine for move in each.moves for number in (move.to, move.before)}
        for each in mine:
            pinned = bool(each.aliases) or each.version in was or not each.trained
            reference = Reference("model", f"{each.name}/{each.version}")
            yield HeldThing(reference, each.created_at, _needs(each), pinned or each == mine[0])


def _needs(model: RegisteredModel) -> frozenset[Reference]:
    needs = set(_recorded(model.run_id, None))
    needs |= {*named_in(model.folder and f"/{model.folder}"), *named_in(list(model.files))}
    needs |= {Reference("decision", move.decision) for move in model.moves if move.decision}
    if match := DATASET.fullmatch(model.dataset):
        needs.add(Reference("dataset", f"{match[1]}/v{match[2]}"))
    return frozenset(needs)


def touched(folder: Path) -> datetime:
    """When a file in it was written last; locks do not count, which looking at it touches."""
    latest = 0.0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            facts = path.lstat()
            if path.name != LOCK and not stat.S_ISDIR(facts.st_mode):
                latest = max(latest, facts.st_mtime)
    return datetime.fromtimestamp(latest or folder.lstat().st_mtime, UTC)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):  # none, or none that can be read
        return {}
    return content if isinstance(content, dict) else {}
