"""The starter project is right as it is written, and writes over nothing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commandline import llmops, refused
from tests.yaml_texts import yaml_of


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "first project"
    assert llmops("init", folder, "--json").code == 0
    return folder


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_config_of_it_is_right(project: Path) -> None:
    said = llmops("check", project, "--json")
    assert said.code == 0, said.out
    names = [Path(file).name for file in said.data["checked"]]
    assert names == [
        *("alerts.yaml", "app.yaml", "evaluate.yaml", "feedback.yaml", "finetune.yaml"),
        *("handbook.yaml", "maintain.yaml", "monitor.yaml", "nightly.yaml"),
    ]


def test_questions_ask_for_documents_that_are_there(project: Path) -> None:
    documents = {file.name for file in (project / "docs").iterdir()}
    asked = {
        str(each["uri"])
        for row in lines(project / "golden" / "handbook.jsonl")
        for each in row["relevant"]  # type: ignore[attr-defined]
    }
    expected = {
        str(uri)
        for row in lines(project / "cases" / "helpdesk.jsonl")
        for uri in row["expected"]["uris"]  # type: ignore[index]
    }
    assert asked == expected == documents


def test_its_prompts_refuse_in_the_words_by_which_refusals_are_counted(project: Path) -> None:
    words = yaml_of((project / "app.yaml").read_text())["guards"]["refusal"]
    for prompt in (project / "prompts").iterdir():
        assert f'"{words}"' in prompt.read_text()


def test_it_writes_over_nothing_and_says_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    mine = {"README.md": "mine", "handbook.yaml": "mine too", "docs/data.md": "and mine"}
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    said = llmops("init", tmp_path, "--json").data
    assert sorted(said["kept"]) == sorted(mine)
    assert {name: (tmp_path / name).read_text() for name in mine} == mine
    assert "evaluate.yaml" in said["written"]
    assert ".env.example" in said["written"]
    again = llmops("init", tmp_path)
    assert again.code == 0
    assert "written" not in again.out
    assert "kept     README.md: it was there before" in again.out


def test_a_place_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(2, "cannot be written: File exists", "init", tmp_path / "file")


def test_the_tables_of_its_readme_name_what_there_is(project: Path) -> None:
    named = re.findall(r"^\| `([^`]+)` \|", (project / "README.md").read_text(), re.MULTILINE)
    assert [name for name in named if not (project / name).exists()] == [".llmops/"]


def test_what_is_secret_or_state_stays_out_of_git(project: Path) -> None:
    assert (project / ".gitignore").read_text().split() == [".env", ".llmops/"]
    settings = (project / ".env.example").read_text().splitlines()
    assert [line for line in settings if line and not line.startswith("#")] == []


def workflow(project: Path) -> Path:
    return project / ".github" / "workflows" / "evaluate.yml"


def test_its_workflow_is_one_by_githubs_schema(project: Path) -> None:
    schema = ["--builtin-schema", "vendor.github-workflows"]
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *schema, str(workflow(project))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_its_workflow_runs_commands_that_there_are_and_knows_every_exit_code(
    project: Path,
) -> None:
    steps = yaml_of(workflow(project).read_text())["jobs"]["evaluate"]["steps"]
    script = "\n".join(step.get("run", "") for step in steps)
    for command in re.findall(r"llmops ((?:check|index|evaluate)\b[^>&|\n]*)", script):
        words = command.split("#")[0].split()
        files = [word for word in words[1:] if not word.startswith("-")]
        assert all((project / file).exists() or file == "evaluation.xml" for file in files)
        flags = {word for word in words if word.startswith("--")}
        assert flags <= set(re.findall(r"--[a-z]+", llmops(words[0], "--help").out))
    assert re.findall(r"^ *(\d)\)", script, re.MULTILINE) == ["0", "3", "4", "5"]


def test_its_workflow_installs_from_the_line_that_the_project_can_change(project: Path) -> None:
    """No registry has the package: a plain `pip install llmops-pipelines` would fail, or worse."""
    from packaging.requirements import Requirement

    steps = yaml_of(workflow(project).read_text())["jobs"]["evaluate"]["steps"]
    script = "\n".join(step.get("run", "") for step in steps)
    assert "pip install -r requirements.txt" in script
    assert "pip install llmops-pipelines" not in script
    text = (project / "requirements.txt").read_text()
    (line,) = [each for each in text.splitlines() if each and not each.startswith("#")]
    wanted = Requirement(line)
    assert wanted.name == "llmops-pipelines"
    assert wanted.url is not None
    assert ".example." in wanted.url  # a place that is nobody's, so that it is changed
