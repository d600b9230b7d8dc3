"""Names of applications: which a home has heard of, and what is said of one that it has not."""

from pathlib import Path

import pytest

from llmops.tasks.chat import curated
from llmops.tasks.chat.curated import NewCurated
from llmops.tasks.traces import applications, index
from tests.commandline import llmops
from tests.traces.made import recorded

TOLD = "no traces of 'helpdsk' are here; applications that have some: helpdesk"


def test_every_command_that_takes_an_application_tells_a_misspelt_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOPS_HOME", str(tmp_path))
    added = ("answers", "add", "helpdsk", "--question", "Why?", "--answer", "So.")
    index.enter(tmp_path, [recorded()])
    for words in (
        ("review", "list", "helpdsk"),
        ("review", "progress", "helpdsk"),
        ("answers", "list", "helpdsk"),
        added,
    ):
        assert llmops(*words, "--json").data["warnings"] == [f"{TOLD}; did you mean helpdesk?"]
        curated_in = [each.id for each in curated.listed(tmp_path, "helpdsk")]
        for each in curated_in:  # an answer makes its application known
            assert llmops("answers", "list", "helpdsk", "--json").data["warnings"] == []
            curated.retire(tmp_path, "helpdsk", each)
    assert llmops("review", "list", "helpdesk", "--json").data["warnings"] == []


def test_feedback_on_a_misspelt_application_warns(tmp_path: Path) -> None:
    from llmops.tasks.feedback import remarks

    index.enter(tmp_path, [recorded()])
    (told,) = remarks(tmp_path, "helpdsk", None)
    assert told.startswith(TOLD)
    assert remarks(tmp_path, "helpdesk", "out of reach") == ["out of reach"]


def test_an_application_is_known_by_its_curated_answers_too(tmp_path: Path) -> None:
    assert applications.unheard(tmp_path, "guide") == ""  # nothing is here to compare it with
    curated.add(tmp_path, "guide", NewCurated(question="Why?", answer="So."))
    assert applications.applications(tmp_path) == ["guide"]
    assert "did you mean guide?" in applications.unheard(tmp_path, "guidde")
    assert applications.unasked(tmp_path, "guide").endswith("applications that have some: none")
