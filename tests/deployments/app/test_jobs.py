"""Builds that the page starts: processes of their own, whose state outlives the application."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from llmops.deployments.app.jobs import BuildJob, BuildJobs, JobKind
from llmops.deployments.app.steps import BuildProgress, onwards, progress, progress_of, step_of
from llmops.tasks.errors import Blocked, UsageError
from llmops.tasks.knowledge.handle import Handle
from tests.commandline import PLUGINS

CONFIG = """\
flow: index
knowledge_base: guide
sources: [{name: memory, documents: {a.txt: "The lamp is lit every night at nine."}}]
embed: {name: costly, bill: bill.jsonl}
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildJobs:
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))
    (tmp_path / "guide.yaml").write_text(CONFIG)
    return BuildJobs(tmp_path / "home", tmp_path)


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def left(jobs: BuildJobs, pid: int, reply: str, kind: JobKind = "build", age: float = 0) -> None:
    """What a job leaves behind."""
    place = jobs._place("guide", kind)
    place.mkdir(parents=True, exist_ok=True)
    started = psutil.Process(pid).create_time() - age if psutil.pid_exists(pid) else 1.0
    job = BuildJob(
        name="guide",
        kind=kind,
        config="guide.yaml",
        pid=pid,
        process_started=started,
        began="2026-01-01T00:00:00+00:00",
    )
    (place / "job.json").write_text(job.model_dump_json())
    (place / "reply.json").write_text(reply)
    (place / "log").write_text("its last words")


def finished(jobs: BuildJobs, kind: JobKind) -> Any:
    for _ in range(600):
        state = jobs.state("guide", kind)
        assert state is not None
        if not state.running:
            return state
        time.sleep(0.1)
    raise AssertionError("it did not end")


REFUSED = {"error": {"kind": "config", "message": "no", "hint": "", "where": "a.yaml: embed"}}
RETRIED = {"retried": 1, "recovered": 1, "builds": [{"status": "published", "version": 3}]}


@pytest.mark.parametrize(
    ("reply", "status", "version"),
    [
        (json.dumps({"status": "published", "version": 2}), "published", 2),
        (json.dumps({"status": "blocked", "reason": "a gate"}), "blocked", None),
        (json.dumps(RETRIED), "published", 3),
        (json.dumps(REFUSED), "refused", None),
        (json.dumps({**REFUSED, "status": "blocked"}), "refused", None),
        ('{"status": "publ', "lost", None),
        ("", "lost", None),
        ("[]", "lost", None),
    ],
)
def test_what_a_job_left_says_how_it_ended(
    jobs: BuildJobs, reply: str, status: str, version: int | None
) -> None:
    left(jobs, 2**22 + 1, reply)
    state = jobs.state("guide", "build")
    assert state is not None
    assert (state.status, state.outcome.get("version")) == (status, version)
    assert state.log == "its last words"
    told = ["a.yaml: embed"] if "error" in reply else []
    assert [each.where for each in state.mistakes] == told


def test_a_job_runs_as_long_as_its_own_process(
    jobs: BuildJobs, sleeper: "subprocess.Popen[bytes]"
) -> None:
    """Another process of its number is none of it."""
    assert jobs.state("guide", "build") is None
    left(jobs, sleeper.pid, "", age=100)
    assert (jobs.stop("guide", "build"), sleeper.poll()) == (False, None)
    left(jobs, sleeper.pid, "")
    state = jobs.state("guide", "build")
    assert state is not None
    assert state.status == "running"
    with pytest.raises(Blocked, match="running already"):
        jobs.build("guide", Path("guide.yaml"))
    assert jobs.stop("guide", "build")
    sleeper.wait(20)
    assert jobs.stop("guide", "build") is False


def test_while_somebody_else_builds_none_is_started(jobs: BuildJobs, tmp_path: Path) -> None:
    from llmops.tasks.knowledge.versions import register

    kb = Handle(home=tmp_path / "home", name="guide")
    register(kb)
    with kb.hold("run"), pytest.raises(Blocked, match="another build"):
        jobs.build("guide", Path("guide.yaml"))


@pytest.mark.parametrize("name", ["../evil", "", "A", "a/b"])
def test_a_name_is_no_path(jobs: BuildJobs, name: str) -> None:
    with pytest.raises(UsageError, match="no name of a knowledge base"):
        jobs.state(name, "build")


def test_what_is_noted_of_builds_goes_with_an_erasure(jobs: BuildJobs, tmp_path: Path) -> None:
    left(jobs, 2**22 + 1, "{}")
    Handle(home=tmp_path / "home", name="guide").forget_notes()
    assert jobs.state("guide", "build") is None


@pytest.mark.slow
def test_a_plan_is_made_in_a_process_of_its_own(jobs: BuildJobs, tmp_path: Path) -> None:
    jobs.plan("guide", tmp_path / "guide.yaml", "somebody")
    state = finished(jobs, "plan")
    assert (state.status, state.job.who) == ("planned", "somebody"), state
    assert state.outcome["documents"]["new"] == 1
    assert state.outcome["cost_usd"] > 0
    (tmp_path / "guide.yaml").write_text(CONFIG + "chunk: {size: many}\n")
    jobs.plan("guide", tmp_path / "guide.yaml")
    state = finished(jobs, "plan")
    assert (state.status, len(state.mistakes)) == ("refused", 1)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("recover-3f2", "start"),
        ("plan-0a1", "plan"),
        ("check golden set-b2c", "plan"),
        ("collect 1 of 8: files", "collect"),
        ("validate chunks 2 of 8", "check"),
        ("validate the whole-9d8", "check"),
        ("embed 3 of 8", "embed"),
        ("open_version-77", "stage"),
        ("publish-12", "publish"),
        ("somebody else's", None),
    ],
)
def test_a_task_run_belongs_to_a_step(name: str, step: str | None) -> None:
    assert step_of(name) == step


def test_progress_is_of_the_furthest_step() -> None:
    runs = [
        {"name": "plan-1", "state_type": "COMPLETED"},
        {"name": "chunk 1 of 4", "state_type": "COMPLETED"},
        {"name": "embed 1 of 4", "state_type": "COMPLETED"},
        {"name": "embed 2 of 4", "state_type": "RUNNING"},
    ]
    assert progress_of(runs) == BuildProgress("embed", 1, 4)
    assert progress_of([*runs, {"name": "seal-1", "state_type": "RUNNING"}]) == ("stage", 0, 0)
    assert progress_of({"detail": "no"}) == progress_of([]) == BuildProgress("start")


def test_a_build_that_ends_does_not_begin_again() -> None:
    nothing, staged = BuildProgress("start"), BuildProgress("stage", 1, 2)
    assert onwards(nothing, "publish") == BuildProgress("publish")
    assert onwards(staged, "embed") == staged
    assert onwards(nothing, "../x") == onwards(nothing, "") == nothing


def test_where_nobody_builds_there_is_no_progress(tmp_path: Path) -> None:
    assert progress(tmp_path / "home", "guide") == BuildProgress("start")
