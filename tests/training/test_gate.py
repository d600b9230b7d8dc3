"""The gate of a language model: what its config says, and which cases may decide."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmops.configs.finetune import FinetuneConfig
from llmops.configs.reading import read, read_mapping
from llmops.configs.train import TrainConfig, read_training
from llmops.tasks.errors import ConfigError, UsageError
from llmops.tasks.models.moving import promote
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.trainers import TrainingData
from llmops.tasks.prompts import Resolved
from llmops.tasks.training.deciding import compared, decided, ready, standing
from llmops.tasks.training.held_cases import HeldCases, held_cases
from llmops.tasks.training.model_outcome import ModelOutcome, TrainedOn
from llmops.tasks.training.model_summary import model_markdown
from tests.models.made import DECISION, made, trained
from tests.shelf import decided as decided_by
from tests.shelf import fresh_home, prompt
from tests.training.test_models import published
from tests.training.tuned import Tutor, answer, case, config

SAID = "The lamp of house 3 is lit."
FORMATS: dict[str, Any] = {
    "openai_chat": {"messages": [{"role": "assistant", "content": SAID}]},
    "openai_dpo": {
        "input": {"messages": [{"role": "user", "content": "Which?"}]},
        "preferred_output": [{"role": "assistant", "content": SAID}],
        "non_preferred_output": [{"role": "assistant", "content": "No."}],
    },
    "sharegpt": {"conversations": [{"from": "gpt", "value": SAID}], "system": "Be kind."},
    "alpaca": {"instruction": "Which?", "input": "", "output": SAID},
    "trl_dpo": {"prompt": [], "chosen": [{"role": "assistant", "content": SAID}], "rejected": []},
}


def data(folder: Path, lines: dict[str, list[Any]]) -> TrainingData:
    paths = {name: folder / name for name in lines}
    for name, path in paths.items():
        path.write_text("".join(json.dumps(each) + "\n" for each in lines[name]))
    return TrainingData("abc", {}, name="helpdesk-v1", beside=paths)


def written(folder: Path, count: int = 6) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("".join(json.dumps(case(number)) + "\n" for number in range(count)))
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_a_case_that_a_row_gives_away_has_no_say(tmp_path: Path, name: str) -> None:
    rows = data(tmp_path, {"train.jsonl": [FORMATS[name]]})
    held = held_cases(rows, [written(tmp_path)], tmp_path / "out")
    assert held.excluded == ("c3",)
    kept = [json.loads(line)["id"] for line in held.files[0].read_text().splitlines()]
    assert kept == ["c0", "c1", "c2", "c4", "c5"]
    assert "1 case of the gate is left out" in held.warning


def test_the_test_split_and_system_prompts_give_nothing_away(tmp_path: Path) -> None:
    told = {"messages": [{"role": "system", "content": f"Say: {SAID}"}]}
    rows = data(tmp_path, {"test.jsonl": [FORMATS["openai_chat"]], "train.jsonl": [told]})
    cases = written(tmp_path)
    assert held_cases(rows, [cases], tmp_path / "out") == ((cases,), ())
    assert not (tmp_path / "out").exists()


def test_a_text_of_a_case_may_hold_any_end_of_line(tmp_path: Path) -> None:
    """JSON has them as they are, and only one of them ends a line."""
    rows = data(tmp_path, {"train.jsonl": [FORMATS["openai_chat"]]})
    cases = written(tmp_path)
    asked = {"question": "Which one is it,\u2028or\x85is it another one?"}
    odd = case(7) | {"id": "odd", "inputs": asked}
    with cases.open("a", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(odd, ensure_ascii=False) + "\n")
    held = held_cases(rows, [cases], tmp_path / "out")
    assert held.excluded == ("c3",)
    kept = held.files[0].read_text(encoding="utf-8").split("\n")
    assert [json.loads(line)["id"] for line in kept if line][-1] == "odd"


def test_one_row_may_give_several_cases_away(tmp_path: Path) -> None:
    both = {"messages": [{"role": "assistant", "content": f"{answer(1)} {answer(2)}"}]}
    rows = data(tmp_path, {"train.jsonl": [], "validation-pairs.jsonl": [both]})
    assert held_cases(rows, [written(tmp_path)], tmp_path).excluded == ("c1", "c2")
    every = {"messages": [{"role": "user", "content": " ".join(map(answer, range(3)))}]}
    rows, cases = data(tmp_path, {"train.jsonl": [every]}), written(tmp_path, 3)
    with pytest.raises(UsageError, match="each of the 3 cases"):
        held_cases(rows, [cases], tmp_path)


def test_a_gate_is_looked_at_before_anything_is_trained(tmp_path: Path) -> None:
    home = fresh_home(tmp_path)
    published(home)
    content = config(tmp_path, Tutor())
    content["train"]["base_url"] = "http://127.0.0.1:9/v1"
    read_config = read_mapping({**content, "folder": str(tmp_path)}, TrainConfig)
    spec, files = read_config.train_spec(), read_config.gate_config(Path("cases.jsonl"))
    wanted = files.evaluation_spec()
    assert ready(home, spec, wanted, Path("cases.jsonl")).excluded == ()
    (tmp_path / "p.yaml").write_text("name: p\nmessages: [{role: user, content: '{{x}}'}]")
    with pytest.raises(ConfigError, match="do not fit: missing x"):
        ready(home, spec, wanted, Path("cases.jsonl"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cases": "none.jsonl"}, "no such file"),
        ({"scorers": ["token_f2"]}, "token_f2"),
        ({"decide": {"metric": "rouge"}}, "the metric 'rouge', which no scorer gives"),
        ({"llm": {"model": "m"}}, "model follows from the training"),
        ({"budget": {"usd": 1.0}}, "whose price nobody knows"),
        ({"prompts": "p.yaml"}, "prompts"),
    ],
)
def test_a_gate_that_cannot_decide_is_told(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    content = config(tmp_path, Tutor())
    content["train"]["base_url"] = "http://127.0.0.1:9/v1"
    content["train"]["gate"] |= change
    with pytest.raises(ConfigError, match=said):
        read_mapping({**content, "folder": str(tmp_path)}, TrainConfig)


def test_other_trainers_have_other_gates(tmp_path: Path) -> None:
    gate = config(tmp_path, Tutor())["train"]["gate"]
    (tmp_path / "g.jsonl").write_text('{"id": "1", "question": "?", "relevant": [{"uri": "a"}]}\n')
    for train, said in (
        ({"name": "retrieval", "knowledge_base": "kb", "questions": "g.jsonl"}, "its own gate"),
        ({"name": "axolotl", "model": "m"}, "no plugin here serves what the trainer axolotl"),
    ):
        content = {"name": "x", "train": {**train, "gate": gate}, "folder": str(tmp_path)}
        with pytest.raises(ConfigError, match=said):
            read_mapping(content, TrainConfig)


def test_a_data_set_and_its_training_stand_in_one_config(tmp_path: Path) -> None:
    train = config(tmp_path, Tutor())["train"] | {"base_url": "http://127.0.0.1:9/v1"}
    train |= {"api_key": "${TUTOR_KEY}", "sweep": {"over": {"epochs": [1, 2]}}}
    (tmp_path / "rows.jsonl").write_text("")
    content: dict[str, Any] = {"flow": "finetune", "name": "helpdesk", "train": train}
    content |= {"collect": [{"name": "jsonl", "path": "rows.jsonl"}], "export": ["openai_chat"]}
    file = tmp_path / "finetune.yaml"
    (tmp_path / ".env").write_text("TUTOR_KEY=sk-tutor-0123456789\n")
    file.write_text(json.dumps(content))
    made = read(file, FinetuneConfig)
    assert made.train is not None
    assert set(made.train.options) == set(train) - {"name", "gate", "sweep"}
    assert "gate" not in made.recorded()["config"]
    training = read_training(file)
    assert (training.sweep, training.gate) == (made.sweep, made.gate)
    spec = Spec(name="openai", options={"model": "models:/helpdesk/2"})
    arms = training.gate_config((tmp_path / "cases.jsonl",), spec, spec).arms
    options = {"model": "models:/helpdesk/2", "api_key": "${TUTOR_KEY}", "retries": 0}
    assert arms["candidate"].llm.options == options
    del content["train"]
    file.write_text(json.dumps({**content, "gate": train["gate"]}))
    with pytest.raises(ConfigError, match="gate belongs to a training"):
        read(file, FinetuneConfig)


def outcome(home: Path, **changes: Any) -> ModelOutcome:
    rows = TrainedOn(name="helpdesk", version=1, sha256="a", format="f", rows={}, tokens={})
    given = {"name": "helpdesk", "trainer": "openai", "kind": "llm", "status": "trained"}
    told = {"reason": "the model is ft:1", "dataset": rows, "folder": str(home / "trainings")}
    return ModelOutcome.model_validate({**given, **told, **changes})


def test_a_gate_that_cannot_decide_promotes_nothing(tmp_path: Path) -> None:
    home = fresh_home(tmp_path)
    nowhere = standing(home, outcome(home))
    assert (nowhere.status, nowhere.exit_code) == ("inconclusive", 5)
    assert "the model is in no registry" in nowhere.reason
    (version,) = made(home, trained(home))
    mine = outcome(home, registered=version.uri, llm={"name": "openai", "model": "ft:1"})
    assert compared(home, mine) is None
    assert "does not say what the model was made from" in standing(home, mine).reason
    promote(home, "helpdesk", 1, DECISION, None)
    assert standing(home, mine).status == "promoted"


def test_another_model_that_is_live_meanwhile_stays_so(tmp_path: Path) -> None:
    home = fresh_home(tmp_path)
    base = trained(home, model="base", trainer={"name": "base"})
    first, *_ = made(home, base, trained(home), trained(home, model="ft:2"))
    mine = outcome(
        home,
        registered="models:/helpdesk/3",
        llm={"name": "openai", "model": "ft:2"},
        base={"name": "openai", "model": "base", "api_key": "sk-1"},
    )
    sides = compared(home, mine)
    assert sides is not None
    assert (sides.live.uri, sides.candidate.uri) == (first.uri, "models:/helpdesk/3")
    promote(home, "helpdesk", 2, DECISION, 1)
    files = Resolved(prompt=prompt(), uri="p.yaml")
    content = decided_by(home, files, files, better=True)
    told = decided(home, mine, sides, content, HeldCases((), ()), "test")
    assert (told.status, told.exit_code, told.failed) == ("stayed", 1, "NotPromoted")
    assert "models:/helpdesk/2 went live after the decision began" in told.reason
    assert "It should be live, and is not" in model_markdown(told)
    sides = compared(home, mine)
    assert sides is not None
    told = decided(home, mine, sides, content, HeldCases((), ("c1",)), "test")
    assert (told.status, told.exit_code) == ("promoted", 0)
    report = model_markdown(told)
    assert "`llmops models rollback helpdesk`" in report
    assert "Cases without a say (1), as it has seen them: c1." in report
