"""A user's project, with flows/, tasks/ and configs/ of its own, beside the installed product: from
the editable install and from the wheel.
"""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
OWN = {
    "tasks/extract.py": "def rows():\n    return [1, 2, 3]\n",
    "tasks/errors.py": "class Late(Exception): ...\n",  # as one of ours is called
    "flows/etl.py": """
from prefect import flow
from tasks.errors import Late
from tasks.extract import rows

@flow
def etl():
    return rows()
""",
    "flows/nightly.py": """
from llmops.flows.index import index
from prefect import flow
from tasks.extract import rows

@flow
def nightly():
    return index, rows()
""",
    "configs/settings.py": "TEAM = 'acme'\n",
    "docs/guide.md": "# Guide\n\nA sentence of the guide.\n",
    "handbook.yaml": """
flow: index
knowledge_base: handbook
sources: [{name: files, path: docs}]
clean: [unicode, shout]
embed: hash
""",
}
PLUGIN = {
    "acme_shout.py": """
from llmops.tasks.plugins.cleaners import Cleaner

class Shout(Cleaner):
    revision = 1

    def clean(self, text):
        return text.upper()
""",
    "acme_shout-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme-shout\nVersion: 1.0\n",
    "acme_shout-1.0.dist-info/entry_points.txt": "[llmops.cleaners]\nshout = acme_shout:Shout\n",
}
PROBE = """
import contextlib, io, json, os, sys
from importlib.metadata import entry_points

def command(*words):
    (script,) = entry_points(group="console_scripts", name="llmops")
    sys.argv, out = ["llmops", *words], io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = script.load()()
        except SystemExit as end:
            code = end.code
    return [code or 0, out.getvalue()]

said = {"help": command("--help"), "check": command("check", "handbook.yaml")}
from prefect.flows import load_flow_from_entrypoint as load
said["theirs"] = load("flows/etl.py:etl").fn()
said["ours"] = load("llmops.flows.index:index").name
said["both"] = load("flows/nightly.py:nightly").name
import llmops
said["home"] = llmops.__path__[0]
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners import Cleaner
shout = Spec(name="shout").build(Cleaner)
said["plugin"] = [type(shout).__module__, shout.clean("quiet")]
if "" not in sys.path and os.getcwd() not in sys.path:
    sys.path.append(os.getcwd())  # at the end, so that whatever we had installed would win
import configs.settings, flows.etl, tasks.extract
said["files"] = [each.__file__ for each in (configs.settings, flows.etl, tasks.extract)]
print(json.dumps(said))
"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="session")
def pythons(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """That of the editable install, and that of an environment which has the wheel instead: there,
    the libraries are those of the former, whose `.pth` files do not count.
    """
    folder = tmp_path_factory.mktemp("from-the-wheel")
    venv.create(folder, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return {"editable": Path(sys.executable), "wheel": folder / "bin" / "python"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path / "project", OWN)
    write(tmp_path / "plugin", PLUGIN)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "probe.py").write_text(PROBE)  # like a console script: not in `.`
    return tmp_path / "project"


def probed(python: Path, project: Path, *paths: str) -> dict[str, Any]:
    folder = project.parent
    run = subprocess.run(
        [python, folder / "elsewhere" / "probe.py"],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*paths, str(folder / "plugin")]),
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "DO_NOT_TRACK": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    said: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return said


@pytest.mark.slow
def test_the_wheel_holds_llmops_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "llmops",
        "llmops_pipelines",
    }
    held = {name for name in names if name.startswith("llmops/")}
    assert held >= {
        "llmops/__init__.py",
        "llmops/py.typed",
        "llmops/knowledge_base.py",
        "llmops/integrations/llama_index/retriever.py",
        "llmops/flows/index.py",
        "llmops/tasks/errors.py",
        "llmops/configs/python-help.yaml",
        "llmops/deployments/compose.yaml",
    }
    assert not [name for name in held if "tests" in name.split("/")]


@pytest.mark.slow
@pytest.mark.parametrize("path", ["PYTHONPATH=.", "no PYTHONPATH"])
@pytest.mark.parametrize("packages", ["packages", "plain folders"])
@pytest.mark.parametrize("install", ["editable", "wheel"])
def test_their_folders_and_ours_get_along(
    pythons: dict[str, Path], project: Path, install: str, packages: str, path: str
) -> None:
    if packages == "packages":
        write(project, {f"{name}/__init__.py": "" for name in ("flows", "tasks", "configs")})
    said = probed(pythons[install], project, *(["."] if path == "PYTHONPATH=." else []))
    assert Path(said["home"]).is_relative_to(ROOT) == (install == "editable")
    assert said["help"][0] == 0
    assert "evaluate" in said["help"][1]
    assert said["check"][0] == 0, said["check"][1]
    assert (said["theirs"], said["ours"], said["both"]) == ([1, 2, 3], "index", "nightly")
    assert said["plugin"] == ["acme_shout", "QUIET"]
    assert [Path(file) for file in said["files"]] == [
        project / name for name in ("configs/settings.py", "flows/etl.py", "tasks/extract.py")
    ]
