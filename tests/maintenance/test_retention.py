"""For any home and any policy: what stays has all that it refers to, at any moment of the night,
and a second night finds nothing to do.
"""

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmops.tasks.ledger import close_ledgers, now, open_ledger
from llmops.tasks.ledger.tables import decisions
from llmops.tasks.maintenance.house import WORK, forget
from llmops.tasks.maintenance.retention.holdings import holdings
from llmops.tasks.maintenance.retention.policy import RetentionPolicy
from llmops.tasks.maintenance.retention.references import HeldThing, Holdings, Reference
from llmops.tasks.traces.trained import TrainingNote, write_note
from llmops.tasks.tracking.stored import stored_runs
from tests.maintenance.homes import PLANS, Plan, Thing, made, said, there

DAYS = st.none() | st.sampled_from([1.0, 30.0, 200.0])
POLICIES = st.builds(
    RetentionPolicy,
    outcomes_days=DAYS,
    runs_days=DAYS,
    decisions_days=DAYS,
    evaluations_days=DAYS,
    datasets_days=DAYS,
    trainings_days=DAYS,
    named=st.frozensets(
        st.builds(
            lambda kind, number: Reference(kind, f"helpdesk/{number}"),
            st.just("model"),
            st.integers(1, 3),
        ),
        max_size=1,
    ),
)
STRICT = RetentionPolicy(
    outcomes_days=1,
    runs_days=1,
    decisions_days=1,
    evaluations_days=1,
    datasets_days=1,
    trainings_days=1,
)
THING = Thing(300, None, None, False)
NOTHING = Plan(*[[]] * len(Plan._fields))


def files(home: Path) -> dict[str, bytes]:
    """What lies in the home beside its databases."""
    places = [home / name for name in ("datasets", "trainings", "evaluations", "decisions")]
    places.append(home / "mlflow" / "artifacts")
    found = [path for place in places for path in place.rglob("*") if path.is_file()]
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in found
        if not path.name.endswith(".lock")
    }


def whole(home: Path) -> None:
    """That ledger, registry, MLflow and folders fit each other, beside what the graph says."""
    there, known = files(home), {run.id for run in stored_runs(home)}
    listed = {path.split("/")[3] for path in there if path.startswith("mlflow/artifacts/")}
    assert listed == known
    with open_ledger(home).read() as connection:
        rows = {row.id for row in connection.execute(decisions.select())}
    assert {f"decisions/{each}.json" for each in rows} == {
        path for path in there if path.startswith("decisions/")
    }
    with closing(sqlite3.connect(home / "mlflow" / "mlflow.db")) as connection:
        above = connection.execute("SELECT value FROM tags WHERE key = 'mlflow.parentRunId'")
        assert {value for (value,) in above} <= known
        registered = connection.execute(  # of one that is gone MLflow keeps the number
            "SELECT run_id FROM model_versions "
            "WHERE run_id NOT NULL AND current_stage <> 'Deleted_Internal'"
        )
        assert {value for (value,) in registered} <= known
        for table in ("tags", "metrics", "params"):
            left = connection.execute(f"SELECT DISTINCT run_uuid FROM {table}")
            assert {value for (value,) in left} <= known


def night(home: Path, policy: RetentionPolicy) -> None:
    """Every part, and after each what has to hold if the power fails there."""
    before = said(home)
    for what in WORK:
        part = forget(home, what, policy)
        assert (part.status, part.what) == ("done", what), part.told
        left = there(home)
        assert [(who, of) for who, of in before if who in left and of not in left] == []
        whole(home)


def check(plan: Plan, policy: RetentionPolicy) -> None:
    with TemporaryDirectory() as folder:
        home = made(Path(folder) / "home", plan)
        before, limits = holdings(home), policy.limits(now())
        assert before.dangling() == {}
        night(home, policy)
        after, left = holdings(home), files(home)
        for reference, thing in before.things.items():
            limit = limits.get(reference.kind)
            young = limit is None or thing.at >= limit
            if young or thing.pinned or reference in policy.named:
                assert reference in after.things
        for what in WORK:
            assert forget(home, what, policy).status == "done"
        assert holdings(home).things.keys() == after.things.keys()
        assert files(home) == left
        close_ledgers()


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PLANS, POLICIES)
def test_what_stays_has_all_that_it_refers_to(plan: Plan, policy: RetentionPolicy) -> None:
    check(plan, policy)


OLD = [Thing(300, 0, 0, True), Thing(300, 1, 1, False), Thing(300, None, None, False)]
LIVE = [Thing(300, None, 0, True), Thing(300, None, 1, True), Thing(300, None, None, False)]


def test_everything_refers_to_everything() -> None:
    """One home of each kind of reference, with a policy that lets go what it can."""
    check(Plan(*[OLD] * len(Plan._fields)), STRICT)


def test_each_reference_alone_keeps_what_it_leads_to() -> None:
    """Where nothing else does: no run or training stands beside it."""
    young = [THING, THING, Thing(0, None, 1, True)]
    check(NOTHING._replace(models=LIVE, datasets=OLD), STRICT)
    check(NOTHING._replace(rankings=young), STRICT)
    check(NOTHING._replace(decisions=LIVE, models=OLD, trainings=OLD[1:]), STRICT)
    check(NOTHING._replace(versions=LIVE, models=OLD, outcomes=OLD), STRICT)
    check(NOTHING._replace(trainings=[THING._replace(age=0, first=0)], datasets=OLD), STRICT)
    check(NOTHING._replace(datasets=LIVE, runs=OLD), STRICT)


def test_what_nothing_needs_goes(tmp_path: Path) -> None:
    plan = Plan(*[[THING, THING, THING._replace(age=0)]] * len(Plan._fields))
    home = made(tmp_path / "home", plan)
    night(home, STRICT)
    left = {str(reference) for reference in holdings(home).things}
    assert left == {
        *(f"run {2:032x}", "outcome flow-2", "decision decision-2", "evaluation decision-2"),
        *("dataset helpdesk/v3", "training helpdesk/openai-2", "model helpdesk/3"),
        "ranking handbook/3",
    }
    assert not (home / "mlflow" / "artifacts" / "any" / f"{0:032x}").exists()


@pytest.mark.parametrize("what", ["dataset helpdesk/v1", "training helpdesk/openai-0"])
def test_what_a_config_names_stays(tmp_path: Path, what: str) -> None:
    kind, _, name = what.partition(" ")
    named = frozenset({Reference(kind, name)})  # type: ignore[arg-type]
    things = [THING, THING._replace(age=0)]
    home = made(tmp_path / "home", NOTHING._replace(datasets=things, trainings=things))
    night(home, STRICT.model_copy(update={"named": named}))
    assert Reference(kind, name) in holdings(home).things  # type: ignore[arg-type]
    night(home, STRICT)
    assert Reference(kind, name) not in holdings(home).things  # type: ignore[arg-type]


def test_the_base_of_an_adapter_stays_with_it(tmp_path: Path) -> None:
    home = made(tmp_path / "home", NOTHING._replace(trainings=[THING, THING, THING]))
    trained = home / "trainings" / "helpdesk"
    model = {"name": "local", "model": str(trained / "openai-0" / "model")}
    outcome = {"base": model, "llm": {**model, "adapter": str(trained / "openai-2" / "adapter")}}
    (trained / "openai-2" / "outcome.json").write_text(json.dumps(outcome))
    night(home, STRICT)
    assert sorted(each.name for each in trained.iterdir()) == ["openai-0", "openai-2"]


def test_the_base_of_a_training_that_was_killed_stays_with_it(tmp_path: Path) -> None:
    """It has no outcome yet, and is taken up again."""
    things = [THING, THING, THING._replace(age=0)]
    home = made(tmp_path / "home", NOTHING._replace(trainings=things, datasets=[THING]))
    trained = home / "trainings" / "helpdesk"
    base = str(trained / "openai-0" / "model")
    write_note(
        trained / "openai-2", TrainingNote(dataset="helpdesk", version=1, begins=("other", base))
    )
    night(home, STRICT)
    assert sorted(each.name for each in trained.glob("openai-*")) == ["openai-0", "openai-2"]


def test_what_a_kill_has_left_is_finished(tmp_path: Path) -> None:
    plan = NOTHING._replace(runs=[THING], datasets=[THING, THING], decisions=[THING, THING])
    home = made(tmp_path / "home", plan)
    shutil.rmtree(home / "mlflow" / "artifacts" / "any" / f"{0:032x}")
    (home / "datasets" / "helpdesk" / "v1").rename(home / "datasets" / "helpdesk" / ".gone-v1")
    (home / "decisions" / "decision-0.json").unlink()
    for what in WORK:
        part = forget(home, what, STRICT)
        assert part.status == "done", part.told
    whole(home)
    assert {path for path in files(home) if not path.startswith(("decisions", "evaluations"))} == {
        "datasets/helpdesk/v2/manifest.json",
        "datasets/helpdesk/v2/train.jsonl",
    }


MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
GRAPHS = st.lists(
    st.tuples(st.integers(0, 300), st.lists(st.integers(0, 30), max_size=4), st.booleans()),
    max_size=30,
)


@given(GRAPHS, st.none() | st.integers(1, 300))
def test_what_is_kept_is_closed_and_no_larger_than_it_has_to_be(
    graph: list[tuple[int, list[int], bool]], days: int | None
) -> None:
    things = [
        HeldThing(
            Reference("run", str(number)),
            MOMENT - timedelta(days=age),
            frozenset(Reference("run", str(each)) for each in needs),
            pinned,
        )
        for number, (age, needs, pinned) in enumerate(graph)
    ]
    limits: Mapping[str, datetime | None] = {
        "run": None if days is None else MOMENT - timedelta(days=days)
    }
    held = Holdings(things)
    kept = held.kept(limits)  # type: ignore[arg-type]
    roots = {
        each.reference
        for each in things
        if each.pinned or days is None or each.at >= MOMENT - timedelta(days=days)
    }
    needed = {need for each in kept for need in held.things[each].needs}
    assert roots <= kept
    assert needed & held.things.keys() <= kept
    assert kept - roots <= needed
    assert {*held.going("run", limits)} == {  # type: ignore[arg-type]
        each.name for each in held.things.keys() - kept
    }
    again = Holdings(held.things[each] for each in kept)
    assert again.going("run", limits) == []  # type: ignore[arg-type]
