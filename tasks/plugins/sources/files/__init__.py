"""Files of a folder: local, or behind any URL that fsspec reads (s3://, gs://, az://, sftp://,
zip://, https://).
"""

import os
from pathlib import Path
from typing import Any

from pydantic import Field

from llmops.tasks.errors import Blocked, DocumentError, UsageError
from llmops.tasks.plugins.sources import Item, KnownName, Raw, Report, Source
from llmops.tasks.plugins.sources import _local as local
from llmops.tasks.plugins.sources._globs import Choice
from llmops.tasks.plugins.sources.files import remote


class FilesSource(Source):
    """Every regular file below `path`; what no parser can read is told apart later, by content.

    `include` and `exclude` are patterns relative to `path` (`**/*.md`); one without `/` is compared
    with names in every folder. Hidden files only where a pattern of `include` has a component that
    begins with a dot. Links are followed. `storage_options` goes to fsspec. A file above
    `max_bytes` is a problem, not an item.
    """

    path: str = Field(min_length=1)
    include: list[str] = Field(default_factory=list)
    exclude: list[str] = Field(default_factory=list)
    storage_options: dict[str, Any] = Field(default_factory=dict)
    max_bytes: int = Field(default=100_000_000, gt=0)

    @property
    def local(self) -> bool:
        return not remote.is_remote(self.path)

    def at(self, folder: Path) -> "FilesSource":
        """The same source with a relative path, also of an archive in a URL, made absolute."""
        return self.model_copy(update={"path": absolute(self.path, folder)})

    def check(self) -> None:
        """Raise UsageError when there is nothing at `path`, Unavailable when nobody can tell."""
        there = (
            remote.exists(self.path, self.storage_options)
            if remote.is_remote(self.path)
            else self._root.exists()
        )
        if not there:
            raise UsageError(
                f"{self.path} does not exist",
                where="sources: files: path",
                hint="check the spelling; a relative path starts at the config file's folder",
            )

    def scan(self, report: Report) -> str:
        """Report every file. Raises Blocked when the folder is gone, Unavailable when a store does
        not answer.
        """
        choice = Choice(self.include, self.exclude)
        if remote.is_remote(self.path):
            return remote.RemoteWalk(
                self.path, self.storage_options, choice, self.max_bytes, report
            ).run()
        if self._root.is_dir():
            return local.Walk(self._root, choice, self.max_bytes, report).run()
        if not self._root.exists():
            raise Blocked(
                f"the folder {self.path} is gone", hint="put it back, or change the source's path"
            )
        local.Walk(self._root.parent, Choice([], []), self.max_bytes, report).one(self._root.name)
        return ""

    def read(self, item: Item) -> Raw:
        """The bytes of a file. Raises DocumentError, TransientDocumentError when it vanished,
        changed or is locked.
        """
        if remote.is_remote(self.path):
            return Raw(data=remote.fetch(self.path, self.storage_options, item, self.max_bytes))
        return Raw(data=local.content(self._file(item), self.max_bytes))

    def content_hash(self, item: Item) -> str | None:
        """SHA-256 of a local file, streamed; None for remote ones and for what cannot be read
        now.
        """
        if remote.is_remote(self.path):
            return None
        try:
            return local.hashed(self._file(item))
        except DocumentError:
            return None  # `read` says why

    def known_as(self, name: str) -> KnownName | None:
        """Of a local file, by its path: absolute, from the current folder or from `path`."""
        if remote.is_remote(self.path) or not self._root.is_dir():
            return None
        root = self._root.resolve()
        places = [Path(name).expanduser().absolute(), root / name.removeprefix("/")]
        for place in dict.fromkeys(Path(os.path.normpath(each)) for each in places):
            real = place if place.is_relative_to(self._root) else place.resolve()
            base = self._root if real.is_relative_to(self._root) else root
            if real.is_relative_to(base) and real.is_file():
                return self._known(real, real.relative_to(base).as_posix())
        return None

    def _known(self, file: Path, uri: str) -> KnownName:
        why = Choice(self.include, self.exclude).why_not(uri)
        size = file.stat().st_size
        if not why and size > self.max_bytes:
            why = f"it has {size:,} bytes, and max_bytes is {self.max_bytes:,}"
        return KnownName(uri=uri, left_out=why)

    @property
    def _root(self) -> Path:
        return Path(self.path.removeprefix("file://")).expanduser()

    def _file(self, item: Item) -> Path:
        root = self._root
        return root / local.located(item) if root.is_dir() else root


def absolute(path: str, folder: Path) -> str:
    """A local path, or the archive at the end of a chained URL, against a folder; other URLs
    stay.
    """
    if "::" in path:
        head, _, tail = path.rpartition("::")
        return f"{head}::{absolute(tail, folder)}"
    if remote.is_remote(path):
        return path
    own = Path(path.removeprefix("file://")).expanduser()
    return os.path.normpath(folder / own)
