"""Configurations for LLaMA-Factory and Axolotl, by the rules of their documentation, and how they
are run.
"""

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import Blocked, LlmopsError, UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.exporters import Exporter
from llmops.tasks.plugins.trainers import DatasetTrainer, TrainedModel, TrainingData, TrainingRun
from llmops.tasks.plugins.trainers._program import metrics_in
from llmops.tasks.rows import Row
from llmops.tasks.yaml_files import parsed
from tests.plugins.exporters.rows import Shelf, pair, say, several, single, with_tools
from tests.plugins.trainers import programs

RULES: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "llamafactory": programs.llamafactory,
    "axolotl": programs.axolotl,
}
NEEDED = {"llamafactory": {"template": "llama3"}, "axolotl": {}}
PROMPTED = Row(
    id="r5",
    messages=(say("system", "Be short."), say("user", "Who?")),
    chosen=(say("assistant", "The desk."),),
    rejected=(say("assistant", "Nobody."),),
    group="g",
)
PROGRAM = """\
#!/bin/sh
echo "$@" >> called
echo "{{'loss': 2.5, 'grad_norm': 1.0, 'epoch': 0.5}}"
echo "{{'loss': '1.5', 'epoch': '1.0'}}"
mkdir -p model/checkpoint-2
{end}
"""


def exported(folder: Path, *rows: Row) -> TrainingData:
    """What `sharegpt` writes, as the flow does."""
    exporter = Spec(name="sharegpt").build(Exporter)
    folder.mkdir()
    names: dict[tuple[str, str], str] = {}
    for row in rows:
        for record in exporter.records(row, Shelf()):
            for split in ("train", "validation"):
                name = f"{split}-{record.kind}.jsonl" if record.kind else f"{split}.jsonl"
                names[(split, record.kind)] = name
                with (folder / name).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record.content, ensure_ascii=False) + "\n")
    for name, text in exporter.beside("helpdesk", names).items():
        (folder / name).write_text(text, encoding="utf-8")
    files = {split: folder / f"{split}.jsonl" for split in ("train", "validation")}
    beside = {path.name: path for path in folder.iterdir()}
    return TrainingData("abc", files, None, "helpdesk-v1", "sharegpt", beside, longest=700)


def train(
    name: str, data: TrainingData, folder: Path, steps: list[Any] | None = None, **options: Any
) -> TrainedModel:
    folder.mkdir(exist_ok=True)
    given = {"model": "house/model", **NEEDED[name], **options}
    trainer = Spec(name=name, options=given).build(DatasetTrainer)
    told = [] if steps is None else steps
    run = TrainingRun(folder, lambda number, metrics: told.append((number, dict(metrics))))
    return trainer.train(data, run)


def written(folder: Path) -> dict[str, Any]:
    text = (folder / "train.yaml").read_text(encoding="utf-8")
    value = parsed(folder / "train.yaml", text)
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_a_configuration_keeps_the_rules(tmp_path: Path, name: str, method: str) -> None:
    rows = [single(), several(), PROMPTED, pair()] + ([with_tools()] if method == "sft" else [])
    data = exported(tmp_path / "data", *rows)
    made = train(name, data, tmp_path / "run", method=method, run=False, seed=3)
    config = written(tmp_path / "run")
    assert RULES[name](config) == []
    assert config["seed"] == 3
    assert made.model == ""
    assert "run: false" in made.remark
    assert str(tmp_path / "run" / "train.sh") in made.remark


@pytest.mark.parametrize(
    ("name", "key"), [("llamafactory", "cutoff_len"), ("axolotl", "sequence_len")]
)
def test_nothing_is_cut(tmp_path: Path, name: str, key: str) -> None:
    data = exported(tmp_path / "data", single())
    train(name, data, tmp_path / "run", run=False)
    assert written(tmp_path / "run")[key] == 700 + 256
    train(name, data, tmp_path / "run", run=False, max_tokens=800)
    assert written(tmp_path / "run")[key] == 800
    with pytest.raises(UsageError, match="it would be cut"):
        train(name, data, tmp_path / "run", run=False, max_tokens=600)


def test_earlier_answers_are_masked_where_that_is_possible(tmp_path: Path) -> None:
    data = exported(tmp_path / "data", several())
    train("llamafactory", data, tmp_path / "run", run=False)
    assert written(tmp_path / "run")["mask_history"] is True
    train("llamafactory", data, tmp_path / "run", run=False, history=True)
    assert written(tmp_path / "run")["mask_history"] is False


def test_system_prompts_of_pairs_survive_in_axolotl(tmp_path: Path) -> None:
    data = exported(tmp_path / "data", PROMPTED)
    train("axolotl", data, tmp_path / "run", run=False, method="dpo")
    line = (tmp_path / "run" / "train-pairs.jsonl").read_text().splitlines()[0]
    assert json.loads(line)["conversations"][0] == {"from": "system", "value": "Be short."}


def test_parameters_go_before_all_others(tmp_path: Path) -> None:
    data = exported(tmp_path / "data", single())
    train("axolotl", data, tmp_path / "run", run=False, parameters={"adapter": "qlora", "x": [1]})
    config = written(tmp_path / "run")
    assert (config["adapter"], config["x"]) == ("qlora", [1])


@pytest.mark.parametrize("name", RULES)
def test_pairs_are_needed_for_preferences(tmp_path: Path, name: str) -> None:
    data = exported(tmp_path / "data", single())
    with pytest.raises(UsageError, match="has no pairs"):
        train(name, data, tmp_path / "run", method="dpo", run=False)


@pytest.mark.parametrize("name", RULES)
def test_where_it_is_not_installed_a_line_says_so(tmp_path: Path, name: str) -> None:
    data = exported(tmp_path / "data", single())
    made = train(name, data, tmp_path / "run", program="no-such-program")
    assert made.remark.startswith(f"no-such-program is not installed here (pip install {name})")


def program(folder: Path, end: str) -> str:
    path = folder / "program"
    path.write_text(PROGRAM.format(end=end))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("name", RULES)
def test_it_is_run_and_followed(tmp_path: Path, name: str) -> None:
    data, steps = exported(tmp_path / "data", single()), list[Any]()
    made = train(name, data, tmp_path / "run", steps, program=program(tmp_path, "exit 0"))
    assert made.model == str(tmp_path / "run" / "model")
    assert steps == [
        (0, {"loss": 2.5, "grad_norm": 1.0, "epoch": 0.5}),
        (5, {"loss": 1.5, "epoch": 1.0}),
    ]
    assert made.figures == {"loss": 1.5, "grad_norm": 1.0, "epoch": 1.0}
    subprocess.run(["sh", tmp_path / "run" / "train.sh"], cwd=tmp_path / "run", check=True)
    assert (tmp_path / "run" / "called").read_text() == f"train {tmp_path}/run/train.yaml\n" * 2


def test_a_program_that_fails_says_its_last_line(tmp_path: Path) -> None:
    data = exported(tmp_path / "data", single())
    failing = program(tmp_path, "echo out of memory; exit 3")
    with pytest.raises(LlmopsError, match="exit code 3: out of memory") as caught:
        train("axolotl", data, tmp_path / "run", program=failing)
    assert "goes on from the last checkpoint" in caught.value.hint
    assert (tmp_path / "run" / "model" / "checkpoint-2").is_dir()


def test_what_was_left_before_the_first_checkpoint_goes(tmp_path: Path) -> None:
    data, left = exported(tmp_path / "data", single()), tmp_path / "run" / "model" / "left"
    left.mkdir(parents=True)
    train("axolotl", data, tmp_path / "run", program=program(tmp_path, "exit 0"))
    assert not left.exists()


def test_who_interrupts_it_ends_the_program(tmp_path: Path) -> None:
    data = exported(tmp_path / "data", single())

    def interrupt(number: int, metrics: Mapping[str, float]) -> None:
        raise KeyboardInterrupt

    (tmp_path / "run").mkdir()
    options = {"model": "m", "program": program(tmp_path, "sleep 100; touch lived")}
    trainer = Spec(name="axolotl", options=options).build(DatasetTrainer)
    with pytest.raises(KeyboardInterrupt):
        trainer.train(data, TrainingRun(tmp_path / "run", interrupt))
    assert not (tmp_path / "run" / "lived").exists()


STARTER = """\
import sys
from pathlib import Path
from tests.plugins.trainers.test_programs import exported, single, train
train("axolotl", exported(Path(sys.argv[1]) / "data", single()), Path(sys.argv[1]) / "run",
      program=sys.argv[2])
"""


def test_who_is_killed_leaves_no_program_behind(tmp_path: Path) -> None:
    """And what will not end at once keeps the next run from starting a second one beside it."""
    stubborn = (
        'exec >&- 2>&-; trap "touch told" TERM; touch works; '
        "while [ ! -e leave ]; do sleep 0.05; done"
    )
    given = [sys.executable, "-c", STARTER, str(tmp_path), program(tmp_path, stubborn)]
    starter, run = subprocess.Popen(given), tmp_path / "run"
    try:
        until(lambda: (run / "works").exists())
    finally:
        starter.kill()
        starter.wait()
    until(lambda: (run / "told").exists())
    data = TrainingData("abc", {}, None, "helpdesk-v1", "sharegpt", {}, longest=700)
    data = replace(data, files={"train": tmp_path / "data" / "train.jsonl"})
    with pytest.raises(Blocked, match="earlier run still works"):
        train("axolotl", data, run, program=str(tmp_path / "program"))
    assert (run / "called").read_text().count("train") == 2  # once: "train" and "train.yaml"
    (run / "leave").touch()
    until(lambda: free(run / ".program"))


def until(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that in 20 seconds")


def free(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.mark.parametrize(
    "text", ["{'a'", "{'epoch': 1}", "{'loss': 'x'}", "{'loss': [1]}", "{'a'}"]
)
def test_other_lines_are_no_metrics(text: str) -> None:
    assert metrics_in(text) == {}


def test_a_chat_template_is_never_guessed() -> None:
    with pytest.raises(ValidationError, match="template"):
        Spec(name="llamafactory", options={"model": "m"}).build(DatasetTrainer)
