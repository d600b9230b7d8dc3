"""`llmops train` with a gate, through the command: what is better is live, what is not is not, and
the way back.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.yaml_files import write_yaml
from tests.commandline import Office, Said, llmops, refused
from tests.training.test_models import datasets
from tests.training.tuned import CASES, Tutor, config, tutor

pytestmark = pytest.mark.slow
ROW = "What is known of number 15838?"


class Gated:
    """A config that is written anew for each training."""

    def __init__(self, office: Office, service: Tutor) -> None:
        shutil.copytree(datasets(), office.home / "datasets", dirs_exist_ok=True)
        self.office, self.service = office, service
        self.name, self.file = office.kb, office.folder / "train.yaml"

    def write(self, **train: Any) -> Path:
        said = config(self.office.folder, self.service, self.name, **train)
        self.file.write_text(write_yaml(said))
        return self.file

    def train(self, knows: int, **train: Any) -> Said:
        """The next model knows so many of ten answers; its base and the others know five."""
        job = f"ft:base-1:house::ftjob-{len(self.service.jobs)}"
        self.service.knows[job] = knows
        return llmops("train", self.write(**train), "--json")

    @property
    def live(self) -> Any:
        return llmops("models", "show", self.name, "--json").data["live"]


def test_a_better_model_is_live_a_worse_one_is_not_and_there_is_a_way_back(office: Office) -> None:
    from llmops.tasks.tracking.store import opened, tracking_uri

    with tutor() as service:
        gated = Gated(office, service)
        plan = llmops("train", gated.write(), "--plan", "--json")
        assert (plan.data["status"], service.requests) == ("planned", [])
        first = gated.train(9)
        assert first.code == 0, first.out + first.err
        assert (first.data["status"], gated.live) == ("promoted", 2)
        said = first.data["gate"]
        assert (said["live"], said["candidate"]) == (
            f"models:/{gated.name}/1",
            f"models:/{gated.name}/2",
        )
        assert (said["better"], said["worse"], said["same"]) == (16, 0, 24)
        assert (said["cases"], said["moved"], said["values"]["candidate"] > 0.8) == (
            CASES,
            True,
            True,
        )
        asked = len(service.requests)
        again = llmops("train", gated.file, "--json")
        assert (again.code, again.data["status"]) == (0, "promoted")
        assert "it is live already" in again.data["reason"]
        assert asked + 5 > len(service.requests)  # the job is looked at, nothing is asked

        worse = gated.train(2, seed=8)
        assert (worse.code, worse.data["status"], gated.live) == (3, "rejected", 2)
        assert worse.data["gate"]["live"] == f"models:/{gated.name}/2"
        assert len(worse.data["gate"]["lost"]) == 5
        same = gated.train(9, seed=9)
        assert (same.code, same.data["status"], gated.live) == (5, "inconclusive", 2)

    with opened(office.home, tracking_uri(office.home)) as client:
        run = client.get_run(worse.data["mlflow_run_id"])
    assert "28 worse" in run.data.tags["mlflow.note.content"]
    assert run.data.tags["status"] == "rejected"
    assert run.data.metrics["gate/worse"] == 28
    decision = llmops("decision", "show", first.data["gate"]["decision"], "--json")
    assert decision.data["arms"]["candidate"]["trained"] == f"models:/{gated.name}/2"
    back = llmops("models", "rollback", gated.name, "--json").data
    assert (back["version"], back["previous_version"], back["model"]) == (1, 2, "base-1")
    refused(2, "was live before", "models", "rollback", gated.name)
    assert gated.name in [row["name"] for row in llmops("models", "list", "--json").data["models"]]
    assert "promote: 1 → 2" in llmops("models", "show", gated.name).out


def test_a_sweep_chooses_by_validation_and_its_best_goes_to_the_gate(office: Office) -> None:
    from llmops.tasks.tracking.store import opened, tracking_uri

    with tutor() as service:
        gated = Gated(office, service)
        service.losses = {"1.0/1": 0.9, "1.0/2": 0.2, "2.0/1": 0.5, "2.0/2": 0.4}
        service.knows = {"ft:base-1:house::ftjob-3": 9}
        over = {"learning_rate_multiplier": [1.0, 2.0]}
        file = gated.write(sweep={"over": over, "seeds": [1, 2]})
        cases = office.folder / "cases.jsonl"
        seen = {"id": "seen", "inputs": {"question": ROW}, "expected": {"answer": "Answer 2."}}
        cases.write_text(cases.read_text() + json.dumps(seen) + "\n")
        plan = llmops("train", file, "--plan", "--json").data
        assert "1 case of the gate is left out" in plan["warnings"][0]
        assert (plan["trainings"], service.requests) == (4, [])
        assert "4 trainings" in plan["reason"]
        assert plan["estimate_usd"] == pytest.approx(plan["estimate_tokens"] * 5 / 1e6)
        done = llmops("train", file, "--json")
        assert done.code == 0, done.out + done.err
        again = llmops("train", file, "--json").data
        people = llmops("train", file).out
    table = done.data["sweep"]
    chosen = [row["chosen"] for row in table["points"]]
    assert (table["metric"], chosen, table["trained"]) == ("valid_loss", [False] * 3 + [True], 4)
    assert done.data["model"] == "ft:base-1:house::ftjob-3"
    assert (done.data["status"], gated.live) == ("promoted", 2)
    assert (done.data["gate"]["excluded"], done.data["gate"]["cases"]) == (["seen"], CASES)
    paid = [row["cost_usd"] for row in table["points"]]  # a job's id is paid for once in a home
    assert done.data["cost_usd"] == pytest.approx(sum(paid))
    assert (again["sweep"]["trained"], again["cost_usd"], len(service.jobs)) == (0, 0.0, 4)
    assert "chosen" in people
    with opened(office.home, tracking_uri(office.home)) as client:
        parent = client.get_run(done.data["mlflow_run_id"])
        below = [client.get_run(row["mlflow_run_id"]) for row in table["points"]]
    assert "What was tried" in parent.data.tags["mlflow.note.content"]
    assert len({run.info.run_id for run in below}) == 4
    assert all(run.info.run_id != parent.info.run_id for run in below)
