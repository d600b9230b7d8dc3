"""From a published data set to a model: checked, priced, paid once, and told."""

import atexit
import json
import shutil
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from sqlalchemy import select

from llmops.configs.evaluate import EvaluateConfig
from llmops.configs.reading import read, read_mapping
from llmops.configs.train import TrainConfig
from llmops.tasks.calls.costs import booked
from llmops.tasks.errors import Blocked, ConfigError, Damaged, UsageError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import calls
from llmops.tasks.models.registry import overview
from llmops.tasks.plugins.trainers import Payment, TrainedModel
from llmops.tasks.plugins.trainers.openai import OpenAiTrainer
from llmops.tasks.training.model_summary import model_markdown
from llmops.tasks.training.models import planned_model, train_model
from llmops.tasks.training.paying import write_payment
from llmops.tasks.training.run import run_model_training
from llmops.tasks.training.spec import TrainSpec
from tests.datasets.training.runs import built, line, spec_of
from tests.fine_tuning_server import FineTuningStandIn, fine_tuning

ROOT = Path(__file__).parents[2]


@cache
def datasets() -> Path:
    """The data sets of a home: `helpdesk` alone, built once."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    lines = [line(number) for number in range(40)]
    built(spec_of(folder / "home", folder, lines, export=["openai_chat", "trl_sft"]))
    return folder / "home" / "datasets"


def published(home: Path) -> Path:
    """A data set `helpdesk`, and its folder."""
    shutil.copytree(datasets(), home / "datasets")
    return home / "datasets" / "helpdesk" / "v1"


def spec(base_url: str, usd: float | None = None, **options: Any) -> TrainSpec:
    given = {"name": "openai", "model": "base-1", "base_url": base_url, "every": 0.01, **options}
    config = {"flow": "train", "name": "helpdesk", "train": given, "budget": {"usd": usd}}
    return read_mapping(config, TrainConfig).train_spec()


def paid(home: Path) -> list[tuple[int, float]]:
    with open_ledger(home).read() as connection:
        rows = connection.execute(select(calls.c.tokens, calls.c.cost_usd))
        return [(row.tokens, row.cost_usd) for row in rows]


def test_a_plan_prices_and_sends_nothing(tmp_path: Path) -> None:
    published(tmp_path / "home")
    with fine_tuning() as service:
        planned = planned_model(
            tmp_path / "home", spec(service.base_url, epochs=2, price_per_million=5.0)
        )
        cheap = planned_model(
            tmp_path / "home", spec(service.base_url, 1e-9, price_per_million=5.0)
        )
    assert service.requests == []
    tokens = planned.dataset.tokens["train"]
    assert tokens > 400
    assert planned.estimate_tokens == 2 * tokens
    assert planned.estimate_usd == pytest.approx(2 * tokens * 5 / 1e6)
    assert planned.status == "planned"
    assert not Path(planned.folder).exists()
    assert "the training may cost" in cheap.warnings[0]


def test_an_export_with_a_name_of_its_own_is_found(tmp_path: Path) -> None:
    lines = [line(number) for number in range(20)]
    named = [{"name": "trl_sft"}, {"name": "openai_chat", "id": "short", "max_tokens": 900}]
    train = {"name": "openai", "model": "base-1", "api_key": "k", "price_per_million": 1.0}
    made = spec_of(tmp_path / "home", tmp_path, lines, export=named, train=train)
    built(made)
    planned = planned_model(tmp_path / "home", spec("http://127.0.0.1:9"))
    assert planned.dataset.format == "short"
    assert planned.dataset.rows["train"] > 10
    train["format"] = "openai_dpo"
    with pytest.raises(ConfigError, match="reads openai_dpo, which export does not name"):
        spec_of(tmp_path / "home", tmp_path, lines, export=named, train=train)


def test_a_model_is_told_with_what_it_was_trained_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    folder = published(home)
    with fine_tuning() as service:
        wanted = spec(service.base_url, 1.0, price_per_million=3.0)
        first, again = train_model(home, wanted), train_model(home, wanted)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert first.status == "trained"
    assert first.model == again.model == "ft:base-1:house::ftjob-0"
    assert first.dataset.sha256 == manifest["content_sha256"]
    assert first.dataset.rows["train"] + first.dataset.rows["validation"] <= 40
    assert (first.cost_usd, again.cost_usd) == (0.003, 0.0)
    assert paid(home) == [(1000, 0.003)]
    (row,) = booked(open_ledger(home))
    assert (row.flow, row.name, row.model) == ("train", "helpdesk", "base-1")
    assert "ft:base-1:house::ftjob-0" in model_markdown(first)


def test_what_a_trainer_left_out_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(tmp_path)

    def trained(*_: object) -> TrainedModel:
        return TrainedModel(files=(), model="m", warnings=("train: 2 of 9 rows left out",))

    monkeypatch.setattr(OpenAiTrainer, "train", trained)
    outcome = train_model(tmp_path, spec("http://127.0.0.1:9"))
    assert outcome.warnings == ["train: 2 of 9 rows left out"]


def test_the_config_that_decides_can_be_read_once_it_is_filled_in(tmp_path: Path) -> None:
    home = tmp_path / "home"
    published(home)
    with fine_tuning() as service:
        made = train_model(home, spec(service.base_url))
    path = Path(str(made.evaluation))
    with pytest.raises(ConfigError):
        read(path, EvaluateConfig)
    (path.parent / "cases").mkdir()
    case = {"id": "1", "inputs": {"question": "Where?"}, "expected": {"answer": "There."}}
    (path.parent / "cases" / "helpdesk.jsonl").write_text(json.dumps(case) + "\n")
    prompt = "name: helpdesk\nmessages: [{role: user, content: '{{question}}'}]\n"
    (path.parent / "prompts").mkdir()
    (path.parent / "prompts" / "helpdesk.yaml").write_text(prompt)
    config = read(path, EvaluateConfig)
    assert config.arms["candidate"].llm.short() == made.llm
    assert config.arms["baseline"].llm.short() == {**made.llm, "model": "base-1"}


def test_nothing_is_sent_beyond_the_budget(tmp_path: Path) -> None:
    home = tmp_path / "home"
    published(home)
    with fine_tuning() as service:
        with pytest.raises(Blocked, match="the budget is"):
            train_model(home, spec(service.base_url, 0.000001, price_per_million=3.0))
        with pytest.raises(ConfigError, match="price of the training is not known"):
            train_model(home, spec(service.base_url, 1.0))
        assert service.requests == []
        train_model(home, spec(service.base_url, 0.0, price_per_million=0.0))
        train_model(home, spec(service.base_url))
    assert len(service.jobs) == 1  # neither price nor budget make it another training


def test_the_month_of_the_home_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    published(home)
    write_payment(home, Payment("earlier", 5, 0.995), "desk", "openai")
    with fine_tuning() as service:
        monkeypatch.setenv("LLMOPS_MONTHLY_BUDGET_USD", "1")
        with pytest.raises(Blocked, match=r"of the \$1 of this month \$0.9950 are paid"):
            train_model(home, spec(service.base_url, price_per_million=3.0))
        assert service.requests == []
        monkeypatch.setenv("LLMOPS_MONTHLY_BUDGET_USD", "2")
        train_model(home, spec(service.base_url, price_per_million=3.0))
    assert len(service.jobs) == 1


def test_a_payment_is_counted_once(tmp_path: Path) -> None:
    assert write_payment(tmp_path, Payment("j", 5, 0.1), "desk", "openai")
    assert not write_payment(tmp_path, Payment("j", 5, 0.1), "desk", "openai")
    assert paid(tmp_path) == [(5, 0.1)]


def test_what_cannot_be_trained_on_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with pytest.raises(UsageError, match="none is published"):
        planned_model(home, spec("http://127.0.0.1:9/v1"))
    folder = published(home)
    with pytest.raises(UsageError, match="there are v1"):
        planned_model(home, spec("http://127.0.0.1:9/v1", version=4))
    with pytest.raises(UsageError, match="has no rows to train on in openai_dpo; it has openai"):
        planned_model(home, spec("http://127.0.0.1:9/v1", format="openai_dpo"))
    with (folder / "openai_chat" / "train.jsonl").open("a") as file:
        file.write(" ")
    with pytest.raises(Damaged, match="not the file that was published"):
        planned_model(home, spec("http://127.0.0.1:9/v1"))


def test_a_format_that_the_config_does_not_export_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="reads openai_chat or openai_dpo"):
        spec_of(tmp_path, tmp_path, [line(1)], train={"name": "openai", "model": "m"})


def test_the_run_is_in_mlflow(tmp_path: Path) -> None:
    from llmops.tasks.tracking.store import opened, tracking_uri

    home = tmp_path / "home"
    published(home)
    with fine_tuning() as service:
        made = run_model_training(home, spec(service.base_url, api_key="sk-a-secret-key"))
    with opened(home, tracking_uri(home)) as client:
        run = client.get_run(str(made.mlflow_run_id))
        curve = client.get_metric_history(run.info.run_id, "steps/train_loss")
        files = {each.path for each in client.list_artifacts(run.info.run_id)}
    assert run.inputs is not None
    assert run.data.tags["model"] == made.model
    assert run.data.tags["dataset"] == "helpdesk v1"
    assert run.inputs.dataset_inputs[0].dataset.name == "helpdesk v1"
    assert [(each.step, each.value) for each in curve] == [(1, 2.0), (2, 1.0), (3, 2 / 3)]
    assert {"report.md", "job.json", "evaluate.yaml"} <= files
    assert "sk-a-secret" not in str(run.data)
    shown = overview(home, "helpdesk")
    assert made.registered == run.data.tags["registered"] == "models:/helpdesk/2"
    trained, base = shown["versions"]
    assert (shown["live"], base["llm"]["model"], base["trained"]) == (None, "base-1", False)
    assert (trained["llm"], trained["dataset"]) == (made.llm, "helpdesk v1")
    assert (trained["dataset_sha256"], home / trained["folder"]) == (
        made.dataset.sha256,
        Path(made.folder),
    )
    assert trained["mlflow_run_id"] == made.mlflow_run_id
    assert "sk-a-secret" not in json.dumps(shown)


@pytest.mark.slow
def test_after_a_kill_the_same_job_is_followed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    published(home)
    program = (
        "import sys; from pathlib import Path; from llmops.tasks.training.models import *\n"
        "train_model(Path(sys.argv[1]), TrainSpec.model_validate_json(sys.argv[2]))"
    )
    with fine_tuning() as service:
        service.steps = 10**6
        wanted = spec(service.base_url)
        command = [sys.executable, "-c", program, str(home), wanted.model_dump_json()]
        with subprocess.Popen(command, cwd=ROOT) as process:
            wait_for(service)
            process.send_signal(signal.SIGKILL)
        service.steps = 1
        made = train_model(home, wanted)
    assert made.model == "ft:base-1:house::ftjob-0"
    assert [len(service.files), len(service.jobs)] == [2, 1]


def wait_for(service: FineTuningStandIn, jobs: int = 1) -> None:
    """Until the last of so many jobs is looked at."""
    end = time.monotonic() + 60
    while len(service.jobs) < jobs or not service.jobs[jobs - 1]["step"]:
        assert time.monotonic() < end
        time.sleep(0.02)
