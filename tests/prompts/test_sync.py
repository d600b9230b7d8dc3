"""Prompt files beside the registry: what is in step, and versions as files."""

from pathlib import Path

import pytest

from llmops.tasks.errors import Blocked, ConfigError, UsageError
from llmops.tasks.prompts import registry
from llmops.tasks.prompts.reading import read_prompt
from llmops.tasks.prompts.references import resolve_short
from llmops.tasks.prompts.sync import files_in, one_file_each, pull, status
from llmops.tasks.prompts.writing import to_yaml
from tests.shelf import fresh_home, prompt


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return fresh_home(tmp_path)


def test_where_prompt_files_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("here.yaml", "deep/down.yaml", "configs/prompts/team/one.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(to_yaml(prompt(name)))
    assert [str(file) for file, _ in files_in(None)] == ["configs/prompts/team/one.yaml"]
    (tmp_path / "prompts").mkdir()
    assert files_in(None) == []
    assert [str(file) for file, _ in files_in(Path("deep"))] == ["deep/down.yaml"]
    monkeypatch.chdir(tmp_path / "deep")
    (tmp_path / "deep" / "deeper").mkdir()
    (tmp_path / "deep" / "deeper" / "x.yaml").write_text("messages: [")
    assert [str(file) for file, _ in files_in(None)] == ["down.yaml"]
    with pytest.raises(UsageError, match="no such folder: nowhere"):
        files_in(Path("nowhere"))


@pytest.mark.slow
def test_files_beside_the_registry(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    registry.push_all(
        home,
        [
            prompt("one", name="a"),
            prompt("two", name="a"),
            prompt("one", name="b"),
            prompt("x", name="c"),
        ],
    )
    files = [
        (Path(f"{number}.yaml"), one)
        for number, one in enumerate(
            [
                prompt("two", name="a"),
                prompt("one", name="a"),
                prompt("new", name="b"),
                prompt("n", name="d"),
            ]
        )
    ]
    assert [
        (row["name"], row["version"], row["file_version"], row["state"])
        for row in status(home, files)
    ] == [
        ("a", 2, 2, "in step"),
        ("a", 2, 1, "behind"),
        ("b", 1, None, "changed"),
        ("c", 1, None, "no file"),
        ("d", None, None, "ahead"),
    ]
    with pytest.raises(ConfigError, match=r"1.yaml: 0.yaml says something else under the name 'a'"):
        one_file_each(files)


@pytest.mark.slow
def test_a_version_is_pulled_but_never_over_changes_that_nobody_pushed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts").mkdir()
    full = prompt(
        "one {{a}}",
        variables={"a": {"type": "list"}},
        model={"temperature": 0.5},
        output={"type": "object"},
        description="D",
    )
    registry.push_all(home, [full, prompt("two")])
    one, two = (resolve_short(home, f"helpdesk/{number}", Path()) for number in (1, 2))
    made = pull(home, one, None)
    assert (made["file"], made["written"], read_prompt(Path(made["file"]))) == (
        "prompts/helpdesk.yaml",
        True,
        full,
    )
    assert not pull(home, one, None)["written"]
    (tmp_path / "prompts" / "helpdesk.yaml").rename(tmp_path / "prompts" / "mine.yaml")
    assert pull(home, two, None)["file"] == "prompts/mine.yaml"
    for text in (to_yaml(prompt("unpushed")), "no prompt at all"):
        (tmp_path / "prompts" / "mine.yaml").write_text(text)
        with pytest.raises(Blocked, match="has changes that were never pushed"):
            pull(home, one, Path("prompts/mine.yaml"))
        assert (tmp_path / "prompts" / "mine.yaml").read_text() == text
    assert pull(home, one, Path("prompts/mine.yaml"), force=True)["written"]
    (tmp_path / "prompts" / "other.yaml").write_text(to_yaml(full))
    with pytest.raises(
        UsageError, match=r"several files hold 'helpdesk': prompts/mine.yaml, prompts/other.yaml"
    ):
        pull(home, one, None)
