"""Trained models on a real registry: versions, references, the alias, the way back, their files."""

from pathlib import Path

import pytest

from llmops.tasks.audit.log import entries
from llmops.tasks.errors import Blocked, Damaged, UsageError
from llmops.tasks.models.moving import promote, rollback
from llmops.tasks.models.references import pinned, refers, resolve
from llmops.tasks.models.registry import listed, overview
from llmops.tasks.plugins import Spec
from llmops.tasks.prompts.registry import push
from llmops.tasks.tracking.store import opened, tracking_uri
from tests.models.made import DECISION, made, trained
from tests.shelf import fresh_home, prompt

LIVE = "models:/helpdesk@live"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return fresh_home(tmp_path)


def llm(**options: object) -> Spec:
    return Spec(name="openai", options=options)


def test_equal_models_are_one_version_and_a_prompt_may_have_the_name(home: Path) -> None:
    push(home, prompt("a prompt that is called helpdesk"))
    first, second, again = made(home, trained(home), trained(home, model="ft:2"), trained(home))
    assert [first.version, second.version, again.version] == [1, 2, 1]
    assert resolve(home, "models:/helpdesk/2").spec.options == {"model": "ft:2"}
    assert [row["name"] for row in listed(home)] == ["helpdesk"]
    assert first.run_id


def test_a_reference_becomes_the_model_and_what_stands_beside_it_goes_first(home: Path) -> None:
    place = {"name": "openai", "model": "ft:1", "base_url": "http://here/v1", "api_key": "sk-1"}
    made(home, trained(home, spec=place))
    promote(home, "helpdesk", 1, DECISION, None)
    spec, used = pinned(home, llm(model=LIVE, api_key="${KEY}", temperature=0.5), "llm")
    wanted = {"model": "ft:1", "base_url": "http://here/v1", "api_key": "${KEY}"}
    assert spec.options == {**wanted, "temperature": 0.5}
    assert used == ("models:/helpdesk/1",)
    assert "sk-1" not in str(overview(home, "helpdesk"))
    judge = Spec(name="judge", options={"llm": {"name": "openai", "model": LIVE}})
    assert refers(judge)
    assert pinned(home, judge).spec.options["llm"]["model"] == "ft:1"
    assert not refers(llm(model="small"))


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        (llm(model="models:/other@live"), "llm", "no trained model 'other': there are helpdesk"),
        (llm(model="models:/helpdesk/9"), "llm", "has no version 9"),
        (llm(model="models:/helpdesk@live"), "llm", "has no alias 'live'"),
        (llm(model="models:helpdesk"), "llm", "got the reference"),
        (llm(model="models:/helpdesk/1"), "embedder", "is an llm, and an embedder is wanted"),
        (Spec(name="litellm", options={"model": "models:/helpdesk/1"}), "llm", "by the plugin op"),
    ],
)
def test_a_reference_that_leads_nowhere_says_what_there_is(
    home: Path, spec: Spec, kind: str, said: str
) -> None:
    made(home, trained(home))
    with pytest.raises(UsageError, match=said):
        pinned(home, spec, kind)  # type: ignore[arg-type]


def test_the_alias_goes_by_decisions_and_back(home: Path) -> None:
    base = trained(home, model="base", trainer={"name": "base"}, dataset="")
    made(home, base, *(trained(home, model=f"ft:{number}") for number in (1, 2, 3)))
    with pytest.raises(UsageError, match="was live before"):
        rollback(home, "helpdesk")
    first = promote(home, "helpdesk", 2, DECISION, 1)
    assert (first["version"], first["previous_version"], first["moved"]) == (2, 1, True)
    assert promote(home, "helpdesk", 2, DECISION, 1)["moved"] is False
    with pytest.raises(Blocked, match="went live after the decision began"):
        promote(home, "helpdesk", 3, DECISION, 1)
    promote(home, "helpdesk", 3, DECISION, 2)
    assert rollback(home, "helpdesk")["version"] == 2
    assert rollback(home, "helpdesk")["version"] == 1
    assert resolve(home, LIVE).spec.options["model"] == "base"
    with pytest.raises(UsageError, match="version 4 of 'helpdesk' never was live"):
        rollback(home, "helpdesk", 4)
    assert rollback(home, "helpdesk", 3)["previous_version"] == 1
    assert rollback(home, "helpdesk")["version"] == 1
    shown = overview(home, "helpdesk")
    assert (shown["live"], [one["version"] for one in shown["versions"]]) == (1, [4, 3, 2, 1])
    kinds = [(move["kind"], move["to"]) for move in shown["moves"]]
    assert kinds[:3] == [("promote", 2), ("promote", 3), ("rollback", 2)]
    logged = entries(home, subject="model/helpdesk@live")
    assert [(each.before, each.after) for each in logged][::-1][:4] == [
        *(("1", "2"), ("2", "3"), ("3", "2"), ("2", "1"))
    ]


def test_files_that_are_not_what_was_trained_are_not_loaded(home: Path) -> None:
    folder = home / "trainings" / "helpdesk" / "trl-1" / "model"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"weights")
    local = {"name": "openai", "model": str(folder)}
    (version,) = made(home, trained(home, spec=local))
    assert version.spec.options["model"] == "home:/trainings/helpdesk/trl-1/model"
    assert list(version.files) == ["trainings/helpdesk/trl-1/model/weights"]
    spec = llm(model="models:/helpdesk/1")
    assert pinned(home, spec).spec.options["model"] == str(folder)
    (folder / "weights").write_bytes(b"others!")
    with pytest.raises(Damaged, match="is not what was trained"):
        pinned(home, spec)
    (folder / "weights").unlink()
    with pytest.raises(Damaged, match="a file of models:/helpdesk/1 is gone"):
        pinned(home, spec)


def test_asking_makes_no_store(tmp_path: Path) -> None:
    assert listed(tmp_path / "home") == []
    with pytest.raises(UsageError, match="none is trained yet"):
        overview(tmp_path / "home", "helpdesk")
    assert not (tmp_path / "home").exists()


def test_a_version_made_by_hand_in_mlflow_stops_nothing_unless_it_is_live(home: Path) -> None:
    made(home, *(trained(home, model=f"ft:{number}") for number in (1, 2)))
    promote(home, "helpdesk", 1, DECISION, None)
    with opened(home, tracking_uri(home)) as client:
        client.create_model_version("helpdesk model", "file:///elsewhere")
    assert resolve(home, "models:/helpdesk@live").version == 1
    assert [each["versions"] for each in listed(home)] == [2]
    assert made(home, trained(home, model="ft:4"))[0].version == 4
    with opened(home, tracking_uri(home)) as client:
        client.set_registered_model_alias("helpdesk model", "live", "3")
    with pytest.raises(Damaged, match="tags of this version"):
        resolve(home, "models:/helpdesk@live")
