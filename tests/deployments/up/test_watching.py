"""Configs that change while `up` runs are noticed, once they are left alone."""

import os
import threading
from pathlib import Path

from llmops.deployments.up.watching import Watch, configs_seen
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
        ".env": "A=1",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
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

    watch = Watch(look, told.append, 0.05)
    watch.start()
    try:
        assert looked.wait(5)
        (tmp_path / "a.yaml").write_text("flow: index # changed")
        (tmp_path / "c.yaml").write_text("flow: index")
        (tmp_path / "b.yaml").unlink()
        wait_until(lambda: told)
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
