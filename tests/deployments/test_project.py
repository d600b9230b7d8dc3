"""What a folder of configs is as a project."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from llmops.configs.reading import load_yaml
from llmops.deployments.project import Project, slug
from llmops.tasks.errors import ConfigError, UsageError

NIGHTLY = '{cron: "0 3 * * *", timezone: Europe/Berlin}'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("LLMOPS_PROJECT", raising=False)
    folder = tmp_path / "Café Desk 2"
    (folder / "docs").mkdir(parents=True)
    return folder


def config(folder: Path, file: str, kb: str = "handbook", schedule: str = NIGHTLY) -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"flow: index\nknowledge_base: {kb}\nsources: [{{name: files, path: docs}}]\n"
    path.write_text(text + "embed: hash\n" + (f"schedule: {schedule}\n" if schedule else ""))
    return path


def mistakes(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Project.at(folder).configs()
    return [str(each) for each in caught.value.found]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("desk", "desk"),
        ("Café Desk 2", "cafe-desk-2"),
        ("2 desks", "project-2-desks"),
        ("图书馆", "project"),
        ("-a_b-", "a-b"),
        ("x" * 80, "x" * 63),
    ],
)
def test_a_folder_gives_its_name(text: str, name: str) -> None:
    assert slug(text) == name


def test_configs_are_found_with_their_names_schedules_and_tags(folder: Path) -> None:
    config(folder, "b/kb.yaml")
    config(folder, "a.yml", kb="manuals", schedule="")
    config(folder, ".hidden/c.yaml", kb="secret")
    config(folder, "home/d.yaml", kb="of-the-home")
    (folder / "prices.yaml").write_text("models: []\n")
    project = Project.at(folder, home=folder / "home")
    assert project.name == "cafe-desk-2"
    assert project.pool == "llmops-cafe-desk-2"
    found = [(each.file, each.key, bool(each.schedule)) for each in project.configs()]
    assert found == [("a.yml", "index/manuals", False), ("b/kb.yaml", "index/handbook", True)]
    (scheduled,) = project.scheduled()
    about = ("flow:index", "kb:handbook", "config:b/kb.yaml")
    assert scheduled.tags == ("llmops", "project:cafe-desk-2", *about)


def test_the_mistakes_of_all_configs_come_at_once(folder: Path) -> None:
    config(folder, "a.yaml", schedule="{cron: '0 3 * * *', timezone: Europe/Berlinn}")
    config(folder, "b.yaml", schedule="{cron: '61 3 * * *'}")
    (folder / "c.yaml").write_text("flow: indx\n")
    (folder / "d.yaml").write_text("flow: index\nknowledge_base: [\n")
    found = mistakes(folder)
    assert len(found) == 4
    assert "schedule.timezone: a name of the IANA time zone database is wanted" in found[0]
    assert "got 'Europe/Berlinn'" in found[0]
    assert "the minute never comes" in found[1]
    assert "got 'indx', allowed: index" in found[2]


def test_a_mistake_in_a_config_that_a_night_lists_is_said_once(folder: Path) -> None:
    config(folder, "b/a.yaml", schedule="{cron: '61 3 * * *'}")
    night = "flow: nightly\nname: all\nindex: [../b/a.yaml]\n"
    (folder / "c").mkdir()
    (folder / "c" / "night.yaml").write_text(night)
    (folder / "a.yaml").write_text(night.replace("../", ""))
    (found,) = mistakes(folder)
    assert "the minute never comes" in found


def test_what_is_no_regular_file_is_no_config(folder: Path) -> None:
    config(folder, "inside.yaml/a.yaml")
    (folder / "gone.yaml").symlink_to("nothing.yaml")
    (folder / "itself.yaml").symlink_to("itself.yaml")
    os.mkfifo(folder / "pipe.yaml")
    config(folder, "linked.txt", kb="linked")
    (folder / "linked.yaml").symlink_to("linked.txt")
    found = [each.file for each in Project.at(folder).configs()]
    assert found == ["inside.yaml/a.yaml", "linked.yaml"]


def test_a_file_that_cannot_be_read_is_a_mistake(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(folder, "a.yaml")

    def refuse(file: Path, *_given: object, **_more: object) -> bytes:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(Path, "read_text", refuse)
    (found,) = mistakes(folder)
    assert "a.yaml: the file may not be read" in found


def test_installed_packages_and_data_are_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for below in ("node_modules/x", "b/__pycache__", "env/lib", "home/x"):
        config(folder, f"{below}/c.yaml")
    (folder / "env" / "pyvenv.cfg").touch()
    link = folder.parent / "link"
    link.symlink_to(folder / "home")
    (folder / "pyvenv.cfg").touch()  # a project may be an environment itself
    marked = config(folder, "marked.yaml", kb="marked", schedule="")
    marked.write_text(marked.read_text(), encoding="utf-8-sig")  # as Windows writes it
    indented = config(folder, "indented.yaml", kb="indented", schedule="")
    indented.write_text(re.sub("(?m)^", "  ", indented.read_text().rstrip()))
    (folder / "data.yaml").write_text("# flow: index\nrows:\n- flow: {flow: 1}\n  the: flow\n")
    (folder / "list.yaml").write_text("- name: a\n  flow: in\n")
    config(folder, "a.yaml")
    (folder / "braces.yaml").write_text(
        "# a remark\n---\n{knowledge_base: b, flow: index, embed: hash,\n"
        "sources: [{name: files, path: docs}]}\n"
    )
    read: list[str] = []

    def noted(path: Path) -> dict[str, object]:
        read.append(path.name)
        return load_yaml(path)

    monkeypatch.setattr("llmops.deployments.project.load_yaml", noted)
    found = Project.at(folder, home=link).configs()
    assert [each.file for each in found] == [
        "a.yaml",
        "braces.yaml",
        "indented.yaml",
        "marked.yaml",
    ]
    assert set(read) == {each.file for each in found}


def test_an_env_file_of_another_encoding_is_named(folder: Path) -> None:
    config(folder, "a.yaml")
    (folder / ".env").write_bytes("NAME=Zoë\n".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        Project.at(folder)
    assert str(caught.value).startswith(f"{folder / '.env'}: the file is not UTF-8 text")


def test_one_thing_is_scheduled_by_one_config(folder: Path) -> None:
    config(folder, "a.yaml")
    config(folder, "b.yaml", schedule="{cron: '@hourly'}")
    (found,) = mistakes(folder)
    assert found.endswith(
        "b.yaml: schedule: index of 'handbook' is scheduled by a.yaml already (give this one "
        "another name, or take one of the two schedules out)"
    )
    config(folder, "b.yaml", schedule="")  # run by hand, it is nobody's rival
    assert len(Project.at(folder).configs()) == 2


def test_what_is_no_project_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no config in this folder"):
        Project.at(folder).configs()
    with pytest.raises(UsageError, match="no such folder"):
        Project.at(folder / "gone")
    config(folder, "a.yaml")
    with pytest.raises(UsageError, match="a folder is wanted, this is a file"):
        Project.at(folder / "a.yaml")
    monkeypatch.setenv("LLMOPS_PROJECT", "Our Desk")
    with pytest.raises(UsageError, match="small letters") as caught:
        Project.at(folder)
    assert caught.value.hint == "such as LLMOPS_PROJECT=our-desk"
    monkeypatch.setenv("LLMOPS_PROJECT", "our-desk")
    assert Project.at(folder).name == "our-desk"


def test_the_version_is_gits_or_that_of_the_text(folder: Path) -> None:
    path = config(folder, "a.yaml")
    project = Project.at(folder)
    first = project.version("a.yaml")
    assert first.startswith("sha256-")
    path.write_text(path.read_text() + "\n")
    assert project.version("a.yaml") != first

    def git(*words: str) -> None:
        given = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *given, "-C", folder, *words], check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    git("tag", "v1")
    assert project.version("a.yaml") == "v1"
    path.write_text(path.read_text() + "# changed\n")
    assert project.version("a.yaml") == "v1-dirty"
