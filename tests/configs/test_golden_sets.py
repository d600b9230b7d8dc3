"""From a golden set to the configs that have it, and what is said of one in a config's place."""

import os
from pathlib import Path

import pytest

from llmops.configs import read
from llmops.configs.golden_sets import configs_with
from llmops.configs.index import IndexConfig
from llmops.tasks.errors import ConfigError
from tests.commandline import llmops


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """Named by one config of three; the fourth file is none."""
    (tmp_path / "golden").mkdir()
    file = tmp_path / "golden" / "handbook.jsonl"
    file.write_text('{"id": "q1"}\n')
    for name, gate in (("handbook", "handbook"), ("other", "other")):
        said = f"flow: index\nknowledge_base: {name}\ngate: {{golden: golden/{gate}.jsonl}}\n"
        (tmp_path / f"{name}.yaml").write_text(said)
    (tmp_path / "app.yaml").write_text("flow: serve\n")
    (tmp_path / "broken.yaml").write_text("{")
    return file


def test_the_config_of_a_golden_set_is_found_beside_it_and_above(golden: Path) -> None:
    assert configs_with(golden) == [golden.parent.parent / "handbook.yaml"]
    beside = golden.parent / "more.yaml"
    beside.write_text("flow: index\ngate: {golden: [handbook.jsonl, x.jsonl]}\n")
    found = configs_with(Path(os.path.relpath(golden)))
    assert beside in [file.resolve() for file in found]


def test_golden_check_of_the_questions_themselves_names_their_config(golden: Path) -> None:
    said = llmops("golden", "check", golden, "--json")
    config = golden.parent.parent / "handbook.yaml"
    assert (said.code, said.mistake["message"]) == (2, "this is a file of questions")
    assert said.mistake["hint"].endswith(f"llmops golden check {config}")


def test_json_lines_in_a_config_s_place_are_no_wrong_yaml(golden: Path) -> None:
    with pytest.raises(ConfigError, match="this is a file of JSON lines, a config is wanted"):
        read(golden, IndexConfig)
