"""A new flow is one model: its plugin slots and files are declared, `read` does the rest."""

from pathlib import Path
from typing import ClassVar, Literal

import pytest

from llmops.configs import read
from llmops.configs.reading import FLOWS, load_yaml
from llmops.configs.section import Files, FlowConfig, Section, Slots
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.llms import Llm
from llmops.tasks.retrieval.golden import read_golden


class Step(Section):
    llm: Spec
    files: list[str] = []  # noqa: RUF012 - pydantic copies it


class ToyConfig(FlowConfig):
    plugins: ClassVar[Slots] = {"cut": Chunker, "steps.*.llm": Llm}
    files: ClassVar[Files] = {"golden": read_golden, "steps.*.files.*": load_yaml}
    elsewhere: ClassVar[tuple[str, ...]] = ("s3://",)
    flow: Literal["toy"]
    cut: Spec = Spec(name="fixed")
    golden: Path | None = None
    steps: dict[str, Step]

    def conflicts(self, where: str) -> list[Mistake]:
        return [Mistake("two steps are wanted", f"{where}: steps")] if len(self.steps) < 2 else []


def mistakes(file: Path, text: str, *changes: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(file, ToyConfig, changes)
    return [str(one).removeprefix(f"{file}: ") for one in caught.value.found]


def test_a_flow_of_ones_own_is_read_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {**__import__("os").environ})
    file = tmp_path / "toy.yaml"
    file.write_text(
        "flow: toy\ncut: {overlap: 2}\n"
        "steps: {a: {llm: extractive, files: ['s3://x']}, b: {llm: {name: extractive}}}\n"
    )
    config = read(file, ToyConfig, ["cut.size=32", "steps.b.llm.sentences=1"])
    assert config.cut == Spec(name="fixed", options={"overlap": 2, "size": 32})
    assert config.recorded()["config"]["steps"]["b"] == {
        "llm": {"name": "extractive", "sentences": 1},
        "files": [],
    }
    assert config.folder == tmp_path


def test_all_its_mistakes_come_at_once(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path / "toy.yaml",
        "flow: toy\nsteps: {a: {llm: extractve}, b: {llm: {name: extractive, sentenses: 1}}}\n"
        "cut: fixed\nfoldr: x\n",
    )
    assert [one.partition(":")[0] for one in found] == [
        "foldr",
        "steps.a.llm",
        "steps.b.llm.sentenses",
    ]


def test_its_files_and_what_does_not_go_together_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("a: 1\na: 2\n")
    text = "flow: toy\ngolden: gone.jsonl\nsteps: {a: {llm: extractive, files: [wrong.yaml]}}\n"
    found = mistakes(tmp_path / "toy.yaml", text)
    assert found[0] == f"golden: no such file: {tmp_path / 'gone.jsonl'}"
    assert "the key 'a' stands here twice, in line 2, column 1" in found[1]
    found = mistakes(tmp_path / "toy.yaml", text, "golden=null", "steps.a.files=[]")
    assert found == ["steps: two steps are wanted"]


def test_the_flow_of_a_config_is_that_of_the_command(tmp_path: Path) -> None:
    assert mistakes(tmp_path / "toy.yaml", "flow: index\n") == [
        "flow: got flow: 'index', wanted: toy (llmops index runs it)"
    ]
    assert mistakes(tmp_path / "toy.yaml", "flow: tory\n")[0].startswith(
        f"flow: got 'tory', allowed: {', '.join(FLOWS)}"
    )
