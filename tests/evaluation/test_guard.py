"""The alias moves with a passing record alone: every way round that we could think of is closed."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from tasks.errors import Blocked, ConfigError, UsageError
from tasks.evaluation import registry
from tasks.evaluation.record import sealed
from tasks.knowledge.ledger import open_ledger
from tasks.knowledge.tables import decisions, moves
from tasks.prompts import Resolved
from tasks.tracking.prompt_versions import FORMAT, HASH, SETTINGS, TEXT, VARIABLES
from tasks.tracking.store import opened, tracking_uri
from tests.shelf import decided, fresh_home, point, prompt, tamper

pytestmark = pytest.mark.slow
EVIL = '[{"role": "user", "content": "evil {{question}}"}]'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Version 1 is the champion, version 2 wants its place, version 3 is another one."""
    made = fresh_home(tmp_path)
    registry.push_all(made, [prompt("one {{question}}"), prompt("two {{question}}"), prompt("three {{question}}")])
    registry.first(made, "helpdesk", "champion", 1)
    return made


def resolved(home: Path, number: int) -> Resolved:
    return registry.resolve(home, f"prompts:/helpdesk/{number}", Path())


@pytest.fixture
def record(home: Path) -> dict[str, Any]:
    return decided(home, resolved(home, 1), resolved(home, 2))


def champion(home: Path) -> int | None:
    found: int | None = registry.history(home, "helpdesk")["aliases"].get("champion")
    return found


def stays(home: Path, record: Any, says: str, **options: Any) -> None:
    """The move is refused with these words, and nothing has changed."""
    before = registry.history(home, "helpdesk")
    with pytest.raises(Blocked, match=says) as raised:
        registry.promote(home, record, "helpdesk", **options)
    assert raised.value.exit_code == 3
    assert registry.history(home, "helpdesk") == before


def test_a_passing_record_moves_the_alias_and_is_remembered(home: Path, record: dict[str, Any]) -> None:
    moved = registry.promote(home, record, "helpdesk", who="run-7")
    assert (moved["version"], moved["previous_version"], moved["moved"], moved["uri"]) == (2, 1, True, "prompts:/helpdesk/2")
    assert champion(home) == 2
    with open_ledger(home).read() as connection:
        row = connection.execute(select(moves).where(moves.c.kind == "promote")).mappings().one()
    assert (row["decision"], row["decision_sha256"], row["who"], row["from_version"]) == (record["id"], record["sha256"], "run-7", 1)
    with opened(home, tracking_uri(home)) as client:
        found = client.search_model_versions("name = 'helpdesk' AND version_number = 2 AND tags.`mlflow.prompt.is_prompt` = 'true'")
        noted = next(json.loads(value) for key, value in found[0].tags.items() if key.startswith("llmops.move."))
        client._get_registry_client().store.engine.dispose()  # type: ignore[no-untyped-call]
    assert (noted["decision"], noted["from"], noted["to"], noted["who"]) == (record["id"], 1, 2, "run-7")


def test_a_record_is_used_once(home: Path, record: dict[str, Any]) -> None:
    registry.promote(home, record, "helpdesk")
    assert registry.promote(home, record, "helpdesk")["moved"] is False
    assert len(registry.history(home, "helpdesk")["moves"]) == 2
    registry.rollback(home, "helpdesk")
    stays(home, record, "the decision was used already, on .* and the alias was moved again since")


def test_forgetting_the_ledger_does_not_make_a_record_new(home: Path, record: dict[str, Any]) -> None:
    registry.promote(home, record, "helpdesk")
    registry.rollback(home, "helpdesk")
    with open_ledger(home).write() as connection:
        connection.execute(delete(moves))
    stays(home, record, "the decision was used already")


def edited(record: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """A record that somebody changed and sealed again."""
    made = copy.deepcopy(record)
    change(made)
    return sealed(made)


def test_a_record_that_was_edited_is_refused(home: Path, record: dict[str, Any]) -> None:
    lost = decided(home, resolved(home, 1), resolved(home, 2), better=False, run="lost")
    assert lost["verdict"] == "reject"
    stays(home, lost, "the verdict is reject: exact_match falls")
    stays(home, {**lost, "verdict": "promote"}, "the record does not stand")
    stays(home, edited(lost, lambda one: one.update(verdict="promote")), "verdict: the record says")
    swapped = edited(lost, lambda one: one["pairs"]["values"].update(
        candidate=lost["pairs"]["values"]["baseline"], baseline=lost["pairs"]["values"]["candidate"]))
    stays(home, swapped, "the record does not stand")
    stays(home, edited(record, lambda one: one["rule"].update(alpha=0.4)), "the record does not stand")
    stays(home, {**record, "sha256": "0" * 64}, "its sha256 is not that of its content")


def test_a_record_that_nobody_here_made_is_refused_however_well_it_computes(home: Path, tmp_path: Path) -> None:
    invented = decided(home, resolved(home, 1), resolved(home, 2), saved=False)
    assert invented["verdict"] == "promote"
    stays(home, invented, "neither this home's ledger nor the MLflow run that it names knows the record")
    stays(home, {**invented, "mlflow_run_id": "0" * 32}, "neither this home's ledger nor")
    known = decided(home, resolved(home, 1), resolved(home, 2), better=False, run="known")
    stays(home, {**invented, "id": known["id"], "sha256": known["sha256"]}, "its sha256 is not that of its content")


def test_a_ledger_row_with_a_forged_hash_holds_no_other_record(home: Path) -> None:
    """The row's own content counts, not the hash beside it."""
    invented = decided(home, resolved(home, 1), resolved(home, 2), saved=False)
    decided(home, resolved(home, 1), resolved(home, 2), better=False, run="known")
    with open_ledger(home).write() as connection:
        connection.execute(decisions.update().values(sha256=invented["sha256"]))
    stays(home, invented, "neither this home's ledger nor")


def test_a_record_that_its_mlflow_run_holds_will_do(home: Path, tmp_path: Path) -> None:
    elsewhere = decided(home, resolved(home, 1), resolved(home, 2), saved=False)
    with opened(home, tracking_uri(home)) as client:
        experiment = client.create_experiment("helpdesk evaluation", (tmp_path / "artifacts").as_uri())
        run = client.create_run(experiment).info.run_id
        client.log_dict(run, elsewhere, "decision.json")
        other = client.create_run(experiment).info.run_id
    stays(home, {**elsewhere, "mlflow_run_id": other}, "neither this home's ledger nor")
    assert registry.promote(home, {**elsewhere, "mlflow_run_id": run}, "helpdesk")["version"] == 2


def test_a_record_for_another_prompt_or_alias_is_refused(home: Path) -> None:
    for promised, says in (({"prompt": "other", "alias": "champion"}, "the decision is for other@champion"),
                           ({"prompt": "helpdesk", "alias": "staging"}, "the decision is for helpdesk@staging"),
                           ({}, "the decision is for no alias")):
        stays(home, decided(home, resolved(home, 1), resolved(home, 2), promote=promised, run=f"r{len(says)}"), says)


def test_the_version_has_to_say_what_was_evaluated(home: Path, record: dict[str, Any]) -> None:
    stays(home, record, "version 3 does not say what was evaluated", version=3)
    stays(home, record, "there is no version 9", version=9)
    tamper(home, 2, TEXT, EVIL)
    stays(home, record, "no version says what was evaluated .*: it was edited since, or never pushed")
    stays(home, record, r"version 2 does not say what was evaluated .*, and was edited since it was pushed", version=2)


@pytest.mark.parametrize(("tag", "value"), [(VARIABLES, '{"question": {"default": "evil"}}'), (SETTINGS, '{"temperature": 2}'),
                                            (FORMAT, '{"type": "string"}'), (TEXT, "[")])
def test_what_stands_in_tags_counts_too(home: Path, record: dict[str, Any], tag: str, value: str) -> None:
    tamper(home, 2, tag, value)
    stays(home, record, "no version says what was evaluated")


def test_a_tag_that_claims_the_right_hash_is_not_believed(home: Path, record: dict[str, Any]) -> None:
    tamper(home, 3, HASH, record["arms"]["candidate"]["prompt"]["sha256"])
    stays(home, record, "version 3 does not say what was evaluated", version=3)
    tamper(home, 2, HASH, "0" * 64)  # a wrong claim about the right text does no harm
    assert registry.promote(home, record, "helpdesk")["version"] == 2


def test_a_record_that_was_overtaken_is_stale(home: Path, record: dict[str, Any]) -> None:
    registry.promote(home, decided(home, resolved(home, 1), resolved(home, 3), run="quicker"), "helpdesk")
    stays(home, record, "the champion changed since: it is version 3 now, compared was prompts:/helpdesk/1")


def test_a_champion_that_was_edited_is_another_one(home: Path, record: dict[str, Any]) -> None:
    tamper(home, 1, TEXT, EVIL)
    stays(home, record, "the champion changed since")


def test_a_baseline_that_never_was_the_champion_proves_nothing(home: Path) -> None:
    strawman = Resolved(prompt=prompt("bad {{question}}"), uri="bad.yaml")
    stays(home, decided(home, strawman, resolved(home, 2)), "compared was bad.yaml")


def test_a_baseline_from_a_file_that_says_what_the_champion_says_will_do(home: Path) -> None:
    same = Resolved(prompt=prompt("one {{question}}"), uri="one.yaml")
    assert registry.promote(home, decided(home, same, resolved(home, 2)), "helpdesk")["version"] == 2


def test_removing_the_alias_does_not_make_it_new(home: Path, record: dict[str, Any]) -> None:
    with pytest.raises(Blocked, match="is set already, to version 1"):
        registry.first(home, "helpdesk", "champion", 3)
    point(home, None)
    with pytest.raises(Blocked, match="was set before, to version 1, and removed without llmops") as raised:
        registry.first(home, "helpdesk", "champion", 3)
    assert raised.value.hint == "llmops prompts rollback helpdesk --alias champion sets it again"
    stays(home, record, "the alias was removed without llmops")
    with open_ledger(home).write() as connection:
        connection.execute(delete(moves))
    with pytest.raises(Blocked, match="was set before"):
        registry.first(home, "helpdesk", "champion", 3)
    assert registry.rollback(home, "helpdesk")["version"] == 1
    assert registry.promote(home, record, "helpdesk")["version"] == 2


def test_a_prompt_that_was_deleted_and_made_anew_is_another_one(home: Path, record: dict[str, Any]) -> None:
    """MLflow gives its numbers again."""
    registry.promote(home, record, "helpdesk")
    with opened(home, tracking_uri(home)) as client:
        client.delete_prompt("helpdesk")
        client._get_registry_client().store.engine.dispose()  # type: ignore[no-untyped-call]
    registry.push_all(home, [prompt("evil"), prompt("two {{question}}")])
    with pytest.raises(UsageError, match="there is no earlier helpdesk@champion"):
        registry.rollback(home, "helpdesk")
    with pytest.raises(UsageError, match="version 1 never was helpdesk@champion"):
        registry.rollback(home, "helpdesk", to=1)
    stays(home, record, "the decision was used already")
    registry.first(home, "helpdesk", "champion", 2)
    assert [(one["kind"], one["from"], one["to"]) for one in registry.history(home, "helpdesk")["moves"]] == [
        ("first", None, 1), ("promote", 1, 2), ("outside", 2, None), ("first", None, 2)]


def test_an_alias_that_was_never_set_may_be_set_by_a_decision(home: Path) -> None:
    wanted = {"prompt": "helpdesk", "alias": "fast"}
    record = decided(home, resolved(home, 1), resolved(home, 2), promote=wanted)
    moved = registry.promote(home, record, "helpdesk", "fast")
    assert (moved["previous_version"], moved["version"], moved["kind"]) == (None, 2, "promote")
    assert registry.history(home, "helpdesk")["aliases"] == {"champion": 1, "fast": 2}


def test_a_move_that_was_cut_short_is_completed(home: Path, record: dict[str, Any]) -> None:
    """Killed after the alias moved, before anything was written down."""
    point(home, 2)
    done = registry.promote(home, record, "helpdesk")
    assert (done["previous_version"], done["version"], done["moved"]) == (1, 2, True)
    assert [one["kind"] for one in registry.history(home, "helpdesk")["moves"]] == ["first", "promote"]
    with open_ledger(home).write() as connection:  # killed between the note on the version and the ledger
        connection.execute(delete(moves).where(moves.c.kind == "promote"))
    assert registry.promote(home, record, "helpdesk")["moved"] is False
    with open_ledger(home).read() as connection:
        assert connection.execute(select(moves.c.to_version).where(moves.c.kind == "promote")).scalars().all() == [2]


@pytest.mark.parametrize("rubbish", [None, [], "promote", {}, {"verdict": "promote"}])
def test_rubbish_is_no_record(home: Path, rubbish: Any) -> None:
    stays(home, rubbish, "the record does not stand")


def test_records_whose_arms_were_emptied_are_refused(home: Path, record: dict[str, Any]) -> None:
    for change in (lambda one: one["arms"]["candidate"].pop("prompt"), lambda one: one["arms"]["candidate"].update(prompt="x"),
                   lambda one: one.update(promote="helpdesk@champion"), lambda one: one.update(arms=[])):
        stays(home, edited(record, change), "stays where it is")


def test_what_cannot_be_asked_for(home: Path, record: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"there is no prompt 'helpdsk' in the registry .*did you mean helpdesk"):
        registry.promote(home, record, "helpdsk")
    for alias in ("latest", "V3", "3", "a b", "", "x" * 62):
        with pytest.raises(UsageError, match="got the alias"):
            registry.promote(home, record, "helpdesk", alias)
    with pytest.raises(UsageError, match="has no version 9"):
        registry.first(home, "helpdesk", "next", 9)
    tamper(home, 3, TEXT, "[")
    with pytest.raises(ConfigError, match="holds no JSON"):
        registry.first(home, "helpdesk", "next", 3)
    assert champion(home) == 1


def test_all_objections_are_told_at_once(home: Path) -> None:
    other = {"prompt": "other", "alias": "champion"}
    found = decided(home, resolved(home, 3), resolved(home, 2), better=False, promote=other, saved=False)
    tamper(home, 2, TEXT, EVIL)
    with pytest.raises(Blocked) as raised:
        registry.promote(home, found, "helpdesk")
    for says in ("the verdict is reject", "for other@champion", "neither this home's ledger", "no version says", "the champion changed since"):
        assert says in raised.value.message
