"""The lake: where shards and what the tasks of a run tell each other lie. A folder of the home, or
whatever `LLMOPS_LAKE` names: another folder, or any storage that fsspec writes, such as
s3://bucket/prefix.

Every read and write of a file of the lake goes through here. A file is there as a whole or not at
all, also after a crash and with many writers.
"""

import os
import re
import shutil
import stat
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from llmops.tasks.errors import LlmopsError, Unavailable, UsageError, disk_trouble

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

VARIABLE = "LLMOPS_LAKE"
ALLOWED = "allowed: a folder, or a URL such as s3://bucket/prefix, gs://, az://, sftp://"
WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"})
"""Object stores: what is put there appears as a whole. Elsewhere a file is moved to its name."""
EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "azure"),
    **dict.fromkeys(("sftp", "ssh"), "sftp"),
}
LOGIN = re.compile(r"(?<=://)[^/@]*@")


class File(NamedTuple):
    """A file of the lake: `path` relative to it, `bytes`, when it was written (seconds since 1970,
    by the clock of the storage).
    """

    path: str
    bytes: int
    modified: float

    @property
    def partial(self) -> bool:
        """What a writer is at, or left that died halfway."""
        return self.path.rpartition("/")[2].startswith(".")


class Lake(ABC):
    """Files by their paths in the lake, with `/` between the parts.

    Every method raises Unavailable when the storage does not answer, is full or refuses.
    """

    @abstractmethod
    def where(self, path: str = "") -> str:
        """What to tell a user of the lake or of a file in it; never a password."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Raises FileNotFoundError."""

    @abstractmethod
    def parquet(self, path: str) -> Path | BytesIO:
        """What pyarrow reads a Parquet file from."""

    @abstractmethod
    def write(self, path: str, content: bytes) -> None:
        """A reader sees the old file or the whole new one, also after a crash."""

    @abstractmethod
    def put(self, path: str, source: Path) -> None:
        """As `write`, of a file of this machine, which need not fit into memory."""

    @abstractmethod
    def fetch(self, path: str, target: Path) -> None:
        """A copy on this machine. Raises FileNotFoundError."""

    @abstractmethod
    def files(self, folder: str = "") -> list[File]:
        """All files below a folder, sorted by path; none where there is no such folder."""

    @abstractmethod
    def file(self, path: str) -> File | None:
        """What is known of one file; None where there is none."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Nothing happens where it is gone already."""

    def untouched(self, folder: str, before: float) -> list[str]:
        """The folders in a folder that nobody has touched since `before`; none where there is no
        such thing as a folder.
        """
        del folder, before
        return []

    def leave(self, folders: Iterable[str]) -> None:
        """Forget those of these folders that are empty."""
        del folders


class Folder(Lake):
    """A lake on a disk of this machine, or on one that machines share."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def where(self, path: str = "") -> str:
        return str(self.root / path)

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def parquet(self, path: str) -> Path | BytesIO:
        return self.root / path

    def write(self, path: str, content: bytes) -> None:
        write_atomically(self.root / path, content)

    def put(self, path: str, source: Path) -> None:
        with _appearing(self.root / path) as partial:
            shutil.copyfile(source, partial)

    def fetch(self, path: str, target: Path) -> None:
        shutil.copyfile(self.root / path, target)

    def files(self, folder: str = "") -> list[File]:
        top = self.root / folder
        there = [Path(at, name) for at, _, names in os.walk(top) for name in names]
        known = [self.file(path.relative_to(self.root).as_posix()) for path in there]
        # without what a writer has renamed meanwhile
        return sorted(file for file in known if file is not None)

    def file(self, path: str) -> File | None:
        with suppress(FileNotFoundError, NotADirectoryError):
            found = (self.root / path).lstat()
            if not stat.S_ISDIR(found.st_mode):
                return File(path, found.st_size, found.st_mtime)
        return None

    def remove(self, path: str) -> None:
        (self.root / path).unlink(missing_ok=True)

    def untouched(self, folder: str, before: float) -> list[str]:
        return [
            inner.relative_to(self.root).as_posix()
            for inner in (self.root / folder).glob("*")
            if inner.is_dir() and inner.lstat().st_mtime < before
        ]

    def leave(self, folders: Iterable[str]) -> None:
        for folder in folders:
            if not any((self.root / folder).iterdir()):
                (self.root / folder).rmdir()


class Remote(Lake):
    """A lake on a storage that fsspec writes. What is written there is never cached here. `what`,
    `named`: how messages call it, and what names its address.
    """

    def __init__(self, url: str, what: str = "lake", named: str = VARIABLE) -> None:
        self.url, self.what, self.named = url.rstrip("/"), what, named
        self.protocol = url.partition("://")[0]

    @cached_property
    def _top(self) -> str:
        return str(self._storage()[1]).rstrip("/")

    def _storage(self) -> tuple["AbstractFileSystem", str]:
        import fsspec

        try:
            # fsspec keeps one of them for each thread
            return fsspec.core.url_to_fs(self.url, use_listings_cache=False)  # type: ignore[no-any-return]
        except ImportError as error:
            extra = EXTRAS.get(self.protocol)
            how = f"pip install 'llmops-pipelines[{extra}]'" if extra else str(error)
            raise UsageError(
                f"a {self.what} on {self.protocol}:// needs a library that is not installed",
                where=self.named,
                hint=f"install it: {how}",
            ) from error
        except ValueError as error:
            raise UsageError(
                f"a {self.what} cannot be kept there: {error}", where=self.named, hint=ALLOWED
            ) from error

    @contextmanager
    def _asked(self, path: str) -> Iterator[tuple["AbstractFileSystem", str]]:
        storage, _ = self._storage()
        try:
            yield storage, f"{self._top}/{path}" if path else self._top
        except FileNotFoundError:
            raise
        except LlmopsError:
            raise
        except Exception as error:  # each storage has errors of its own kind
            if trouble := disk_trouble(error):
                raise trouble from error
            raise Unavailable(
                f"the {self.what} {self.where()} does not answer: "
                f"{type(error).__name__}: {LOGIN.sub('', str(error))[:200]}",
                where=self.named,
                hint="check the address, the network and the credentials; run again: finished "
                "work is kept",
            ) from error

    def where(self, path: str = "") -> str:
        shown = LOGIN.sub("", self.url)
        return f"{shown}/{path}" if path else shown

    def read(self, path: str) -> bytes:
        with self._asked(path) as (storage, place):
            return bytes(storage.cat_file(place))

    def parquet(self, path: str) -> Path | BytesIO:
        return BytesIO(self.read(path))

    def write(self, path: str, content: bytes) -> None:
        self._appears(path, lambda storage, place: storage.pipe_file(place, content))

    def put(self, path: str, source: Path) -> None:
        self._appears(path, lambda storage, place: storage.put_file(str(source), place))

    def fetch(self, path: str, target: Path) -> None:
        with self._asked(path) as (storage, place):
            storage.get_file(place, str(target))

    def _appears(self, path: str, send: "Callable[[AbstractFileSystem, str], object]") -> None:
        try:
            with self._asked(path) as (storage, place):
                if self.protocol in WHOLE:
                    send(storage, place)
                    return
                folder, _, name = place.rpartition("/")
                partial = f"{folder}/.{name}.{os.getpid()}.{threading.get_ident()}"
                storage.makedirs(folder, exist_ok=True)
                send(storage, partial)
                storage.mv(partial, place)
        except FileNotFoundError as error:
            raise UsageError(
                f"the {self.what} {self.where()} is not there: {error}",
                where=self.named,
                hint="create the bucket or the folder, or correct the URL",
            ) from error

    def files(self, folder: str = "") -> list[File]:
        with self._asked(folder) as (storage, place):
            storage.invalidate_cache()
            try:
                there = storage.find(place, detail=True)
            except FileNotFoundError:
                return []
            return sorted(self._file(storage, info) for info in there.values())

    def file(self, path: str) -> File | None:
        with self._asked(path) as (storage, place):
            storage.invalidate_cache()
            try:
                info = storage.info(place)
            except FileNotFoundError:
                return None
            return self._file(storage, info) if info["type"] == "file" else None

    def _file(self, storage: "AbstractFileSystem", info: Mapping[str, Any]) -> File:
        name = str(info["name"])
        path = name.strip("/").removeprefix(self._top.strip("/")).strip("/")
        told = info.get("LastModified") or info.get("last_modified") or info.get("mtime")
        moment = storage.modified(name) if told is None else told
        seconds = float(moment) if isinstance(moment, int | float) else moment.timestamp()
        # some clocks know whole seconds: what was written later in that one must not look older
        return File(path, int(info.get("size") or 0), seconds if seconds % 1 else seconds + 1)

    def remove(self, path: str) -> None:
        with self._asked(path) as (storage, place), suppress(FileNotFoundError):
            storage.rm_file(place)


def lake_of(home: Path) -> Lake:
    """The lake of a home: `LLMOPS_LAKE`, else its folder `lake`. Nothing is opened or created."""
    return _lake(os.environ.get(VARIABLE, "").strip() or str(home / "lake"))


@cache
def _lake(place: str) -> Lake:
    return storage_at(place, "lake", VARIABLE)


def storage_at(place: str, what: str, named: str) -> Lake:
    """Files at any folder or URL, by the same calls. `what`, `named`: how messages call it, and
    what names its address. Nothing is opened or created.
    """
    if "://" in place and not place.startswith(("file://", "local://")):
        return Remote(place, what, named)
    return Folder(Path(place.partition("://")[2] or place).expanduser().absolute())


def write_atomically(path: Path, content: bytes) -> None:
    """A reader sees the old file or the whole new one, also after a crash."""
    with _appearing(path) as partial:
        partial.write_bytes(content)


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A file to write to, which then takes the place of `path`; it is on the disk by then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
