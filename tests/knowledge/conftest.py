"""Parsers that behave as badly as parsers can, installed as third parties install theirs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks import plugins
from llmops.tasks.plugins import parsers

NASTY = '''
import ctypes
import os
import subprocess
import sys
import threading
import time
from typing import ClassVar

from llmops.tasks.plugins.parsers import Parsed, Parser, page_done


class Hangs(Parser):
    media_types: ClassVar = ("x-nasty/hangs",)

    def parse(self, data, media_type):
        while True:
            pass


class Sticks(Parser):
    """Never lets go of the interpreter: no Python code of the process runs any more."""

    media_types: ClassVar = ("x-nasty/sticks",)

    def parse(self, data, media_type):
        ctypes.PyDLL(None).sleep(1000)


class Eats(Parser):
    media_types: ClassVar = ("x-nasty/eats",)

    def parse(self, data, media_type):
        held = []
        while True:
            held.append(bytearray(b"x" * (1 << 22)))


class Maps(Parser):
    """Takes memory that counts for no limit of its own: only looking from outside helps."""

    media_types: ClassVar = ("x-nasty/maps",)

    def parse(self, data, media_type):
        import mmap
        held = []
        while True:
            piece = mmap.mmap(-1, 1 << 24)
            piece.write(b"x" * (1 << 24))
            held.append(piece)


class Crashes(Parser):
    media_types: ClassVar = ("x-nasty/crashes",)

    def parse(self, data, media_type):
        ctypes.string_at(0)


class Raises(Parser):
    media_types: ClassVar = ("x-nasty/raises",)

    def parse(self, data, media_type):
        raise KeyError("nobody foresaw this")


class Leaves(Parser):
    media_types: ClassVar = ("x-nasty/leaves",)

    def parse(self, data, media_type):
        sys.exit(0)


class Talks(Parser):
    media_types: ClassVar = ("x-nasty/talks",)

    def parse(self, data, media_type):
        print("noise on standard output")
        os.write(1, b"\\x00\\x01 native noise " * 20_000)
        subprocess.run(["echo", "a child's noise"])
        return Parsed(text=f"{len(data)} bytes, {threading.active_count()} threads", media_type=media_type)


class Pages(Parser):
    """Says of each of its pages that it is done, in 0.4 s each."""

    media_types: ClassVar = ("x-nasty/pages",)

    def parse(self, data, media_type):
        for _ in range(int(data)):
            time.sleep(0.4)
            page_done()
        return Parsed(text=f"{int(data)} pages", media_type=media_type)


class Spawns(Parser):
    media_types: ClassVar = ("x-nasty/spawns",)

    def parse(self, data, media_type):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        with open(data.decode(), "w") as file:
            file.write(str(child.pid))
        time.sleep(1000)


class Whoami(Parser):
    media_types: ClassVar = ("x-nasty/whoami",)

    def parse(self, data, media_type):
        time.sleep(float(data or b"0"))
        return Parsed(text=str(os.getpid()), media_type=media_type)


class Better(Parser):
    """Reads what a built-in parser reads, too."""

    media_types: ClassVar = ("text/csv", "image/*")
    isolated: ClassVar = False

    def parse(self, data, media_type):
        return Parsed(text=f"better: {media_type}", media_type=media_type)
'''  # noqa: E501
CLASSES = (
    "Hangs",
    "Sticks",
    "Eats",
    "Maps",
    "Crashes",
    "Raises",
    "Leaves",
    "Talks",
    "Pages",
    "Spawns",
    "Whoami",
    "Better",
)


def _forget() -> None:
    for cached in (
        plugins.registered,
        plugins.external,
        plugins.names,
        plugins.find,
        parsers.parsers_by_type,
    ):
        cached.cache_clear()


@pytest.fixture
def nasty(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder on the path with an installed distribution of those parsers."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "nasty_parsers.py").write_text(NASTY)
    about = folder / "nasty_parsers-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nasty-parsers\nVersion: 1.0\n")
    points = "".join(f"{name.lower()} = nasty_parsers:{name}\n" for name in CLASSES)
    (about / "entry_points.txt").write_text(f"[llmops.parsers]\n{points}")
    monkeypatch.syspath_prepend(str(folder))
    _forget()
    yield folder
    monkeypatch.undo()
    _forget()
