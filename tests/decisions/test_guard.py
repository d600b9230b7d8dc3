"""The alias moves with a passing record alone: every way round by way of the record that we could
think of is closed.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from llmops.tasks.decisions import promotion
from llmops.tasks.errors import Blocked
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import decisions, moves
from llmops.tasks.tracking.prompt_versions import TEXT
from llmops.tasks.tracking.store import opened, tracking_uri
from tests.decisions.guarded import EVIL, arena, champion, edited, resolved, stays
from tests.shelf import decided, point, tamper

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return arena(tmp_path)


@pytest.fixture
def record(home: Path) -> dict[str, Any]:
    return decided(home, resolved(home, 1), resolved(home, 2))


def test_a_passing_record_moves_the_alias_and_is_remembered(
    home: Path, record: dict[str, Any]
) -> None:
    moved = promotion.promote(home, record, "helpdesk", who="run-7").content()
    assert (moved["version"], moved["previous_version"], moved["moved"], moved["uri"]) == (
        2,
        1,
        True,
        "prompts:/helpdesk/2",
    )
    assert champion(home) == 2
    with open_ledger(home).read() as connection:
        row = connection.execute(select(moves).where(moves.c.kind == "promote")).mappings().one()
    assert (row["decision"], row["decision_sha256"], row["who"], row["from_version"]) == (
        record["id"],
        record["sha256"],
        "run-7",
        1,
    )
    with opened(home, tracking_uri(home)) as client:
        found = client.search_model_versions(
            "name = 'helpdesk' AND version_number = 2 AND tags.`mlflow.prompt.is_prompt` = 'true'"
        )
        noted = next(
            json.loads(value)
            for key, value in found[0].tags.items()
            if key.startswith("llmops.move.")
        )
        client._get_registry_client().store.engine.dispose()  # type: ignore[no-untyped-call]
    assert (noted["decision"], noted["from"], noted["to"], noted["who"]) == (
        record["id"],
        1,
        2,
        "run-7",
    )


def test_a_record_is_used_once(home: Path, record: dict[str, Any]) -> None:
    promotion.promote(home, record, "helpdesk")
    assert promotion.promote(home, record, "helpdesk").moved is False
    assert len(promotion.history(home, "helpdesk")["moves"]) == 2
    promotion.rollback(home, "helpdesk")
    stays(home, record, "the decision was used already, on .* and the alias was moved again since")


@pytest.mark.parametrize("how", ["promote", "first"])
def test_an_alias_that_is_there_already_is_not_moved_again(
    home: Path, record: dict[str, Any], how: str
) -> None:
    """By another decision than this one, or by none."""
    alias = {"prompt": "helpdesk", "alias": "champion" if how == "promote" else "staging"}
    if how == "promote":
        promotion.promote(home, record, "helpdesk")
    else:
        promotion.first(home, "helpdesk", "staging", 2)
    before = promotion.history(home, "helpdesk")
    again = decided(home, resolved(home, 1), resolved(home, 2), promote=alias, run="again")
    said = promotion.promote(home, again, alias["prompt"], alias["alias"]).content()
    assert (said["moved"], said["version"], said["kind"]) == (False, 2, how)
    assert said["decision"] == (record["id"] if how == "promote" else None)
    assert promotion.history(home, "helpdesk") == before
    with open_ledger(home).read() as connection:
        assert again["sha256"] not in connection.scalars(select(moves.c.decision_sha256)).all()


@pytest.mark.parametrize(("compared", "told"), [(1, "promote"), (3, "outside")])
def test_a_move_that_nobody_knows_is_completed_by_the_decision_that_it_fits(
    home: Path, compared: int, told: str
) -> None:
    point(home, 2)
    found = promotion.promote(
        home, decided(home, resolved(home, compared), resolved(home, 2)), "helpdesk"
    )
    assert (found.moved, found.kind, found.previous_version) == (
        told == "promote",
        told,
        1,
    )
    assert [one["kind"] for one in promotion.history(home, "helpdesk")["moves"]] == ["first", told]


def test_forgetting_the_ledger_does_not_make_a_record_new(
    home: Path, record: dict[str, Any]
) -> None:
    promotion.promote(home, record, "helpdesk")
    promotion.rollback(home, "helpdesk")
    with open_ledger(home).write() as connection:
        connection.execute(delete(moves))
    stays(home, record, "the decision was used already")


def test_a_record_that_was_edited_is_refused(home: Path, record: dict[str, Any]) -> None:
    lost = decided(home, resolved(home, 1), resolved(home, 2), better=False, run="lost")
    assert lost["verdict"] == "reject"
    stays(home, lost, "the verdict is reject: exact_match falls")
    stays(home, {**lost, "verdict": "promote"}, "the record does not stand")
    stays(home, edited(lost, lambda one: one.update(verdict="promote")), "verdict: the record says")
    swapped = edited(
        lost,
        lambda one: one["pairs"]["values"].update(
            candidate=lost["pairs"]["values"]["baseline"],
            baseline=lost["pairs"]["values"]["candidate"],
        ),
    )
    stays(home, swapped, "the record does not stand")
    stays(
        home, edited(record, lambda one: one["rule"].update(alpha=0.4)), "the record does not stand"
    )
    stays(home, {**record, "sha256": "0" * 64}, "its sha256 is not that of its content")


def test_a_record_that_nobody_here_made_is_refused_however_well_it_computes(
    home: Path, tmp_path: Path
) -> None:
    invented = decided(home, resolved(home, 1), resolved(home, 2), saved=False)
    assert invented["verdict"] == "promote"
    stays(
        home,
        invented,
        "neither this home's ledger nor the MLflow run that it names knows the record",
    )
    stays(home, {**invented, "mlflow_run_id": "0" * 32}, "neither this home's ledger nor")
    known = decided(home, resolved(home, 1), resolved(home, 2), better=False, run="known")
    stays(
        home,
        {**invented, "id": known["id"], "sha256": known["sha256"]},
        "its sha256 is not that of its content",
    )


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
        experiment = client.create_experiment(
            "helpdesk evaluation", (tmp_path / "artifacts").as_uri()
        )
        run = client.create_run(experiment).info.run_id
        client.log_dict(run, elsewhere, "decision.json")
        other = client.create_run(experiment).info.run_id
    stays(home, {**elsewhere, "mlflow_run_id": other}, "neither this home's ledger nor")
    assert (
        promotion.promote(home, {**elsewhere, "mlflow_run_id": run}, "helpdesk").content()[
            "version"
        ]
        == 2
    )


def test_a_record_for_another_prompt_or_alias_is_refused(home: Path) -> None:
    for promised, says in (
        ({"prompt": "other", "alias": "champion"}, "the decision is for other@champion"),
        ({"prompt": "helpdesk", "alias": "staging"}, "the decision is for helpdesk@staging"),
        ({}, "the decision is for no alias"),
    ):
        stays(
            home,
            decided(
                home, resolved(home, 1), resolved(home, 2), promote=promised, run=f"r{len(says)}"
            ),
            says,
        )


@pytest.mark.parametrize("rubbish", [None, [], "promote", {}, {"verdict": "promote"}])
def test_rubbish_is_no_record(home: Path, rubbish: Any) -> None:
    stays(home, rubbish, "the record does not stand")


def test_records_whose_arms_were_emptied_are_refused(home: Path, record: dict[str, Any]) -> None:
    for change in (
        lambda one: one["arms"]["candidate"].pop("prompt"),
        lambda one: one["arms"]["candidate"].update(prompt="x"),
        lambda one: one.update(promote="helpdesk@champion"),
        lambda one: one.update(arms=[]),
    ):
        stays(home, edited(record, change), "stays where it is")


def test_all_objections_are_told_at_once(home: Path) -> None:
    other = {"prompt": "other", "alias": "champion"}
    found = decided(
        home, resolved(home, 3), resolved(home, 2), better=False, promote=other, saved=False
    )
    tamper(home, 2, TEXT, EVIL)
    with pytest.raises(Blocked) as raised:
        promotion.promote(home, found, "helpdesk")
    for says in (
        "the verdict is reject",
        "for other@champion",
        "neither this home's ledger",
        "no version says",
        "the champion changed since",
    ):
        assert says in raised.value.message
