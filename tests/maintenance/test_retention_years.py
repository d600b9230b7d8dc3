"""A real home, three years later, with a policy of one day: everything that is kept is whole. And a
night that the power ends, at any of its steps.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from benchmarks.retention import older
from llmops.tasks.decisions.verify import verify as verify_decision
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.ledger import close_ledgers, now, open_ledger
from llmops.tasks.ledger.tables import decisions, moves, versions
from llmops.tasks.maintenance.house import WORK, bases, forget, free
from llmops.tasks.maintenance.retention.holdings import holdings
from llmops.tasks.maintenance.verify import counts, verify
from llmops.tasks.models.files import verify as verify_model
from llmops.tasks.models.moving import promote
from llmops.tasks.models.references import resolve
from llmops.tasks.models.registry import all_versions, register
from llmops.tasks.traces.trained import TrainingNote, write_note
from llmops.tasks.tracking import BuildRecord, record_build
from llmops.tasks.tracking.models import open_models
from llmops.tasks.tracking.prompts import open_registry
from llmops.tasks.tracking.store import opened, tracking_uri
from llmops.tasks.tracking.stored import stored_runs
from tests.maintenance.homes import Plan, Thing, made
from tests.maintenance.test_retention import NOTHING, STRICT, whole
from tests.models.made import trained
from tests.old_home import restore
from tests.test_old_home import DECISION

pytestmark = pytest.mark.slow
YEARS = 3 * 365


def built(home: Path, name: str) -> str:
    outcome = {"status": "published", "version": 1, "seconds": 1.0}
    record = BuildRecord(
        knowledge_base=name, outcome=outcome, config={"flow": "index"}, config_sha256="0" * 64
    )
    return record_build(home, record)


def with_runs(home: Path) -> dict[str, set[str]]:
    """What the home of release 0.1 has had in MLflow: runs that are needed, and others."""
    needed, idle = set[str](), {built(home, "library") for _ in range(3)}
    for name in bases(home):
        needed.add(run := built(home, name))
        version = Handle(home=home, name=name).published().version
        live = (versions.c.kb == name) & (versions.c.version == version)
        with open_ledger(home).write() as connection:
            connection.execute(update(versions).where(live).values(mlflow_run_id=run))
    with opened(home, tracking_uri(home)) as client:
        tags = {"mlflow.source.name": "llmops evaluate"}
        evaluation = str(client.create_run("0", tags=tags).info.run_id)
        client.log_artifact(evaluation, str(home / "decisions" / f"{DECISION}.json"), "")
        folder = home / "mlflow" / "artifacts"
        shutil.copy(
            next(folder.rglob(f"{DECISION}.json")),
            next(folder.rglob(f"{DECISION}.json")).with_name("decision.json"),
        )
    needed.add(evaluation)
    with open_ledger(home).write() as connection:
        connection.execute(update(decisions).values(mlflow_run_id=evaluation))
        record = connection.scalar(select(decisions.c.record))
        row = {"name": "desk", "sha256": "x", "verdict": "reject", "record": record}
        for number in range(2):
            idle.add(run := built(home, "library"))
            at = {"created_at": now() - timedelta(hours=number), "mlflow_run_id": run}
            connection.execute(insert(decisions).values(id=f"other-{number}", **row, **at))
        move = {"prompt": "desk", "alias": "production", "to_version": 1, "kind": "promote"}
        connection.execute(
            insert(moves).values(id="m", **move, decision=DECISION, who="a", moved_at=now())
        )
    return {"needed": needed, "idle": idle}


def with_models(home: Path) -> None:
    """Three trainings on three versions of a data set: the first is live, the last the newest."""
    for number in (1, 2, 3):
        folder = home / "datasets" / "helpdesk" / f"v{number}"
        folder.mkdir(parents=True)
        manifest = {"name": "helpdesk", "version": number, "content_sha256": f"d{number}"}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        training = home / "trainings" / "helpdesk" / f"trl-{number}"
        training.mkdir(parents=True)
        (training / "weights.bin").write_bytes(os.urandom(1_000))
        write_note(training, TrainingNote(dataset="helpdesk", version=number))
        spec = {"name": "transformers", "model": str(training / "weights.bin")}
        where = {"dataset": f"helpdesk v{number}", "folder": f"trainings/helpdesk/trl-{number}"}
        register(home, trained(home, spec=spec, **where), built(home, "helpdesk"))
    promote(home, "helpdesk", 1, {"id": DECISION, "sha256": "f" * 64}, None)


def test_after_years_everything_that_is_kept_is_whole(tmp_path: Path) -> None:
    _, home = restore(tmp_path)
    runs = with_runs(home)
    with_models(home)
    lacking = holdings(home).dangling()  # an earlier version, whose run the fixture is without
    older(home, YEARS)
    for name in bases(home):
        assert free(home, name, paid=True).status == "done"
    for what in WORK:
        part = forget(home, what, STRICT)
        assert part.status == "done", f"{what}: {part.told}"
    for name in bases(home):
        found = counts(verify(Handle(home=home, name=name), thorough=True))
        assert (name, found["ok"]) == (name, True)
    assert verify_decision(home / "decisions" / f"{DECISION}.json")["problems"] == []
    with open_registry(home) as shelf:
        record = shelf.decision(next(iter(_run_of_decision(home))))
    assert isinstance(record, dict)
    assert record["id"] == DECISION
    with open_models(home) as models:
        left = all_versions(models, "helpdesk")
    assert [each.version for each in left] == [3, 1]
    for each in left:
        verify_model(home, each)
        assert (home / "datasets" / "helpdesk" / each.dataset.split()[1]).is_dir()
    assert resolve(home, "models:/helpdesk@live").version == 1
    assert not (home / "trainings" / "helpdesk" / "trl-2").exists()
    assert not (home / "datasets" / "helpdesk" / "v2").exists()
    there = {run.id for run in stored_runs(home)}
    assert runs["needed"] <= there
    assert len(runs["idle"] & there) == 1  # of the newest decision
    assert holdings(home).dangling() == lacking


def _run_of_decision(home: Path) -> set[str]:
    with open_ledger(home).read() as connection:
        query = select(decisions.c.mlflow_run_id).where(decisions.c.id == DECISION)
        return {str(each) for each in connection.scalars(query)}


CHILD = """
import os, signal, sys
from pathlib import Path
from llmops.tasks.maintenance.house import WORK, forget
from tests.maintenance.test_retention import STRICT
home, left = Path(sys.argv[1]), int(sys.argv[2])
steps = ("os.rename", "os.remove", "os.rmdir", "sqlite3.connect")
def watch(event, args):
    global left
    if event in steps and str(home) in repr(args):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
for what in WORK:
    assert forget(home, what, STRICT).status == "done"
"""


def test_a_night_that_the_power_ends_is_finished_by_the_next(tmp_path: Path) -> None:
    """Killed at every so many changes of files, until a night comes to its end."""
    old = [Thing(300, None, None, False), Thing(300, 1, 1, True), Thing(300, 0, 0, False)]
    home = made(tmp_path / "home", Plan(*[old] * len(NOTHING)))
    before = holdings(home)
    pinned = {each.reference for each in before.things.values() if each.pinned}
    close_ledgers()
    killed = 0
    for step in (5, 14, 27, 100_000):
        words = [sys.executable, "-c", CHILD, str(home), str(step)]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
        killed += ended.returncode != 0
        assert holdings(home).dangling() == {}
        assert pinned <= holdings(home).things.keys()
        close_ledgers()
        if ended.returncode == 0:
            break
    assert killed > 1
    whole(home)
    assert not [*home.rglob(".gone-*")]
    for what in WORK:
        assert forget(home, what, STRICT).bytes == 0
