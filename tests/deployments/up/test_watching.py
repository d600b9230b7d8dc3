"""Configs that change while `up` runs are noticed, once they are left alone."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from llmops.deployments.up.watching import Seen, Watch, configs_seen
from tests.deployments.up.parts import wait_until


def test_configs_and_settings_are_watched_and_nothing_else(tmp_path: Path) -> None:
    home = tmp_path / "state"
    for name, text in {
        "a.yaml": "flow: index",
        "deep/b.yml": "name: x\nflow: evaluate",
        "prompt.yaml": "messages: []",
        "notes.txt": "flow: index",
        ".hidden/c.yaml": "flow: index",
        ".d.yaml": "flow: index",
        "state/e.yaml": "flow: index",
        "node_modules/pkg/f.yaml": "flow: index",
        "venv/pyvenv.cfg": "home = /usr/bin",
        "venv/lib/g.yaml": "flow: index",
        ".env": "A=1",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    os.mkfifo(tmp_path / "fifo.yaml")
    seen = {Path(file).relative_to(tmp_path).as_posix() for file in configs_seen(tmp_path, home)}
    assert seen == {"a.yaml", "deep/b.yml", ".env"}


def test_a_change_is_told_once_with_its_files(tmp_path: Path) -> None:
    told: list[list[str]] = []
    (tmp_path / "a.yaml").write_text("flow: index")
    (tmp_path / "b.yaml").write_text("flow: index")
    looked = threading.Event()

    def look() -> dict[str, tuple[int, int]]:
        seen = configs_seen(tmp_path, tmp_path / "home")
        looked.set()
        return seen

    def changed(files: list[str], undone: list[str]) -> bool:
        assert files == undone
        told.append(files)
        return True

    watch = Watch(look, changed, 0.05)
    watch.start()
    try:
        assert looked.wait(5)
        (tmp_path / "a.yaml").write_text("flow: index # changed")
        (tmp_path / "c.yaml").write_text("flow: index")
        (tmp_path / "b.yaml").unlink()
        wait_until(lambda: sum(map(len, told)) == 3)
        assert sorted(Path(file).name for each in told for file in each) == [
            "a.yaml",
            "b.yaml",
            "c.yaml",
        ]
        count = len(told)
        looked.clear()
        assert looked.wait(5)
        assert len(told) == count
    finally:
        watch.stop()


@contextmanager
def watching(
    look: Callable[[], Seen], changed: Callable[[list[str]], bool], fresh: list[list[str]]
) -> Iterator[list[list[str]]]:
    """A quick watch, and what it told was to be done, `fresh`: what had changed."""
    told: list[list[str]] = []

    def tell(files: list[str], undone: list[str]) -> bool:
        told.append(undone)
        fresh.append(files)
        return changed(undone)

    watch = Watch(look, tell, 0.01)
    watch.start()
    try:
        yield told
    finally:
        watch.stop()


def test_a_file_that_never_rests_holds_up_no_other() -> None:
    looks = [0]

    def look() -> Seen:
        looks.append(len(looks))
        return {"restless.yaml": (len(looks), 1), "once.yaml": (int(len(looks) > 4), 1)}

    with watching(look, lambda files: True, []) as told:
        wait_until(lambda: told)
        before = len(looks)
        wait_until(lambda: len(looks) > before + 5)
    assert told == [["once.yaml"]]


def test_what_did_not_go_through_is_told_again_with_what_has_changed_since() -> None:
    looks, later, works, fresh = [0], Seen(), threading.Event(), list[list[str]]()

    def look() -> Seen:
        looks.append(len(looks))
        return {"a.yaml": (int(len(looks) > 3), 1), **later}

    with watching(look, lambda files: works.is_set(), fresh) as told:
        wait_until(lambda: len(told) == 2)
        later["b.yaml"] = (1, 1)
        wait_until(lambda: told[-1] == ["a.yaml", "b.yaml"])
        works.set()
        count = len(told)
        wait_until(lambda: len(told) > count)
        count, before = len(told), len(looks)
        wait_until(lambda: len(looks) > before + 5)
    assert told[:2] == [["a.yaml"], ["a.yaml"]]
    assert [each for each in fresh if each] == [["a.yaml"], ["b.yaml"]]
    assert told[-1] == ["a.yaml", "b.yaml"]
    assert len(told) == count
