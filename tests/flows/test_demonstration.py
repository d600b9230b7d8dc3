"""The demo's prompts, twice in one home: a worse one is turned away, a better one promoted, and the
second time it is the same.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmops import configs
from llmops.configs.index import IndexConfig


@pytest.fixture
def home(prefect_server: Path) -> Path:
    """A home with the demo's knowledge base, built with the embedder that costs next to nothing."""
    from llmops.flows.running import run_flow

    changes = ["embed.name=hash", "gate=null"]
    assert (
        run_flow(
            prefect_server, configs.read(configs.FOLDER / "python-help.yaml", IndexConfig, changes)
        )["status"]
        == "published"
    )
    return prefect_server


@pytest.mark.slow
def test_a_worse_prompt_is_rejected_a_better_one_promoted_and_the_demo_can_be_repeated(
    home: Path, tmp_path: Path
) -> None:
    from llmops.flows.demo.prompts import PROMPT
    from llmops.tasks.decisions import promotion

    text, steps = shown(home, tmp_path / "first")
    _, again = shown(home, tmp_path / "second")
    for worse, better in (steps, again):
        assert (worse["verdict"], better["verdict"]) == ("reject", "promote")
        assert worse["interval"][1] < 0 < better["interval"][0]
        assert worse["cases"]["used"] == better["cases"]["used"] == 151
        assert (
            better["promoted"]["previous_version"] == worse["arms"]["baseline"]["prompt"]["version"]
        )
        assert Path(better["record"]).is_file()
        assert better["links"]["report"].startswith("file://")
    assert [move["kind"] for move in promotion.history(home, PROMPT)["moves"]] == [
        "first",
        "promote",
        "rollback",
        "promote",
    ]
    low, high = steps[1]["interval"]
    assert (
        f"difference {steps[1]['difference']:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}."
        in text
    )
    assert "Rejected: version 1 of python-help-demo stays in use" in text
    assert "python-help-demo@champion goes from version 1 to 2" in text
    answered_and_explained(home, tmp_path / "second")


def answered_and_explained(home: Path, folder: Path) -> None:
    """The application answers with the promoted prompt, and its trace leads to the document."""
    import io

    from llmops.flows.demo import QUESTION
    from llmops.flows.demo.application import ApplicationSteps
    from llmops.flows.demo.loop import APP, CORRECTION, LoopSteps
    from llmops.tasks.chat.curated import listed

    (folder / "golden").mkdir(exist_ok=True)
    shutil.copy(configs.FOLDER / "golden" / "python-help.jsonl", folder / "golden")
    lines, streamed = [], io.StringIO()
    steps: list[Mapping[str, Any]] = []
    ApplicationSteps(
        *(home, folder, steps, lambda number, text: lines.append(text)),
        *(lambda *said: lines.extend(said), streamed),
    ).run(QUESTION)
    ask, fed, again, rated, explained, exported, trained = steps
    trace = explained["trace"]
    assert trace["id"] == ask["trace_id"]
    assert trace["answer"] == streamed.getvalue()
    assert trace["tags"]["prompt"] == "prompts:/python-help-demo/2"
    best = trace["passages"][0]
    assert (best["knowledge_base"], best["source"]) == ("python-help", "topics")
    assert best["prefect_run_id"]
    assert ask["citations"][0]["uri"] in "\n".join(lines)
    kinds = {each["kind"]: each["rows"] for each in fed["written"]["files"]}
    assert kinds == {"golden": 1, "cases": 1}
    assert fed["triage"]["reasons"]["negative"] == 1
    assert again["answer"] == CORRECTION
    assert 0 < rated["up"] < rated["asked"]
    files = {each["format"]: each["rows"] for each in exported["files"]}
    assert len(files) == 8
    assert min(files.values()) > 0
    rows = exported["rows"]
    assert rows["collected"] == rated["asked"] + 1
    assert trained["labels"]["usable"] > 100
    assert trained["figures"]["served"]["questions"] > 100
    assert trained["status"] in ("promoted", "rejected", "inconclusive")
    assert f"{trained['headline']}." in lines
    quiet = LoopSteps(home, folder, [], lambda number, text: None, lambda *said: None)
    quiet.begin()  # what the next demo in this home does first
    assert listed(home, APP) == []


def shown(home: Path, folder: Path) -> tuple[str, list[Mapping[str, Any]]]:
    """What a user reads, and what the steps came to."""
    from llmops.flows.demo.prompts import PromptSteps

    lines: list[str] = []
    steps: list[Mapping[str, Any]] = []
    PromptSteps(
        home,
        folder,
        steps,
        lambda number, text: lines.append(f"{number}. {text}"),
        lambda *said: lines.extend(said),
    ).run()
    return "\n".join(lines), steps
