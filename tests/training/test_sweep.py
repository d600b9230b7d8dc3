"""A sweep: what it tries, how it chooses, what it costs, and that nothing is trained twice."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.configs.reading import read_mapping
from llmops.configs.train import TrainConfig
from llmops.tasks.errors import Blocked, ConfigError, LlmopsError, UsageError
from llmops.tasks.training.model_summary import model_markdown
from llmops.tasks.training.ranking import quiet
from llmops.tasks.training.spec import TrainSpec
from llmops.tasks.training.sweep import Sweep, SweepRow, best
from llmops.tasks.training.sweeping import chosen, one_point, planned_sweep, sweep_run
from tests.shelf import fresh_home
from tests.training.test_models import ROOT, published, wait_for
from tests.training.tuned import Tutor, config, tutor

OVER = {"learning_rate_multiplier": [1.0, 2.0]}
PROGRAM = """
import sys
from pathlib import Path
from tests.training.test_sweep import TrainSpec, swept
swept(Path(sys.argv[1]), TrainSpec.model_validate_json(sys.argv[2]))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = fresh_home(tmp_path)
    published(home)
    return home


@pytest.fixture
def service() -> Iterator[Tutor]:
    with tutor() as found:
        yield found


def read(folder: Path, service: Tutor, usd: float | None = None, **train: Any) -> TrainConfig:
    said = config(folder, service, **{"sweep": {"over": OVER, "seeds": [1, 2]}, **train})
    return read_mapping({**said, "folder": str(folder), "budget": {"usd": usd}}, TrainConfig)


def swept(home: Path, spec: TrainSpec) -> Any:
    """As the flow does it, without Prefect."""
    assert spec.sweep is not None
    with sweep_run(home, spec) as tracker:
        outcomes = [
            one_point(home, spec, tracker.run_id, each, quiet, (None, None))
            for each in spec.sweep.points(spec.trainer)
        ]
        return chosen(home, spec, tracker, outcomes, (None, None))


def row(value: float, seed: int, **options: object) -> SweepRow:
    return SweepRow(options=options, seed=seed, value=value)


def test_options_are_chosen_by_their_mean_over_seeds_and_then_the_seed() -> None:
    rows = [row(0.1, 1, a=1), row(0.9, 2, a=1), row(0.4, 1, a=2), row(0.3, 2, a=2)]
    assert best(rows, "eval_loss") == 3
    assert best(rows, "eval_accuracy") == 1
    assert best([row(0.5, 1, a=1), row(0.5, 1, a=2)], "eval_loss") == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"over": {"epochs": []}}, "has no values"),
        ({"over": {"epochs": [1, 1]}}, "stands there twice"),
        ({"over": {"epochs": [1]}}, "a sweep tries at least 2"),
        ({"over": {"seed": [1, 2]}}, "list seeds under `seeds`"),
        ({"over": {"dataset": ["a", "b"]}}, "learn from one data set"),
        ({"over": {"epochs": list(range(1, 14))}}, "13 trainings are more than 12"),
        ({"over": {"epoch": [1, 2]}}, "unknown key 'epoch'"),
        ({"over": {"epochs": [1, 99]}}, "epochs=99"),
    ],
)
def test_a_sweep_that_cannot_be_is_told(
    tmp_path: Path, service: Tutor, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, service, sweep=given)


def test_a_ranking_is_not_swept(tmp_path: Path) -> None:
    (tmp_path / "g.jsonl").write_text('{"id": "1", "question": "?", "relevant": [{"uri": "a"}]}\n')
    train = {"name": "retrieval", "knowledge_base": "kb", "questions": "g.jsonl"}
    train |= {"sweep": {"over": {"ridge": [0.1, 0.2]}}}  # type: ignore[dict-item]
    content = {"name": "words", "folder": str(tmp_path), "train": train}
    with pytest.raises(ConfigError, match="finds its parameters by cross-validation"):
        read_mapping(content, TrainConfig)


def test_the_plan_counts_and_prices_all_and_the_budget_holds_for_all(
    home: Path, tmp_path: Path, service: Tutor
) -> None:
    one = planned_sweep(
        home, read(tmp_path, service, sweep={"over": {"epochs": [1, 2]}}).train_spec()
    )
    plan = planned_sweep(home, read(tmp_path, service).train_spec())
    assert (plan.trainings, plan.estimate_tokens) == (4, 4 * one.estimate_tokens)
    assert plan.reason.startswith("4 trainings, ")
    enough = (plan.estimate_usd or 0) / 2
    with pytest.raises(Blocked, match="nothing was sent"):
        swept(home, read(tmp_path, service, usd=enough).train_spec())
    assert service.requests == []


def test_a_figure_that_the_trainer_does_not_give_is_told() -> None:
    with pytest.raises(LlmopsError, match="gives no figure accuracy") as caught:
        Sweep(over=dict(OVER), metric="accuracy").judged_by({"loss": 1.0})
    assert "it gives loss" in str(caught.value)


def test_without_a_validation_split_there_is_nothing_to_choose_by(
    home: Path, tmp_path: Path, service: Tutor
) -> None:
    manifest = home / "datasets/helpdesk/v1/manifest.json"
    manifest.write_text(manifest.read_text().replace('"validation"', '"elsewhere"', 20))
    with pytest.raises(UsageError, match="helpdesk v1 has no validation split"):
        planned_sweep(home, read(tmp_path, service).train_spec())


@pytest.mark.slow
def test_after_a_kill_finished_points_are_not_trained_again(
    home: Path, tmp_path: Path, service: Tutor
) -> None:
    service.losses = {"1.0/1": 0.9, "1.0/2": 0.2, "2.0/1": 0.5, "2.0/2": 0.4}
    spec = read(tmp_path, service).train_spec()
    service.endless = 2
    command = [sys.executable, "-c", PROGRAM, str(home), spec.model_dump_json()]
    with subprocess.Popen(command, cwd=ROOT) as process:
        wait_for(service, jobs=2)
        process.send_signal(signal.SIGKILL)
    looked = len([1 for place, _, _ in service.requests if place.endswith("ftjob-0")])
    service.endless = 0
    made = swept(home, spec)
    assert made.sweep.trained == 3
    assert [each.model for each in made.sweep.points] == [
        f"ft:base-1:house::ftjob-{number}" for number in range(4)
    ]
    assert (len(service.jobs), made.model) == (4, "ft:base-1:house::ftjob-3")
    again = len([1 for place, _, _ in service.requests if place.endswith("ftjob-0")])
    assert looked == again  # the finished one was not even asked for
    assert made.registered == "models:/helpdesk/2"
    assert "| **2.0** | **2** | **0.4** |" in model_markdown(made)
