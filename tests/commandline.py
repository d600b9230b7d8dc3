"""The `llmops` command as a user meets it: in this process where only the answer matters, in one of
its own for signals.
"""

import contextlib
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import forks
from tests.forks import Process
from tests.laboratory import Laboratory

ROOT = Path(__file__).parent.parent
PLUGINS = Path(__file__).parent / "plugin_package"


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The one object of `--json`; fails where more or less was printed."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)

    @property
    def mistake(self) -> Any:
        """The first error of `--json`."""
        return self.data.get("error") or self.data["errors"][0]


def llmops(*words: str | Path) -> Said:
    """Run a command in this process, through the console script's own way in."""
    from llmops.flows import console
    from llmops.flows.cli import app

    out, err = io.StringIO(), io.StringIO()
    before, handlers = signal.getsignal(signal.SIGTERM), list(logging.getLogger().handlers)
    given, sys.argv = sys.argv, ["llmops", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = console.main(app)
    finally:
        sys.argv = given
        signal.signal(signal.SIGTERM, before)
        logging.getLogger().handlers[:] = handlers
    return Said(code, out.getvalue(), err.getvalue())


def refused(code: int, says: str, *words: str | Path) -> None:
    """A command ends with an exit code and these words (a regular expression), for people and for
    programs, without a traceback.
    """
    people, programs = llmops(*words), llmops(*words, "--json")
    assert (people.code, programs.code) == (code, code), people.err
    assert re.search(says, people.err), people.err
    assert "Traceback" not in people.err + programs.err
    assert re.search(
        says,
        f"{programs.mistake['where']}: {programs.mistake['message']} {programs.mistake['hint']}",
    )


def start(home: Path, *words: str | Path) -> Process:
    """A command in a process of its own, forked from one that has imported what it needs."""
    return forks.start("-m", "llmops.flows.cli", *words, environment=environment(home))


def start_afresh(
    home: Path, *words: str | Path, before: tuple[str, ...] = ()
) -> "subprocess.Popen[str]":
    """The true command, which imports all that it needs; `before`: a program that runs it, such as
    setpriv.
    """
    return subprocess.Popen(
        [*before, sys.executable, "-m", "llmops.flows.cli", *map(str, words)],
        cwd=ROOT,
        env=environment(home),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def environment(home: Path) -> dict[str, str]:
    """Of a command that knows the tests' plugins."""
    known = os.pathsep.join([str(PLUGINS), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "LLMOPS_HOME": str(home), "PYTHONPATH": known}


def ended(process: "Process | subprocess.Popen[str]", seconds: float = 120) -> Said:
    """What a started command came to."""
    out, err = process.communicate(timeout=seconds)
    return Said(process.wait(), out, err)


class Office(Laboratory):
    """A laboratory whose home is that of the tests' Prefect server, so that true commands need not
    start one.
    """

    def __init__(self, folder: Path, home: Path, kb: str) -> None:
        super().__init__(folder)
        self.home, self.kb = home, kb
