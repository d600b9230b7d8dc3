"""`llmops prompts …` as people and programs meet it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.decisions import promotion
from llmops.tasks.prompts import registry
from tests.commandline import ended, llmops, refused, start_afresh
from tests.shelf import decided, fresh_home, point, prompt

SHIPPED = Path(__file__).parents[2] / "configs" / "prompts"
HELPDESK = """
name: helpdesk
messages:
  - {role: system, content: "From these passages only:\\n{{passages}}"}
  - {role: user, content: "{{question}}"}
model: {temperature: 0}
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one prompt, and an empty registry."""
    monkeypatch.setenv("LLMOPS_HOME", str(fresh_home(tmp_path)))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "helpdesk.yaml").write_text(HELPDESK)
    return tmp_path


def ask(*words: str | Path) -> Any:
    said = llmops("prompts", *words, "--json")
    assert said.code == 0, said.out + said.err
    people = llmops("prompts", *words) if words[0] in ("list", "show", "diff", "history") else said
    assert "Traceback" not in people.err
    return said.data


def states(desk: Path) -> list[str]:
    return [one["state"] for one in ask("list")["prompts"]]


@pytest.mark.slow
def test_files_need_neither_a_registry_nor_mlflow(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(HELPDESK)
    code = (
        "import sys\nfrom tests.commandline import llmops\n"
        "for words in (['show', sys.argv[1]], ['diff', sys.argv[1], sys.argv[1]], ['list', "
        "sys.argv[2]]):\n"
        "    said = llmops('prompts', *words, '--json'); assert said.code == 0, said\n"
        "assert 'mlflow' not in sys.modules"
    )
    environment = {**os.environ, "LLMOPS_HOME": str(tmp_path / "none")}
    words = [sys.executable, "-c", code, str(tmp_path / "p.yaml"), str(tmp_path)]
    subprocess.run(words, check=True, env=environment, cwd=SHIPPED.parents[1])
    assert not (tmp_path / "none").exists()


def test_the_shipped_prompts_are_whole_and_have_names_of_their_own() -> None:
    from llmops.tasks.prompts.reading import read_prompts
    from llmops.tasks.prompts.sync import one_file_each

    files = read_prompts([SHIPPED])
    assert {"answer-from-passages", "sort-into-topics", "rewrite-question"} <= {
        one.name for _, one in files
    }
    ours = [(file, one) for file, one in files if not file.name.startswith("python-help")]
    assert [file.stem for file, one in one_file_each(ours)] == [one.name for _, one in ours]
    topics = next(one for _, one in files if one.name == "sort-into-topics").render(
        {"message": "Where is my parcel?"}
    )
    assert '["billing", "delivery", "account", "other"]' in topics.messages[0].content
    assert topics.output
    query = (
        next(one for _, one in files if one.name == "rewrite-question")
        .render({"question": "?"})
        .messages[0]
        .content
    )
    assert "braces such as {x} or {{x}}." in query


@pytest.mark.slow
def test_the_life_of_a_prompt(desk: Path) -> None:
    file = desk / "prompts" / "helpdesk.yaml"
    assert states(desk) == ["ahead"]
    pushed = ask("push", "prompts", "-m", "the first one")
    made = pushed["prompts"][0]
    assert (pushed["made"], made["uri"], made["file"]) == (
        1,
        "prompts:/helpdesk/1",
        "prompts/helpdesk.yaml",
    )
    assert (ask("push", file)["made"], states(desk)) == (0, ["in step"])
    assert ask("promote", "helpdesk", "--version", "1", "--first")["version"] == 1
    file.write_text(HELPDESK.replace("only", "alone").replace("temperature: 0", "temperature: 0.5"))
    assert states(desk) == ["changed"]
    told = ask("diff", "helpdesk@champion", "prompts/helpdesk.yaml")
    assert (told["same"], told["changed"]) == (False, ["messages", "model"])
    assert (told["from"], told["to"]) == ("prompts:/helpdesk/1", "prompts/helpdesk.yaml")
    for line in (
        "-From these passages only:",
        "+From these passages alone:",
        "-model temperature: 0",
        "+model temperature: 0.5",
    ):
        assert line in told["diff"].splitlines()
    refused(3, "has changes that were never pushed", "prompts", "pull", "helpdesk")
    assert ask("push", file)["prompts"][0]["version"] == 2
    shown = ask("show", "helpdesk")
    assert (shown["version"], shown["model"], sorted(shown["variables"])) == (
        2,
        {"temperature": 0.5},
        ["passages", "question"],
    )
    assert ask("pull", "helpdesk@champion")["written"] is True
    assert (states(desk), ask("diff", "helpdesk/1", file)["same"]) == (["behind"], True)


@pytest.mark.slow
def test_an_alias_moves_by_a_decision_and_back(desk: Path) -> None:
    home = desk / "home"
    one, two = (registry.push(home, prompt(f"{text} {{{{question}}}}")) for text in ("one", "two"))
    promotion.first(home, "helpdesk", "champion", 1)
    good = decided(home, one, two, run="good")
    bad = decided(home, one, two, run="bad", better=False)
    second = ("prompts", "promote", "helpdesk", "--version", "2")
    refused(3, "the verdict is reject", *second, "--decision", bad["record"])
    blocked = llmops("prompts", "promote", "helpdesk", "--decision", bad["record"], "--json")
    assert (
        blocked.code,
        blocked.data["status"],
        "the verdict is reject" in blocked.data["reason"],
    ) == (3, "blocked", True)
    moved = ask("promote", "helpdesk", "--version", "2", "--decision", good["record"])
    wanted = {
        "prompt": "helpdesk",
        "alias": "champion",
        "version": 2,
        "previous_version": 1,
        "kind": "promote",
        "decision": "good",
    }
    assert moved.items() >= {**wanted, "moved": True}.items()
    assert ask("rollback", "helpdesk")["version"] == 1
    point(home, 2)
    told = ask("history", "helpdesk")
    assert [(one["kind"], one["to"]) for one in told["moves"]] == [
        ("first", 1),
        ("promote", 2),
        ("rollback", 1),
        ("outside", 2),
    ]
    assert [(one["version"], one["aliases"], one["edited"]) for one in told["versions"]] == [
        (2, ["champion"], False),
        (1, [], False),
    ]
    people = llmops("prompts", "history", "helpdesk").out
    assert "outside llmops" in people
    assert "good" in people


@pytest.mark.slow
def test_a_decision_may_be_named_by_its_id(desk: Path) -> None:
    home = desk / "home"
    one, two = (
        registry.push(home, prompt("one {{question}}")),
        registry.push(home, prompt("two {{question}}")),
    )
    promotion.first(home, "helpdesk", "champion", 1)
    decided(home, one, two, run="helpdesk-1")
    assert ask("promote", "helpdesk", "--decision", "helpdesk-1")["version"] == 2
    assert (
        "is version 2 already"
        in llmops("prompts", "promote", "helpdesk", "--decision", "helpdesk-1").out
    )


@pytest.mark.slow
def test_what_is_wrong_is_said(desk: Path) -> None:
    (desk / "bad.yaml").write_text(
        "name: x\nmessages: [{role: user, content: '{{a.b}}'}]\nmodel: {temperature: 9}"
    )
    refused(
        2,
        r"bad.yaml: messages\[0\].content: '\{\{a.b\}\}' is no placeholder",
        "prompts",
        "push",
        "bad.yaml",
    )
    said = llmops("prompts", "show", "bad.yaml", "--json")
    assert [one["where"] for one in said.data["errors"]] == [
        "bad.yaml: messages[0].content",
        "bad.yaml: model.temperature",
    ]
    refused(2, "no such file", "prompts", "push", "nope.yaml")
    refused(2, "there is no prompt 'helpdesk' in the registry", "prompts", "show", "helpdesk")
    refused(2, "there is no prompt 'helpdesk' in the registry", "prompts", "rollback", "helpdesk")
    refused(2, "there is no prompt 'a/b'|got the reference", "prompts", "show", "a/b")
    refused(
        2,
        "a decision is wanted: --decision FILE",
        "prompts",
        "promote",
        "helpdesk",
        "--version",
        "1",
    )
    refused(
        2,
        "--first needs no decision",
        "prompts",
        "promote",
        "helpdesk",
        "--first",
        "--decision",
        "x",
    )
    refused(2, "which version?", "prompts", "promote", "helpdesk", "--first")
    refused(2, "no such file: x.json", "prompts", "promote", "helpdesk", "--decision", "x.json")
    refused(2, "a version is pulled", "prompts", "pull", "prompts/helpdesk.yaml")
    refused(2, "no such folder", "prompts", "list", "nowhere")
    shutil.copy(desk / "prompts" / "helpdesk.yaml", desk / "prompts" / "twin.yaml")
    assert ask("push", "prompts")["made"] == 1
    (desk / "prompts" / "twin.yaml").write_text(HELPDESK.replace("only", "alone"))
    refused(2, "says something else under the name 'helpdesk'", "prompts", "push", "prompts")


@pytest.mark.slow
def test_a_registry_that_does_not_answer_is_an_error_of_the_environment(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    refused(1, "MLflow does not answer", "prompts", "list")
    assert llmops("prompts", "show", "prompts/helpdesk.yaml").code == 0


@pytest.mark.slow
def test_the_true_command_prints_one_object_and_nothing_else(desk: Path) -> None:
    said = ended(start_afresh(desk / "home", "prompts", "push", desk / "prompts", "--json"))
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out)["made"] == 1


def test_what_a_prompt_says_stays_as_it_is(tmp_path: Path) -> None:
    """Rich would make pictures of it."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(
            f'name: p\nmessages: [{{role: user, content: ":smile: {name}"}}]\ndescription: ":fire:"'
        )
    assert {":smile: one", ":fire:"} <= set(
        map(str.strip, llmops("prompts", "show", tmp_path / "one.yaml").out.splitlines())
    )
    assert (
        "+:smile: two"
        in llmops("prompts", "diff", tmp_path / "one.yaml", tmp_path / "two.yaml").out
    )


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_said(desk: Path) -> None:
    registry.push(desk / "home", prompt())
    refused(
        1,
        "/proc/x: the file cannot be written: ",
        "prompts",
        "pull",
        "helpdesk",
        "--out",
        "/proc/x",
    )
    refused(
        1,
        "the file cannot be written: .* directory",
        "prompts",
        "pull",
        "helpdesk",
        "--force",
        "--out",
        desk / "prompts",
    )


def test_control_characters_of_a_prompt_do_not_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "name: p\nmessages: [{role: user, content: "
        '"a\\e[31m[bold]x[/bold]"}]\ndescription: "\\e[2J"'
    )
    said = llmops("prompts", "show", tmp_path / "p.yaml")
    assert (said.code, "\x1b" in said.out) == (0, False)
    assert "a\\x1b[31m[bold]x[/bold]" in said.out
