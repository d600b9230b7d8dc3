"""What the overhead benchmark counts: both sides answer every row, and what is missing in a store
is seen.
"""

import os
from pathlib import Path

import pytest

from benchmarks.echo import Echo, last_word
from benchmarks.genai import questions
from benchmarks.overhead import busy_processes, ours, prepared, ratio, theirs
from benchmarks.parts.evaluation import Told, without_stalled
from llmops.tasks.calls.prices import cost_of, shipped_price
from llmops.tasks.plugins.llms import Message
from tests.llm_asked import complete


def test_questions_are_all_different_and_have_different_answers() -> None:
    asked = questions(300)
    assert len({last_word(question) for question in asked}) == len(asked) == 300


def test_the_model_answers_with_the_last_word_for_nothing() -> None:
    reply = complete(
        Echo(),
        [
            Message(role="system", content="Be kind."),
            Message(role="user", content="What is the last word"),
        ],
    )
    assert (
        reply.text,
        cost_of(shipped_price(Echo()), reply.tokens_in, reply.tokens_out),
        Echo().free,
    ) == ("word", 0.0, True)


def test_busy_processes_end_with_the_block(tmp_path: Path) -> None:
    before = children()
    with busy_processes(2):
        assert len(children() - before) == 2
    assert children() == before


def test_a_ratio_says_who_lost_what() -> None:
    mine = {"results": 600, "stored": 600, "inside": 2.0, "whole": 5.0, "whole_cpu": 6.0}
    other = {"results": 300, "stored": 140, "inside": 20.0, "whole": 25.0, "whole_cpu": 30.0}
    assert ratio(mine, other) == (
        "  ours by theirs: 0.10 of the CPU per result, 0.10 of the time inside, 0.20 of the whole;"
        " lost: 0 of ours, 160 of theirs\n"
    )


GENAI = """
import json, pathlib, sys, time
rows, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
if rows:
    (folder / "stored").write_text("2")
    time.sleep(60)
print(json.dumps({"traces": 3, "scored": int((folder / "stored").read_text())}))
"""
"""Stands still once it has stored something."""


@pytest.mark.slow
def test_mlflow_answers_every_row_and_what_is_in_its_store_is_counted() -> None:
    with prepared() as store:
        found = theirs(5, store)
    assert (found["results"], found["stored"]) == (5, 5)


@pytest.mark.slow
def test_one_that_does_not_end_is_ended_and_what_it_has_stored_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "benchmarks" / "genai.py"
    script.parent.mkdir()
    script.write_text(GENAI)
    monkeypatch.setattr("benchmarks.overhead.ROOT", tmp_path)
    found = theirs(5, tmp_path, patience=8)
    assert (found["results"], found["stored"], found["finished"]) == (5, 2, False)
    assert 8 <= found["whole"] < 30


def test_rounds_that_had_to_be_ended_are_no_figures_and_the_page_says_so() -> None:
    good, ended = {"whole": 20.0, "finished": True}, {"whole": 120.0, "finished": False}
    found: dict[str, list[Told]] = {
        "ours": [{"whole": 4.0}],
        "slow": [good, ended],
        "dead": [ended, ended],
    }
    skipped: dict[str, str] = {}
    said = without_stalled(found, skipped)
    assert found == {"ours": [{"whole": 4.0}], "slow": [good]}
    assert skipped == {"dead": "it had not ended after 120 s, in any of 2 rounds"}
    assert "slow had not ended after 120 s in 1 of 2 rounds" in said


@pytest.mark.slow
def test_ours_answers_every_row_with_both_arms_and_all_of_it_is_in_mlflow() -> None:
    with prepared() as store:
        found = ours(5, store)
    assert (found["results"], found["stored"]) == (10, 10)
    assert 0 < found["inside"] < found["whole"]


def children() -> set[int]:
    import psutil

    return {process.pid for process in psutil.Process(os.getpid()).children()}
