"""References, pushes, rollbacks and the history of aliases, on a real registry."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.decisions import promotion
from llmops.tasks.decisions.aliases import AliasChange, holders, timeline
from llmops.tasks.errors import Blocked, ConfigError, UsageError
from llmops.tasks.prompts import references, registry
from llmops.tasks.prompts.writing import to_yaml
from llmops.tasks.tracking.prompt_versions import TEXT
from tests import forks
from tests.shelf import decided, fresh_home, point, prompt, tamper

ROOT = Path(__file__).resolve().parents[2]
PUSHER = """
import sys
from pathlib import Path
from llmops.tasks.prompts.registry import push
from tests.shelf import prompt
print(push(Path(sys.argv[1]), prompt("the same for all")).version)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return fresh_home(tmp_path)


def moves(home: Path, alias: str = "champion") -> list[tuple[Any, Any, Any]]:
    return [
        (one["kind"], one["from"], one["to"])
        for one in promotion.history(home, "helpdesk")["moves"]
        if one["alias"] == alias
    ]


def wrong(home: Path, reference: str, folder: Path = Path()) -> str:
    with pytest.raises(UsageError) as raised:
        references.resolve(home, reference, folder)
    return str(raised.value)


@pytest.mark.slow
def test_a_file_is_resolved_without_mlflow(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "h.yaml").write_text(to_yaml(prompt()))
    code = (
        "import sys; from pathlib import Path; "
        "from llmops.tasks.prompts.references import resolve; "
        "r = resolve(Path('none'), 'prompts/h.yaml', Path(sys.argv[1])); print(r.uri, "
        "r.version, r.prompt.name, 'mlflow' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == "prompts/h.yaml None helpdesk False\n"
    assert "no such file (here are: h.yaml)" in wrong(tmp_path, "prompts/g.yaml", tmp_path)


@pytest.mark.slow
def test_references_and_what_is_wrong_with_them(home: Path) -> None:
    assert "there are none yet: llmops prompts push FILE" in wrong(
        home, "prompts:/helpdesk@champion"
    )
    registry.push(home, prompt("one"))
    registry.push(home, prompt("two"))
    way = (
        "has no alias 'champion' (set it for the first time: llmops prompts promote helpdesk "
        "--version 2 --alias champion --first)"
    )
    assert way in wrong(home, "prompts:/helpdesk@champion")
    promotion.first(home, "helpdesk", "champion", 1)
    for reference, number, alias in (
        ("@champion", 1, "champion"),
        ("/2", 2, None),
        ("@latest", 2, "latest"),
    ):
        found = references.resolve(home, f"prompts:/helpdesk{reference}", Path())
        assert (found.uri, found.version, found.alias) == (
            f"prompts:/helpdesk/{number}",
            number,
            alias,
        )
    assert "did you mean helpdesk?" in wrong(home, "prompts:/helpdsk@champion")
    assert "there are helpdesk" in wrong(home, "prompts:/zebra/1")
    assert "has no version 7 (its versions: 2, 1)" in wrong(home, "prompts:/helpdesk/7")
    assert "has no alias 'next'; it has champion" in wrong(home, "prompts:/helpdesk@next")
    for odd in (
        "prompts:/helpdesk",
        "prompts:helpdesk@champion",
        "prompts:/helpdesk/0",
        "prompts:/a b/1",
        "prompts://helpdesk/1",
        "prompts:/x'/1",
    ):
        assert f"got the reference {odd!r}" in wrong(home, odd)


@pytest.mark.slow
def test_an_alias_is_never_read_from_a_cache(home: Path) -> None:
    registry.push_all(home, [prompt("one"), prompt("two")])
    promotion.first(home, "helpdesk", "champion", 1)
    for number in (1, 2, 1):
        point(home, number)
        assert references.resolve(home, "prompts:/helpdesk@champion", Path()).version == number


@pytest.mark.slow
def test_the_same_text_never_makes_a_second_version(home: Path) -> None:
    one = registry.push_all(
        home,
        [prompt("one"), prompt("two"), prompt("one"), prompt("one", description="other words")],
    )
    assert [(pushed.resolved.version, pushed.made) for pushed in one] == [
        (1, True),
        (2, True),
        (1, False),
        (1, False),
    ]
    with pytest.raises(ConfigError, match="MLflow's registry takes 100,000"):
        registry.push(home, prompt("ü" * 20_000))


@pytest.mark.slow
def test_processes_that_push_the_same_text_at_once_make_one_version(home: Path) -> None:
    running = [forks.start("-c", PUSHER, home) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in running]
    assert said == [("1\n", "")] * 2
    assert len(promotion.history(home, "helpdesk")["versions"]) == 1


@pytest.mark.slow
def test_a_twin_that_another_machine_made_first_wins(home: Path) -> None:
    """Machines do not share the lock: whoever finds an earlier twin afterwards takes its own
    version back.
    """
    from llmops.tasks.tracking import prompts

    class Blind(prompts.Registry):
        """Does not see its neighbour's version until its own is made."""

        seen = 0

        def versions(self, name: str) -> Any:
            Blind.seen += 1
            return [] if Blind.seen == 1 else super().versions(name)

    registry.push(home, prompt("one"))
    with prompts.open_registry(home, write=True) as shelf:
        pushed = registry.push_to(Blind(shelf._client), prompt("one"), "me", "")
    assert (pushed.resolved.version, pushed.made) == (1, False)
    assert [one["version"] for one in promotion.history(home, "helpdesk")["versions"]] == [1]


@pytest.mark.slow
def test_rollback_walks_back_through_the_holders_and_stands_in_the_history(home: Path) -> None:
    one, two, three = (
        pushed.resolved
        for pushed in registry.push_all(home, [prompt("one"), prompt("two"), prompt("three")])
    )
    promotion.first(home, "helpdesk", "champion", 1, who="ann@a")
    promotion.promote(home, decided(home, one, two, run="a"), "helpdesk", who="run-1")
    promotion.promote(home, decided(home, two, three, run="b"), "helpdesk")
    back = promotion.rollback(home, "helpdesk", who="bob@b").content()
    assert (back["version"], back["previous_version"], back["kind"], back["who"]) == (
        2,
        3,
        "rollback",
        "bob@b",
    )
    assert promotion.rollback(home, "helpdesk").version == 1
    with pytest.raises(UsageError, match="no earlier helpdesk@champion"):
        promotion.rollback(home, "helpdesk")
    assert promotion.rollback(home, "helpdesk", to=3).version == 3
    with pytest.raises(UsageError, match=r"version 3 is live already"):
        promotion.rollback(home, "helpdesk", to=3)
    assert moves(home) == [
        ("first", None, 1),
        ("promote", 1, 2),
        ("promote", 2, 3),
        ("rollback", 3, 2),
        ("rollback", 2, 1),
        ("rollback", 1, 3),
    ]
    told = promotion.history(home, "helpdesk")
    assert [one["who"] for one in told["moves"][:2]] == ["ann@a", "run-1"]
    assert [one["decision"] for one in told["moves"][:3]] == [None, "a", "b"]
    assert told["aliases"] == {"champion": 3}


@pytest.mark.slow
def test_a_rollback_leads_nowhere_new(home: Path) -> None:
    registry.push_all(home, [prompt("one"), prompt("two"), prompt("three")])
    promotion.first(home, "helpdesk", "champion", 1)
    with pytest.raises(UsageError, match=r"version 2 never was helpdesk@champion .*a decision"):
        promotion.rollback(home, "helpdesk", to=2)
    point(home, 3)
    tamper(home, 1, TEXT, '[{"role": "user", "content": "evil"}]')
    with pytest.raises(Blocked, match="version 1 of 'helpdesk' was edited since it was pushed"):
        promotion.rollback(home, "helpdesk")
    with pytest.raises(UsageError, match="got the alias 'latest'"):
        promotion.rollback(home, "helpdesk", "latest")


@pytest.mark.slow
def test_moves_without_llmops_are_shown_as_such(home: Path) -> None:
    registry.push_all(home, [prompt("one"), prompt("two"), prompt("three")])
    promotion.first(home, "helpdesk", "champion", 1)
    point(home, 3)
    promotion.rollback(home, "helpdesk")
    point(home, None)
    point(home, 2, "staging")
    assert moves(home) == [
        ("first", None, 1),
        ("outside", 1, 3),
        ("rollback", 3, 1),
        ("outside", 1, None),
    ]
    assert moves(home, "staging") == [("outside", None, 2)]
    assert promotion.rollback(home, "helpdesk").version == 1


@pytest.mark.slow
def test_another_home_sees_the_moves_on_the_versions(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmops.tasks.tracking.store import tracking_uri

    registry.push_all(home, [prompt("one"), prompt("two")])
    promotion.first(home, "helpdesk", "champion", 1, who="ann@a")
    monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", tracking_uri(home))
    there = promotion.history(tmp_path / "other", "helpdesk")
    assert [(one["kind"], one["to"], one["who"]) for one in there["moves"]] == [
        ("first", 1, "ann@a")
    ]
    assert not (tmp_path / "other").exists()


def move(kind: str, before: int | None, to: int | None) -> AliasChange:
    return AliasChange(
        id=f"{kind}{before}{to}", prompt="p", alias="champion", before=before, to=to, kind=kind
    )


def test_the_gaps_between_moves_are_moves_too() -> None:
    found = timeline(
        [move("first", None, 1), move("promote", 2, 3), move("rollback", None, 2)],
        "champion",
        5,
        "p",
    )
    assert [(one.kind, one.before, one.to) for one in found] == [
        ("first", None, 1),
        ("outside", 1, 2),
        ("promote", 2, 3),
        ("outside", 3, None),
        ("rollback", None, 2),
        ("outside", 2, 5),
    ]
    assert holders(found, []) == []
