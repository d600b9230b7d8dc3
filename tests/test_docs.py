"""Docs, `--help` and code say the same."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from pydantic import BaseModel

from benchmarks.site import PAGES, anchors, links
from llmops.configs.reading import FLOWS
from llmops.configs.section import FlowConfig
from llmops.flows.cli import app
from llmops.tasks.knowledge.outcome import Outcome
from llmops.tasks.plugins import FAMILIES, external, names
from tests.yaml_texts import yaml_of

ROOT = Path(__file__).parent.parent
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
README = (ROOT / "README.md").read_text()


def commands() -> dict[str, Any]:
    """Every command by its full name."""
    root: Any = typer.main.get_command(app)
    found: dict[str, Any] = {}
    for name, one in root.commands.items():
        found |= (
            {f"{name} {inner}": command for inner, command in one.commands.items()}
            if hasattr(one, "commands")
            else {name: one}
        )
    return found


def keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Every key path of a config model."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        inner = next(
            (
                kind
                for kind in (field.annotation, *get_args(field.annotation))
                if isinstance(kind, type)
                and issubclass(kind, BaseModel)
                and kind.__name__ != "Spec"
            ),
            None,
        )
        written = field.alias or name
        found += keys(inner, f"{prefix}{written}.") if inner else [prefix + written]
    return found


def model_of(flow: str) -> type[FlowConfig]:
    model: type[FlowConfig] = getattr(import_module(f"llmops.configs.{flow}"), FLOWS[flow].model)
    return model


def test_every_config_of_a_flow_is_known_to_check() -> None:
    models = {
        each
        for path in (ROOT / "configs").glob("[a-z]*.py")
        for each in vars(import_module(f"llmops.configs.{path.stem}")).values()
        if isinstance(each, type) and issubclass(each, FlowConfig) and each is not FlowConfig
    }
    assert models == {model_of(flow) for flow in FLOWS}


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_is_in_the_reference_and_in_the_readme(name: str) -> None:
    group, _, verb = name.partition(" ")
    said = [f"`llmops {group}" in REFERENCE, f"{group} {verb}".strip() in REFERENCE]
    assert all(said), "not in docs/reference.md"
    assert verb in README if verb else f"llmops {group}" in README


def test_what_the_readme_says_to_type_has_every_option_that_a_command_wants() -> None:
    known, lacking, seen = commands(), [], 0
    for line in README.splitlines():
        if not line.startswith("| `llmops "):
            continue
        group = line.split()[2].strip("`")
        for typed in re.findall(r"`([^`]+)`", re.split(r"(?<!\\)\|", line)[1]):
            words = [word for word in typed.split() if word != "llmops"]
            names = (f"{group} {words[0]}", " ".join(words[:2]), words[0])
            command = next(known[name] for name in names if name in known)
            wanted = {each.opts[0] for each in command.params if each.required} - set(words)
            lacking += [f"{typed}: {flag}" for flag in wanted if flag.startswith("--")]
            seen += 1
    assert (lacking, seen > 50) == ([], True)


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_option_is_explained(name: str) -> None:
    for option in commands()[name].params:
        flag = max(option.opts, key=len)
        if flag.startswith("--") and flag not in ("--json", "--quiet", "--verbose", "--help"):
            assert flag in REFERENCE, f"{name} {flag}"
            assert option.help, f"{name} {flag} has no help"


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_takes_the_common_options_and_says_what_it_does(name: str) -> None:
    command = commands()[name]
    assert {"--json", "--quiet", "--verbose"} <= {
        flag for option in command.params for flag in option.opts
    }
    assert (command.help or "").strip()


@pytest.mark.parametrize(
    "key",
    sorted({key for flow in FLOWS for key in keys(model_of(flow))} - {"flow", "folder"}),
)
def test_every_config_key_is_in_the_reference(key: str) -> None:
    assert f"`{key}`" in REFERENCE


@pytest.mark.parametrize("family", [one for one in FAMILIES if one != "parsers"])
def test_every_plugin_is_in_the_reference(family: str) -> None:
    own = [name for name in names(family) if name not in external(family)]
    assert [name for name in own if f"`{name}`" not in REFERENCE] == []


def test_every_field_of_the_outcome_is_in_the_reference() -> None:
    assert [name for name in Outcome.model_fields if name not in REFERENCE] == []


def test_environment_variables_in_the_code_are_in_the_reference() -> None:
    code = "".join(
        path.read_text()
        for room in ("flows", "tasks", "configs", "benchmarks")
        for path in (ROOT / room).rglob("*.py")
    )
    used = set(re.findall(r"\bLLMOPS_[A-Z_]+[A-Z]\b", code))
    assert {name for name in used if name not in REFERENCE} == set()


def test_links_between_documents_lead_somewhere() -> None:
    for document in PAGES:
        for link in links(document.read_text()):
            target, _, anchor = link.partition("#")
            file = document.parent / target if target else document
            assert file.is_file(), f"{document.name}: {link}"
            assert not anchor or anchor in anchors(file.read_text()), f"{document.name}: {link}"


def test_the_readme_leads_to_every_page() -> None:
    there = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert there - {link.removeprefix("docs/").partition("#")[0] for link in links(README)} == set()


def test_the_words_of_the_glossary_are_in_use() -> None:
    """Each in other pages and in the code: who reads a word there finds it here."""
    text = (ROOT / "docs" / "glossary.md").read_text()
    words = [
        word
        for row in re.findall(r"^\| ([a-z][^|]*) \|", text, re.MULTILINE)
        for word in row.split(", ")
        if row != "word"
    ]
    pages = " ".join(path.read_text() for path in PAGES if path.name != "glossary.md").lower()
    code = " ".join(
        path.read_text()
        for top in ("flows", "tasks", "configs", "deployments")
        for path in (ROOT / top).rglob("*.py")
    ).lower()
    assert len(words) > 50
    assert sorted(words) == sorted(set(words))
    for word in words:
        assert re.search(rf"\b{word}", pages), f"not in the docs: {word}"
        assert re.search(rf"\b{re.sub('[ -]', '[ _-]?', word)}", code), f"not in the code: {word}"


def test_files_that_the_docs_name_are_there() -> None:
    """Written from the root: tasks/finish.py. Files that readers add are named in code blocks."""
    gone = []
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        prose = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
        prose = prose.replace("test_uppercase.py", "test_whitespace.py")  # the plugin of the sample
        prose = re.sub(r"\[[^]]*\]\([^)]*\)", "", prose)  # links have a test of their own
        names = r"(?<!docs/)\b((?:tasks|flows|configs|tests|benchmarks)/[\w/]+\.\w+)"
        for path in re.findall(names, prose):
            gone += [] if "NAME" in path or (ROOT / path).is_file() else [path]
    assert gone == []


def test_every_threat_names_tests_that_there_are() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text[text.index("## Threat model") :].splitlines()
        if line.startswith("| ") and not line.startswith("| threat ")
    ]
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(rows) > 10
    for row in rows:
        tests = re.findall(r"`(test_\w+)`", row[-1])
        assert len(row) == 3, row
        assert tests, f"no test: {row[0]}"
        assert set(tests) <= there, row


def test_the_workflow_in_the_docs_is_yaml_and_names_what_there_is() -> None:
    text = (ROOT / "docs" / "evaluation.md").read_text()
    workflow = yaml_of(text[text.index("# .github/workflows/prompts.yml") :].split("```")[0])
    runs = "\n".join(step.get("run", "") for step in workflow["jobs"]["evaluate"]["steps"])
    flags = {flag for option in commands()["evaluate"].params for flag in option.opts}
    assert set(re.findall(r"--[a-z]+", re.search(r"llmops evaluate .*", runs)[0])) <= flags  # type: ignore[index]
    assert {name for name in re.findall(r"llmops (\w+)", runs) if name != "index"} == {"evaluate"}
