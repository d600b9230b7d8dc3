"""Fetching promptfoo ends in time, whatever npm does."""

import time
from pathlib import Path

from benchmarks.contenders import promptfoo


def npm(folder: Path, script: str) -> str:
    """A command that behaves so."""
    file = folder / "npm"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file)


def test_one_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    slow = npm(tmp_path, f"(sleep 3; touch {tmp_path}/late) & sleep 60")
    why = promptfoo.install(tmp_path, "promptfoo@1", slow, seconds=0.5)
    assert why == "npm had not installed promptfoo@1 after 0.5 s"
    assert time.monotonic() - began < 30
    time.sleep(3)
    assert not (tmp_path / "late").exists()


def test_one_that_fails_says_so_and_one_that_does_not_says_nothing(tmp_path: Path) -> None:
    bad = npm(tmp_path, "exit 7")
    assert promptfoo.install(tmp_path, "x", bad) == "npm could not install x: it ended with 7"
    assert promptfoo.install(tmp_path, "x", npm(tmp_path, "exit 0")) == ""
    assert promptfoo.install(tmp_path, "x", "no-such-npm") == "there is no npm here"


def test_what_it_compiles_uses_the_headers_of_the_installed_node(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    told = npm(tmp_path / "bin", f'printf %s "$npm_config_nodedir" > {tmp_path}/told')
    promptfoo.install(tmp_path, "x", told)
    assert (tmp_path / "told").read_text() == ""
    (tmp_path / "include" / "node").mkdir(parents=True)
    (tmp_path / "include" / "node" / "node.h").touch()
    promptfoo.install(tmp_path, "x", told)
    assert (tmp_path / "told").read_text() == str(tmp_path)


def test_the_reason_is_kept_for_the_page(tmp_path: Path) -> None:
    assert promptfoo.why_absent(tmp_path) == "it is not installed: make bench"
    (tmp_path / promptfoo.REASON).write_text("npm was ill")
    assert promptfoo.why_absent(tmp_path) == "npm was ill"
