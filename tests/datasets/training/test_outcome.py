"""What a run came to, for a person, a program and a night."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from llmops.flows.commands.finetune import draw
from llmops.tasks.datasets.training import collecting
from llmops.tasks.datasets.training.collecting import CollectPart
from llmops.tasks.datasets.training.outcome import FinetuneOutcome, warnings_of
from llmops.tasks.datasets.training.publishing import RowCounts
from llmops.tasks.datasets.training.steps import FinetuneSteps, outcome_of, planned
from llmops.tasks.errors import Blocked
from llmops.tasks.nights.night import part_of
from tests.datasets.training.runs import built, line, pair_line, prepared, spec_of

ROWS = [*(line(n) for n in range(8)), *(pair_line(n) for n in range(20, 24))]


def test_the_object_has_the_keys_of_the_contract(tmp_path: Path) -> None:
    spec = spec_of(tmp_path / "home", tmp_path, ROWS, export=["openai_chat", "trl_dpo"])
    steps, published = built(spec)
    outcome = outcome_of(spec, steps, None)
    said = outcome.public()
    assert set(said) >= {"name", "version", "rows", "files", "warnings", "mlflow_run_id"}
    assert set(said["rows"]) == set(RowCounts.model_fields)  # type: ignore[call-overload]
    assert all(
        set(each) >= {"format", "split", "path", "rows", "sha256", "tokens"}
        for each in said["files"]  # type: ignore[attr-defined]
    )
    assert (outcome.version, outcome.sources) == (1, {"jsonl": 12})
    assert outcome.rows.left == 12
    assert any("fewer than 10 examples" in each for each in outcome.warnings)
    assert published.folder == Path(str(outcome.folder))


def test_a_format_that_nothing_fits_is_told(tmp_path: Path) -> None:
    spec = spec_of(tmp_path / "home", tmp_path, ROWS[:8], export=["trl_dpo"])
    steps, published = built(spec)
    reports = tuple(each.report for each in steps.exported)
    assert "trl_dpo: no row fits this format" in warnings_of(published, reports, {})
    assert reports[0].left_out == {"it is no pair of a better and a worse answer": 8}


def test_what_blocked_a_run_is_its_reason(tmp_path: Path) -> None:
    spec = spec_of(tmp_path / "home", tmp_path, ROWS)
    steps = FinetuneSteps()
    steps.stopped(Blocked("nothing is left", hint="look"))
    outcome = outcome_of(spec, steps, "run")
    assert (outcome.status, outcome.reason, outcome.hint) == ("blocked", "nothing is left", "look")
    assert (outcome.failed, outcome.exit_code) == ("Blocked", 3)
    assert outcome.headline == "helpdesk: nothing is left"


def test_a_plan_counts_rows_and_pays_for_none(tmp_path: Path) -> None:
    asked = {"name": "documents", "knowledge_base": "b", "llm": {"name": "openai", "model": "m"}}
    collect = [{"name": "jsonl", "path": "rows.jsonl"}, asked]
    spec = spec_of(tmp_path / "home", tmp_path, ROWS, collect=collect)
    part = CollectPart(collector=1, title="documents", number=1, of=1, part="d1")
    steps = FinetuneSteps(
        parts=[*collecting.parts_of(spec_of(tmp_path / "h", tmp_path, ROWS)), part]
    )
    outcome = planned(spec, steps, None)
    assert (outcome.status, outcome.exit_code) == ("planned", 0)
    assert (outcome.sources, outcome.rows.collected) == (
        {"jsonl": len(ROWS), "documents": 0},
        len(ROWS),
    )
    assert outcome.warnings == [
        "documents asks a model for its rows, which are not counted before they are paid for"
    ]
    console = Console(file=StringIO(), width=200)
    draw(console, outcome.public())
    assert "tokens" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_night_knows_what_a_data_set_came_to() -> None:
    def part(status: str) -> tuple[int, bool]:
        outcome = FinetuneOutcome(name="d", status=status, version=1, rows=RowCounts())
        night = part_of("finetune", "d", Path("d.yaml"), outcome.public())
        return night.exit_code, night.failed

    assert [part(each) for each in ("published", "unchanged", "blocked")] == [
        (0, False),
        (0, False),
        (3, True),
    ]


def test_what_is_to_do_where_no_row_is_left_is_in_the_answer_itself(tmp_path: Path) -> None:
    with pytest.raises(Blocked) as caught:
        FinetuneSteps().must_have_rows()
    assert "nobody has reviewed or liked an answer yet" in caught.value.hint
    assert "rejected" not in caught.value.hint
    empty = [{**line(n), "messages": []} for n in range(3)]
    with pytest.raises(Blocked) as caught:
        prepared(spec_of(tmp_path / "home", tmp_path, empty))
    assert caught.value.hint == "`rejected` says why; nothing was published"
