"""Fine-tuning jobs at a scripted service: what is sent, what goes wrong, and that nothing is asked
for twice.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import ConfigError, LlmopsError, Unavailable, UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.trainers import (
    DatasetTrainer,
    Payment,
    TrainedModel,
    TrainingCost,
    TrainingData,
    TrainingRun,
)
from llmops.tasks.plugins.trainers.openai.record import read_record
from tests.fine_tuning_server import FineTuningStandIn, asked, fine_tuning
from tests.llm_faults import EMPTY_QUOTA, Answer, broken, limited

JOBS, FILES = "/v1/fine_tuning/jobs", "/v1/files"
LINE = {
    "messages": [
        {"role": "user", "content": "Wo?"},
        {"role": "assistant", "content": "Là\t👩‍👩‍👧."},
    ]
}
PAIR = {
    "input": {"messages": [{"role": "user", "content": "Where?"}]},
    "preferred_output": [{"role": "assistant", "content": "There."}],
    "non_preferred_output": [{"role": "assistant", "content": "No."}],
}


class Laboratory:
    """A data set, a folder of a run, and what was told."""

    def __init__(self, folder: Path, service: FineTuningStandIn, **options: Any) -> None:
        self.folder, self.service = folder / "run", service
        self.folder.mkdir(exist_ok=True)
        self.steps: list[tuple[int, Mapping[str, float]]] = []
        self.payments: list[Payment] = []
        format_name = options.get("format", "openai_chat")
        line = LINE if format_name == "openai_chat" else PAIR
        files = {"train": folder / "train.jsonl", "validation": folder / "validation.jsonl"}
        for path, count in zip(files.values(), (12, 2), strict=True):
            text = json.dumps(line, ensure_ascii=False) + "\n"
            path.write_text(text * count, encoding="utf-8", newline="\n")
        self.data = TrainingData(
            "abc", files, name="helpdesk-v3", format=format_name, tokens={"train": 240}
        )
        given = {"model": "base-1", "base_url": service.base_url, "every": 0.01, "patience": 5}
        self.trainer = Spec(name="openai", options={**given, **options}).build(DatasetTrainer)

    def train(self, *, interrupt: BaseException | None = None) -> TrainedModel:
        def step(number: int, metrics: Mapping[str, float]) -> None:
            self.steps.append((number, metrics))
            if interrupt:
                raise interrupt

        return self.trainer.train(self.data, TrainingRun(self.folder, step, self.payments.append))


def test_a_job_is_sent_followed_and_told(tmp_path: Path) -> None:
    with fine_tuning() as service:
        lab = Laboratory(
            tmp_path, service, epochs=2, batch_size=4, suffix="desk", price_per_million=3.0
        )
        made = lab.train()
    (body,) = asked(service, "fine_tuning/jobs")
    token = body["metadata"]["llmops"]
    assert body == {
        "model": "base-1",
        "training_file": "file-0",
        "validation_file": "file-1",
        "method": {
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 4}},
        },
        "seed": 7,
        "suffix": "desk",
        "metadata": {"llmops": token, "dataset": "helpdesk-v3", "sha256": "abc"},
    }
    assert service.contents["file-0"] == lab.data.files["train"].read_bytes()
    assert service.files[0]["filename"] == f"helpdesk-v3-train-{token}.jsonl"
    assert lab.steps == [(n, {"train_loss": 2.0 / n}) for n in (1, 2, 3)]
    assert made.model == "ft:base-1:house::ftjob-0"
    assert made.llm == {"name": "openai", "model": made.model, "base_url": service.base_url}
    assert made.base == {**made.llm, "model": "base-1"}
    assert made.figures == {"train_loss": 2 / 3, "trained_tokens": 1000.0}
    assert lab.payments == [Payment("ftjob-0", 1000, 0.003)]


def test_preferences_are_a_method_of_their_own(tmp_path: Path) -> None:
    with fine_tuning() as service:
        Laboratory(tmp_path, service, format="openai_dpo", beta=0.2, validation=False).train()
    (body,) = asked(service, "fine_tuning/jobs")
    assert body["method"] == {
        "type": "dpo",
        "dpo": {"hyperparameters": {"n_epochs": 3, "beta": 0.2}},
    }
    assert "validation_file" not in body
    assert len(service.files) == 1


def test_what_was_trained_is_not_trained_again(tmp_path: Path) -> None:
    with fine_tuning() as service:
        lab = Laboratory(tmp_path, service, price_per_million=1.0)
        assert lab.trainer.forecast(lab.data, lab.folder) == TrainingCost(720, 720 / 1e6)
        assert lab.train() == lab.train()
        assert lab.trainer.forecast(lab.data, lab.folder) == TrainingCost(720, 0.0)
    assert len(service.jobs) == 1
    assert len(service.files) == 2


def test_a_price_that_nobody_knows_is_no_zero(tmp_path: Path) -> None:
    with fine_tuning() as service:
        lab = Laboratory(tmp_path, service)
        assert lab.trainer.forecast(lab.data, lab.folder) == TrainingCost(720, None)


def test_a_file_that_would_be_refused_is_not_sent(tmp_path: Path) -> None:
    with fine_tuning() as service:
        lab = Laboratory(tmp_path, service)
        lab.data.files["train"].write_text(json.dumps(LINE) + "\n")
        with pytest.raises(ConfigError, match="fewer than 10"):
            lab.train()
    assert service.requests == []


@pytest.mark.parametrize("path", [FILES, JOBS])
def test_an_answer_that_is_lost_is_no_second_request(tmp_path: Path, path: str) -> None:
    with fine_tuning() as service:
        service.lost = {path: 1}
        Laboratory(tmp_path, service).train()
    assert [len(service.files), len(service.jobs)] == [2, 1]


@pytest.mark.parametrize("path", [FILES, JOBS])
@pytest.mark.parametrize("page", [100, 1])
def test_a_run_that_ended_before_it_knew_the_answer_is_taken_up(
    tmp_path: Path, path: str, page: int
) -> None:
    """As after a kill between the request and the note of its answer."""
    with fine_tuning() as service:
        service.page = page
        service.lost = {path: 1}
        for number in range(3):  # of others
            service.files.append({"id": f"o-{number}", "filename": f"o-{number}"})
            service.jobs.append({"id": f"oj-{number}", "training_file": "o", "metadata": None})
        with pytest.raises(Unavailable, match="tried 1 times"):
            Laboratory(tmp_path, service, patience=0).train()
        made = Laboratory(tmp_path, service).train()
    assert [len(service.files), len(service.jobs)] == [5, 4]
    assert made.model.startswith("ft:base-1")


def test_a_run_that_dies_leaves_its_job_at_work(tmp_path: Path) -> None:
    with fine_tuning() as service:
        lab = Laboratory(tmp_path, service)
        with pytest.raises(RuntimeError):
            lab.train(interrupt=RuntimeError())
        assert service.jobs[0]["status"] == "running"
        lab.steps.clear()
        assert lab.train().model == "ft:base-1:house::ftjob-0"
    assert [number for number, _ in lab.steps] == [1, 2, 3]  # MLflow's new run has the whole curve
    assert [len(service.files), len(service.jobs)] == [2, 1]


def test_who_interrupts_it_cancels_the_job(tmp_path: Path) -> None:
    with fine_tuning() as service:
        lab = Laboratory(tmp_path, service)
        with pytest.raises(KeyboardInterrupt):
            lab.train(interrupt=KeyboardInterrupt())
        assert service.jobs[0]["status"] == "cancelled"
        record = read_record(lab.folder)
        assert record
        assert record.ended == "cancelled"
        assert lab.train().model == "ft:base-1:house::ftjob-1"  # a new one, as the user wants
    assert len(service.jobs) == 2


def test_a_cancellation_that_fails_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with fine_tuning() as service:
        service.refusals = {f"{JOBS}/ftjob-0/cancel": [Answer(403)]}
        lab = Laboratory(tmp_path, service)
        with pytest.raises(KeyboardInterrupt):
            lab.train(interrupt=KeyboardInterrupt())
        assert "the job ftjob-0 could not be cancelled, and goes on at" in caplog.text
        assert lab.train().model == "ft:base-1:house::ftjob-0"


def test_a_busy_service_is_tried_again(tmp_path: Path) -> None:
    with fine_tuning() as service:
        busy = [limited(0), broken(503), broken(500)]
        service.refusals = {
            FILES: [*busy],
            JOBS: [*busy],
            f"GET {JOBS}": [*busy],
            f"GET {JOBS}/ftjob-0": [*busy],
            f"GET {JOBS}/ftjob-0/events": [*busy],
        }
        Laboratory(tmp_path, service).train()
    assert [len(service.files), len(service.jobs)] == [2, 1]


def test_a_service_that_asks_for_more_patience_than_there_is(tmp_path: Path) -> None:
    with fine_tuning() as service:
        service.refusals = {JOBS: [limited(3600)]}
        with pytest.raises(Unavailable, match="Rate limit reached") as caught:
            Laboratory(tmp_path, service).train()
    assert "pays nothing twice" in caught.value.hint
    assert service.jobs == []


def test_a_service_that_vanishes_is_told_and_the_job_taken_up(tmp_path: Path) -> None:
    with fine_tuning() as service:
        lab = Laboratory(tmp_path, service, patience=0)
        service.refusals = {f"GET {JOBS}/ftjob-0": [Answer(200, b"{}", cut=1)]}
        with pytest.raises(Unavailable, match="broke off") as caught:
            lab.train()
        assert "run the same command again" in caught.value.hint
        assert lab.train().model == "ft:base-1:house::ftjob-0"
    with pytest.raises(Unavailable, match="cannot be reached"):
        lab.train()
    assert len(service.jobs) == 1


def test_a_key_that_expires_is_told_without_the_key(tmp_path: Path) -> None:
    with fine_tuning() as service:
        service.key = "sk-right"
        lab = Laboratory(tmp_path, service, api_key="sk-wrong-and-long")
        with pytest.raises(Unavailable, match="401") as caught:
            lab.train()
        assert "api_key" in caught.value.hint
        assert "sk-wrong" not in str(caught.value)
        again = Laboratory(tmp_path, service, api_key="sk-right")
        assert again.trainer.identity() == lab.trainer.identity()
        again.train()
    assert len(service.jobs) == 1
    assert "sk-" not in (lab.folder / "job.json").read_text()


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (Answer(400, b'{"error": {"message": "no such model"}}'), UsageError, "no such model"),
        (EMPTY_QUOTA, Unavailable, "pay first"),
        (Answer(404), Unavailable, "404"),
    ],
)
def test_a_job_that_is_refused(
    tmp_path: Path, answer: Answer, error: type[LlmopsError], said: str
) -> None:
    with fine_tuning() as service:
        service.refusals = {JOBS: [answer]}
        lab = Laboratory(tmp_path, service)
        with pytest.raises(error, match=said):
            lab.train()
        assert service.jobs == []
        lab.train()
    assert [len(service.files), len(service.jobs)] == [2, 1]  # files are not sent again


def test_a_file_that_the_service_refuses(tmp_path: Path) -> None:
    with fine_tuning() as service:
        bad = {"id": "file-0", "filename": "f", "status": "error", "status_details": "too odd"}
        service.refusals = {f"GET {FILES}/file-0": [Answer(200, json.dumps(bad).encode())]}
        with pytest.raises(UsageError, match="too odd"):
            Laboratory(tmp_path, service).train()
    assert service.jobs == []


def test_a_job_that_fails_says_why_and_the_next_run_begins_anew(tmp_path: Path) -> None:
    with fine_tuning() as service:
        service.ending = "failed"
        lab = Laboratory(tmp_path, service)
        with pytest.raises(LlmopsError, match="ftjob-0 failed: line 3 is not good"):
            lab.train()
        assert lab.payments == []
        service.ending = "succeeded"
        assert lab.train().model == "ft:base-1:house::ftjob-1"


def test_an_address_without_jobs_is_told(tmp_path: Path) -> None:
    with fine_tuning() as service:
        service.refusals = {f"GET {FILES}": [Answer(200, b'{"object": "list"}')]}
        with pytest.raises(Unavailable, match="gave no list"):
            Laboratory(tmp_path, service).train()


@pytest.mark.parametrize(
    "options",
    [{"epochs": 0}, {"format": "alpaca"}, {"suffix": "a b"}, {"colour": "red"}, {"model": ""}],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Spec(name="openai", options={"model": "m", **options}).build(DatasetTrainer)
