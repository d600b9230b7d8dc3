"""`llmops finetune` as a user meets it: Prefect, MLflow, the files, and what it refuses."""

import json
from pathlib import Path

import pytest

from tests.commandline import Office, llmops
from tests.datasets.training.runs import line, pair_line

CONFIG = """
flow: finetune
name: NAME
collect: [{name: jsonl, path: rows.jsonl}]
export: [openai_chat, trl_dpo, sharegpt]
"""


def written(folder: Path, name: str, config: str = CONFIG) -> Path:
    rows = [*(line(n) for n in range(20)), *(pair_line(n) for n in range(20, 30))]
    text = "".join(f"{json.dumps(each)}\n" for each in rows)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    (folder / "finetune.yaml").write_text(config.replace("NAME", name), encoding="utf-8")
    return folder / "finetune.yaml"


@pytest.mark.slow
def test_a_data_set_is_published_recorded_and_unchanged(office: Office, tmp_path: Path) -> None:
    config = written(tmp_path, f"d{abs(hash(tmp_path)):x}")
    plan = llmops("finetune", config, "--plan", "--json").data
    assert (plan["status"], plan["sources"]) == ("planned", {"jsonl": 30})
    first = llmops("finetune", config, "--json").data
    assert first["status"] == "published"
    assert first["rows"]["train"] + first["rows"]["validation"] + first["rows"]["test"] == 30
    assert {file["format"] for file in first["files"]} == {"openai_chat", "trl_dpo", "sharegpt"}
    folder = Path(first["folder"])
    assert all((folder / file["path"]).is_file() for file in first["files"])
    assert first["mlflow_run_id"]
    again = llmops("finetune", config, "--json").data
    assert (again["status"], again["version"]) == ("unchanged", 1)
    assert again["mlflow_run_id"] == first["mlflow_run_id"]
    emptied = llmops("finetune", config, "--set", "check.most_tokens=1", "--json")
    assert (emptied.code, emptied.data["status"]) == (3, "blocked")
    assert "nothing is left" in emptied.data["reason"]


def test_mistakes_are_told_before_anything_runs(tmp_path: Path) -> None:
    config = written(tmp_path, "helpdesk", CONFIG.replace("rows.jsonl", "absent.jsonl"))
    said = llmops("finetune", config, "--json")
    assert said.code == 2
    assert "absent.jsonl" in said.mistake["message"]
    wrong = written(tmp_path, "helpdesk", CONFIG.replace("sharegpt", "share_gpt"))
    said = llmops("check", wrong, "--json")
    assert said.code == 2
    assert "share_gpt" in said.mistake["message"]
