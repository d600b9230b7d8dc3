"""Packages that are built when something of them is asked for."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmops.tasks.postponed import postponed


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
    for name in ("no_such_package_anywhere", "no_such_package_anywhere.part"):
        postponed(name)
        assert name not in sys.modules


SLOW = """
import sys, threading, time
sys.slow_began.set()
time.sleep(0.3)
from . import part
own = part.held + 1
"""


def test_another_thread_waits_until_it_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "slow_package", SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    began = threading.Event()
    monkeypatch.setattr(sys, "slow_began", began, raising=False)
    postponed("slow_package")
    import slow_package  # type: ignore[import-not-found]

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lambda: slow_package.own)
        assert began.wait(10)
        second = pool.submit(lambda: slow_package.own)
        assert (first.result(10), second.result(10)) == (2, 2)


def test_a_part_of_a_package_that_is_there_is_found_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "whole_package", "def __getattr__(name):\n    import whole_package.inner\n")
    package(tmp_path / "whole_package", "inner", "own = 4\n")
    monkeypatch.syspath_prepend(tmp_path)
    postponed("whole_package.inner")
    import whole_package  # type: ignore[import-not-found]

    assert vars(whole_package)["inner"] is sys.modules["whole_package.inner"]
    assert whole_package.inner.own == 4


def test_a_name_of_a_submodule_is_had_without_building_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import sys\nsys.lent_built += 1\n__version__ = '5'\nfrom .part import held\nother = 6\n"
    package(tmp_path, "lending_package", text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "lent_built", 0, raising=False)
    postponed("lending_package", {"held": "part", "other": "gone", "more": "part"})
    import lending_package  # type: ignore[import-not-found]

    assert (lending_package.held, vars(sys)["lent_built"]) == (1, 0)
    assert (lending_package.__version__, vars(sys)["lent_built"]) == ("5", 1)
    assert (lending_package.other, lending_package.held) == (6, 1)
    assert not hasattr(lending_package, "more")
