"""LanceDB without its REST client, and that client when somebody asks for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from llmops.tasks.plugins.stores.lancedb.library import postponed

OPENED = """
import sys
from pathlib import Path
from llmops.tasks.plugins.stores.lancedb import LanceDBStore
LanceDBStore().open("one", 4, Path(sys.argv[1]))
assert "lance_namespace_urllib3_client.models.query_table_request" in sys.modules
print(sorted(each for each in sys.modules if each.endswith("_api")))
import lance_namespace_urllib3_client as client
print(client.TableApi.__name__, client.__version__ != "", type(client).__name__)
from lance_namespace_urllib3_client import ApiClient
from lance_namespace_urllib3_client.api.table_api import TableApi
print(TableApi is client.TableApi, ApiClient.__module__, hasattr(client, "NoSuchName"))
"""


@pytest.mark.slow
def test_the_rest_client_is_built_when_it_is_asked_for(tmp_path: Path) -> None:
    words = [sys.executable, "-c", OPENED, str(tmp_path)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines() == [
        "[]",
        "TableApi True module",
        "True lance_namespace_urllib3_client.api_client False",
    ], run.stderr


def package(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(text)
    (folder / name / "part.py").write_text("held = 1\n")


def test_a_package_is_built_once_and_by_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "late_package", "import sys\nsys.late_built += 1\nown = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "late_built", 0, raising=False)
    postponed("late_package")
    import late_package.part  # type: ignore[import-not-found]

    assert (late_package.part.held, vars(sys)["late_built"]) == (1, 0)
    assert not hasattr(late_package, "__wrapped__")
    assert vars(sys)["late_built"] == 0
    assert (late_package.own, late_package.own, vars(sys)["late_built"]) == (2, 2, 1)
    with pytest.raises(AttributeError, match=r"late_package.*nothing"):
        _ = late_package.nothing
    postponed("late_package")
    assert sys.modules["late_package"] is late_package


def test_a_package_that_cannot_be_built_says_why_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "broken_package", "raise OSError('no luck')\n")
    monkeypatch.syspath_prepend(tmp_path)
    postponed("broken_package")
    import broken_package  # type: ignore[import-not-found]

    for _ in range(2):
        with pytest.raises(OSError, match="no luck"):
            _ = broken_package.own


def test_what_is_not_installed_stays_so() -> None:
    postponed("no_such_package_anywhere")
    assert "no_such_package_anywhere" not in sys.modules
