"""Arrays in the user's cache: made once, and made again where they are not what was kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from llmops.tasks.texts.mapped import Arrays, mapped

KEY = "numbers-1"


class Maker:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Arrays:
        self.calls += 1
        return {
            "many": np.arange(10_000),
            "names": np.array(["de", "en"]),
            "one": np.ones(1, np.float32),
        }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/llmops-pipelines" / KEY


def same(arrays: Arrays) -> bool:
    wanted = Maker()()
    return arrays.keys() == wanted.keys() and all(
        arrays[name].dtype == array.dtype and np.array_equal(arrays[name], array)
        for name, array in wanted.items()
    )


def test_they_are_made_once_and_then_mapped(folder: Path) -> None:
    make = Maker()
    assert same(mapped(KEY, make))
    kept = mapped(KEY, make)
    assert same(kept)
    assert (make.calls, kept["many"].flags.owndata, kept["many"].flags.writeable) == (
        1,
        False,
        False,
    )
    assert same(mapped("numbers-2", make))
    assert make.calls == 2
    assert not list(folder.glob("new-*"))


def shortened(folder: Path) -> None:
    file = folder / "many.npy"
    file.write_bytes(file.read_bytes()[:-1])


def emptied(folder: Path) -> None:
    (folder / "one.npy").write_bytes(b"")


def garbled(folder: Path) -> None:
    (folder / "names.npy").write_bytes(b"no array at all")


def half_written(folder: Path) -> None:
    (folder / "names").unlink()


def lost(folder: Path) -> None:
    (folder / "many.npy").unlink()


def unnamed(folder: Path) -> None:
    """The list of names is empty, as a full disk leaves it."""
    (folder / "names").write_bytes(b"")


def fewer_named(folder: Path) -> None:
    lines = (folder / "names").read_text().splitlines()
    (folder / "names").write_text("\n".join(lines[:-1]))


def another_shape(folder: Path) -> None:
    np.save(folder / "many.npy", np.arange(5))


def zipped(folder: Path) -> None:
    (folder / "many.npy").write_bytes(b"PK\3\4 and no more")


DAMAGES = [
    *(shortened, emptied, garbled, half_written, lost),
    *(unnamed, fewer_named, another_shape, zipped),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_ones_are_made_and_kept_anew(folder: Path, damage: Callable[[Path], None]) -> None:
    make = Maker()
    mapped(KEY, make)
    damage(folder)
    assert same(mapped(KEY, make))
    assert make.calls == 2
    assert same(mapped(KEY, make))
    assert make.calls == 2


def test_where_they_cannot_be_kept_they_are_made_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    make = Maker()
    for _ in range(2):
        assert same(mapped(KEY, make))
    assert make.calls == 2
