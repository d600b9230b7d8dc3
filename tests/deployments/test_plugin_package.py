"""`llmops plugins new`: what it writes works, and takes nothing away."""

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from llmops.deployments.plugin_package import with_entry_point, write_plugin
from llmops.tasks.errors import UsageError
from llmops.tasks.plugins import FAMILIES
from tests.commandline import llmops

OTHER = """\
[project]
name = "Their.Package"   # a comment that stays
version = "3"

[project.entry-points."llmops.scorers"]
tone = "their_package.tone:Tone"

[tool.black]
line-length = 99
"""


@pytest.mark.slow
def test_the_plugins_of_all_families_work_once_they_are_installed(tmp_path: Path) -> None:
    package, site = tmp_path / "our-plugins", tmp_path / "site"
    for family in FAMILIES:
        write_plugin(family, f"own_{family}", package)
    build = "from hatchling.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    made = [sys.executable, "-c", build, str(tmp_path)]
    done = subprocess.run(made, cwd=package, capture_output=True, text=True, check=True)
    wheel = tmp_path / done.stdout.split()[-1]
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(site)], check=True)
    environment = {"PYTHONPATH": str(site), "PATH": "", "HOME": str(tmp_path)}
    listed = [sys.executable, "-m", "llmops.flows.cli", "plugins", "list", "--json"]
    said = subprocess.run(listed, env=environment, capture_output=True, text=True, check=True)
    theirs = [each for each in json.loads(said.stdout)["plugins"] if each["package"]]
    assert [(each["family"], each["name"]) for each in theirs] == [
        (family, f"own_{family}") for family in FAMILIES
    ]
    assert {each["package"] for each in theirs} == {"our-plugins"}
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    passed = subprocess.run(
        tests, cwd=package, env=environment, capture_output=True, text=True, check=False
    )
    assert passed.returncode == 0, passed.stdout
    assert " passed" in passed.stdout
    assert "skipped" not in passed.stdout


@pytest.mark.parametrize("family", FAMILIES)
def test_names_are_the_plugin_s_own(family: str, tmp_path: Path) -> None:
    written = write_plugin(family, "very_own", tmp_path / "ours")
    assert written["written"][:2] == ["ours/__init__.py", "ours/very_own.py"]
    module = ast.parse((tmp_path / "ours" / "ours" / "very_own.py").read_text("utf-8"))
    classes = [each.name for each in module.body if isinstance(each, ast.ClassDef)]
    project = tomllib.loads((tmp_path / "ours" / "pyproject.toml").read_text("utf-8"))
    entry = project["project"]["entry-points"][f"llmops.{family}"]["very_own"]
    assert entry.removeprefix("ours.very_own:") == classes[-1]
    assert all(name.startswith("VeryOwn") for name in classes)
    test = (tmp_path / "ours" / written["test"]).read_text("utf-8")
    assert f"from ours.very_own import {classes[-1]}" in test
    assert "Example" not in test


def test_a_package_that_is_there_is_added_to(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(OTHER, "utf-8")
    (tmp_path / "src" / "their_package").mkdir(parents=True)
    (tmp_path / "src" / "their_package" / "__init__.py").write_text("VERSION = 3\n", "utf-8")
    written = write_plugin("scorers", "calm", tmp_path)
    assert written["written"] == [
        "src/their_package/calm.py",
        "tests/test_calm.py",
        "pyproject.toml",
    ]
    text = (tmp_path / "pyproject.toml").read_text("utf-8")
    assert text == OTHER.replace("tone =", 'calm = "their_package.calm:CalmScorer"\ntone =')
    assert (tmp_path / "src" / "their_package" / "__init__.py").read_text() == "VERSION = 3\n"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_plugin("scorers", "calm", tmp_path / "ours")
    file = tmp_path / "ours" / "ours" / "calm.py"
    file.write_text("# mine\n", "utf-8")
    before = (tmp_path / "ours" / "pyproject.toml").read_text("utf-8")
    for family in ("cleaners", "scorers"):
        with pytest.raises(UsageError, match=r"calm\.py is there already"):
            write_plugin(family, "calm", tmp_path / "ours")
    assert file.read_text("utf-8") == "# mine\n"
    assert (tmp_path / "ours" / "pyproject.toml").read_text("utf-8") == before


@pytest.mark.parametrize(
    ("family", "name", "why"),
    [
        ("scorer", "calm", "got the family 'scorer', allowed: sources"),
        ("scorers", "Calm", "allowed are small letters"),
        ("scorers", "class", "allowed are small letters"),
        ("scorers", "../calm", "allowed are small letters"),
        ("scorers", "rouge", "there is a plugin 'rouge' among the scorers already"),
    ],
)
def test_what_is_no_name_is_refused(family: str, name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=why):
        write_plugin(family, name, tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize(
    ("project", "why"),
    [
        ("[project", "cannot be read"),
        ("[tool.black]\nline-length = 99\n", "has no .project. with a name"),
        (
            '[project]\nname = "a"\nentry-points = {"llmops.scorers" = {tone = "a:b"}}\n',
            "cannot be added",
        ),
    ],
)
def test_a_package_that_cannot_be_added_to_stays_as_it_is(
    project: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text(project, "utf-8")
    with pytest.raises(UsageError, match=why):
        write_plugin("scorers", "calm", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]
    assert (tmp_path / "pyproject.toml").read_text("utf-8") == project


def test_an_entry_point_that_is_there_is_no_second_one() -> None:
    with pytest.raises(UsageError, match="by hand"):
        with_entry_point(OTHER, "scorers", "tone", "their_package.other:Tone")


def test_the_commands(tmp_path: Path) -> None:
    names = llmops("plugins", "list")
    assert "scorers" in names.out
    assert "llmops plugins list FAMILY" in names.out
    options = llmops("plugins", "list", "chunkers")
    assert "parent_size" in options.out
    assert "(required)" in options.out
    shown = llmops("plugins", "show", "sources", "git", "--json").data
    assert shown["schema"]["required"] == ["repository"]
    assert [each["name"] for each in shown["options"] if each["required"]] == ["repository"]
    assert llmops("plugins", "show", "sources", "gti").code == 2
    written = llmops("plugins", "new", "cleaners", "footer", "--into", tmp_path / "ours")
    assert written.code == 0
    assert "pip install -e" in written.out
    assert (tmp_path / "ours" / "tests" / "test_footer.py").is_file()
