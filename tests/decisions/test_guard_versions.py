"""The alias moves with a passing record alone: ways round by way of versions, tags and aliases in
MLflow.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from llmops.tasks.decisions import promotion
from llmops.tasks.errors import Blocked, ConfigError, UsageError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import moves
from llmops.tasks.prompts import Resolved, registry
from llmops.tasks.tracking.prompt_versions import FORMAT, HASH, SETTINGS, TEXT, VARIABLES
from llmops.tasks.tracking.store import opened, tracking_uri
from tests.decisions.guarded import EVIL, arena, champion, resolved, stays
from tests.shelf import decided, point, prompt, tamper

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return arena(tmp_path)


@pytest.fixture
def record(home: Path) -> dict[str, Any]:
    return decided(home, resolved(home, 1), resolved(home, 2))


def test_the_version_has_to_say_what_was_evaluated(home: Path, record: dict[str, Any]) -> None:
    stays(home, record, "version 3 does not say what was evaluated", version=3)
    stays(home, record, "there is no version 9", version=9)
    tamper(home, 2, TEXT, EVIL)
    stays(
        home, record, "no version says what was evaluated .*: it was edited since, or never pushed"
    )
    stays(
        home,
        record,
        r"version 2 does not say what was evaluated .*, and was edited since it was pushed",
        version=2,
    )


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (VARIABLES, '{"question": {"default": "evil"}}'),
        (SETTINGS, '{"temperature": 2}'),
        (FORMAT, '{"type": "string"}'),
        (TEXT, "["),
    ],
)
def test_what_stands_in_tags_counts_too(
    home: Path, record: dict[str, Any], tag: str, value: str
) -> None:
    tamper(home, 2, tag, value)
    stays(home, record, "no version says what was evaluated")


def test_a_tag_that_claims_the_right_hash_is_not_believed(
    home: Path, record: dict[str, Any]
) -> None:
    tamper(home, 3, HASH, record["arms"]["candidate"]["prompt"]["sha256"])
    stays(home, record, "version 3 does not say what was evaluated", version=3)
    tamper(home, 2, HASH, "0" * 64)  # a wrong claim about the right text does no harm
    assert promotion.promote(home, record, "helpdesk").version == 2


def test_a_record_that_was_overtaken_is_stale(home: Path, record: dict[str, Any]) -> None:
    promotion.promote(
        home, decided(home, resolved(home, 1), resolved(home, 3), run="quicker"), "helpdesk"
    )
    stays(
        home,
        record,
        "the champion changed since: it is version 3 now, compared was prompts:/helpdesk/1",
    )


def test_a_champion_that_was_edited_is_another_one(home: Path, record: dict[str, Any]) -> None:
    tamper(home, 1, TEXT, EVIL)
    stays(home, record, "the champion changed since")


def test_a_baseline_that_never_was_the_champion_proves_nothing(home: Path) -> None:
    strawman = Resolved(prompt=prompt("bad {{question}}"), uri="bad.yaml")
    stays(home, decided(home, strawman, resolved(home, 2)), "compared was bad.yaml")


def test_a_baseline_from_a_file_that_says_what_the_champion_says_will_do(home: Path) -> None:
    same = Resolved(prompt=prompt("one {{question}}"), uri="one.yaml")
    assert (
        promotion.promote(home, decided(home, same, resolved(home, 2)), "helpdesk").content()[
            "version"
        ]
        == 2
    )


def test_removing_the_alias_does_not_make_it_new(home: Path, record: dict[str, Any]) -> None:
    with pytest.raises(Blocked, match="is set already, to version 1"):
        promotion.first(home, "helpdesk", "champion", 3)
    point(home, None)
    with pytest.raises(
        Blocked, match="was set before, to version 1, and removed without llmops"
    ) as raised:
        promotion.first(home, "helpdesk", "champion", 3)
    assert raised.value.hint == "llmops prompts rollback helpdesk --alias champion sets it again"
    stays(home, record, "the alias was removed without llmops")
    with open_ledger(home).write() as connection:
        connection.execute(delete(moves))
    with pytest.raises(Blocked, match="was set before"):
        promotion.first(home, "helpdesk", "champion", 3)
    assert promotion.rollback(home, "helpdesk").version == 1
    assert promotion.promote(home, record, "helpdesk").version == 2


def test_a_prompt_that_was_deleted_and_made_anew_is_another_one(
    home: Path, record: dict[str, Any]
) -> None:
    """MLflow gives its numbers again."""
    promotion.promote(home, record, "helpdesk")
    with opened(home, tracking_uri(home)) as client:
        client.delete_prompt("helpdesk")
        client._get_registry_client().store.engine.dispose()  # type: ignore[no-untyped-call]
    registry.push_all(home, [prompt("evil"), prompt("two {{question}}")])
    with pytest.raises(UsageError, match="there is no earlier helpdesk@champion"):
        promotion.rollback(home, "helpdesk")
    with pytest.raises(UsageError, match="version 1 never was helpdesk@champion"):
        promotion.rollback(home, "helpdesk", to=1)
    stays(home, record, "the decision was used already")
    promotion.first(home, "helpdesk", "champion", 2)
    assert [
        (one["kind"], one["from"], one["to"])
        for one in promotion.history(home, "helpdesk")["moves"]
    ] == [("first", None, 1), ("promote", 1, 2), ("outside", 2, None), ("first", None, 2)]


def test_an_alias_that_was_never_set_may_be_set_by_a_decision(home: Path) -> None:
    wanted = {"prompt": "helpdesk", "alias": "fast"}
    record = decided(home, resolved(home, 1), resolved(home, 2), promote=wanted)
    moved = promotion.promote(home, record, "helpdesk", "fast").content()
    assert (moved["previous_version"], moved["version"], moved["kind"]) == (None, 2, "promote")
    assert promotion.history(home, "helpdesk")["aliases"] == {"champion": 1, "fast": 2}


def test_a_move_that_was_cut_short_is_completed(home: Path, record: dict[str, Any]) -> None:
    """Killed after the alias moved, before anything was written down."""
    point(home, 2)
    done = promotion.promote(home, record, "helpdesk").content()
    assert (done["previous_version"], done["version"], done["moved"]) == (1, 2, True)
    assert [one["kind"] for one in promotion.history(home, "helpdesk")["moves"]] == [
        "first",
        "promote",
    ]
    with open_ledger(
        home
    ).write() as connection:  # killed between the note on the version and the ledger
        connection.execute(delete(moves).where(moves.c.kind == "promote"))
    assert promotion.promote(home, record, "helpdesk").moved is False
    with open_ledger(home).read() as connection:
        assert connection.execute(
            select(moves.c.to_version).where(moves.c.kind == "promote")
        ).scalars().all() == [2]


def test_what_cannot_be_asked_for(home: Path, record: dict[str, Any]) -> None:
    with pytest.raises(
        UsageError, match=r"there is no prompt 'helpdsk' in the registry .*did you mean helpdesk"
    ):
        promotion.promote(home, record, "helpdsk")
    for alias in ("latest", "V3", "3", "a b", "", "x" * 62):
        with pytest.raises(UsageError, match="got the alias"):
            promotion.promote(home, record, "helpdesk", alias)
    with pytest.raises(UsageError, match="has no version 9"):
        promotion.first(home, "helpdesk", "next", 9)
    tamper(home, 3, TEXT, "[")
    with pytest.raises(ConfigError, match="holds no JSON"):
        promotion.first(home, "helpdesk", "next", 3)
    assert champion(home) == 1


def test_of_two_moves_at_once_the_second_one_comes_too_late(
    home: Path, record: dict[str, Any]
) -> None:
    other = decided(home, resolved(home, 1), resolved(home, 3), run="other")

    def move(one: dict[str, Any]) -> str:
        try:
            return str(promotion.promote(home, one, "helpdesk").version)
        except Blocked as error:
            return error.message

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(move, (record, other)), key=len)
    assert said[0] in ("2", "3")
    assert (
        said[1]
        == f"helpdesk@champion stays where it is: the champion changed since: it is version "
        f"{said[0]} now, "
        "compared was prompts:/helpdesk/1"
    )
    assert champion(home) == int(said[0])
