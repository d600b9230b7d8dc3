"""What a commit holds: its files with their blobs, links resolved, and the commit that touched each
file last.
"""

import os
import posixpath
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import IO, NamedTuple

from llmops.tasks.errors import TransientDocumentError
from llmops.tasks.plugins.sources import Item, Problem, Report
from llmops.tasks.plugins.sources._globs import Choice
from llmops.tasks.plugins.sources._local import printable, too_large
from llmops.tasks.plugins.sources.git.run import GitCommand, GitFailed, fields, stop

LINK, FOLDER, SUBMODULE = "120000", "040000", "160000"
MOST_LINKS = 8
RECORD = b"\x01"


class TreeEntry(NamedTuple):
    """One line of a tree. `size` is -1 where the repository lacks the blob."""

    mode: str
    blob: str
    size: int


class Touch(NamedTuple):
    """The commit that changed a file last."""

    commit: str
    date: str
    author: str


def tree(git: GitCommand, commit: str) -> dict[str, TreeEntry]:
    """path -> entry of every file, link and submodule of a commit."""
    entries = {}
    for line in fields(git.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--")):
        head, _, path = line.partition(b"\t")
        mode, _, blob, size = head.decode().split()
        entries[os.fsdecode(path)] = TreeEntry(mode, blob, int(size) if size.isdigit() else -1)
    return entries


def touches(git: GitCommand, commit: str, wanted: set[str]) -> dict[str, Touch]:
    """path -> the last commit that changed it, in one pass over the history, which ends as soon as
    all are known.
    """
    touched: dict[str, Touch] = {}
    words = (
        "log",
        "-c",
        "--name-only",
        "-z",
        "--no-renames",
        "--format=%x01%H%x02%aI%x02%an",
        commit,
        "--",
    )
    with git.open(*words) as process:
        assert process.stdout is not None
        now = Touch("", "", "")
        for field in _fields(process.stdout):
            if field.startswith(RECORD):
                now = Touch(*field[1:].decode("utf-8", "replace").split("\x02"))
            elif (path := os.fsdecode(field)) in wanted and path not in touched:
                touched[path] = now
                if len(touched) == len(wanted):
                    return touched
        _, errors = process.communicate()
        if process.returncode:
            raise git.failed(errors)
    return touched


def _fields(out: IO[bytes]) -> Iterator[bytes]:
    """The fields of a stream that ends each with a zero byte, as they come."""
    rest = b""
    while piece := os.read(out.fileno(), 1 << 16):
        *whole, rest = (rest + piece).split(b"\0")
        yield from (field.lstrip(b"\n") for field in whole)
    yield rest.lstrip(b"\n")


class Blobs:
    """The contents of a repository through one long-lived `git cat-file`, ended with this
    object.
    """

    def __init__(self, git: GitCommand) -> None:
        self._lock, self._process = threading.Lock(), git.start("cat-file", "--batch")
        weakref.finalize(self, stop, self._process)

    def read(self, blob: str) -> bytes:
        """Raises TransientDocumentError where the repository lacks it."""
        with self._lock:
            wanted, out = self._process.stdin, self._process.stdout
            assert wanted is not None
            assert out is not None
            try:
                wanted.write(f"{blob}\n".encode())
                wanted.flush()
                head = out.readline().split()
                if len(head) == 3:
                    return out.read(int(head[2]) + 1)[:-1]
            except OSError as error:
                raise TransientDocumentError(
                    f"git ended while the file was read: {error.strerror}"
                ) from error
        raise TransientDocumentError(
            f"the repository lacks the blob {blob[:12]} of this file; in a partial or "
            f"shallow clone, "
            "fetch it (git fetch --refetch), or repair it (git fsck)"
        )


class Snapshot:
    """One listing of a commit."""

    def __init__(
        self, git: GitCommand, blobs: Blobs, commit: str, choice: Choice, max_bytes: int
    ) -> None:
        self._git, self._blobs, self._commit, self._choice, self._max_bytes = (
            git,
            blobs,
            commit,
            choice,
            max_bytes,
        )
        self._tree = tree(git, commit)

    def report(
        self,
        report: Report,
        history: bool,
        locate: Callable[[str, Touch | None], str],
    ) -> None:
        """Report every file that is chosen. A link to a file of the same commit is a file; one to a
        folder is not followed.
        """
        chosen = [
            path
            for path in self._tree
            if self._choice.takes(path) and self._tree[path].mode != SUBMODULE
        ]
        touched: Mapping[str, Touch] = (
            touches(self._git, self._commit, set(chosen)) if history else {}
        )
        for path in chosen:
            entry = self._resolved(path)
            if isinstance(entry, str):
                report(Problem(uri=printable(path), reason=entry))
            elif entry is not None:
                report(self._item(path, entry, touched.get(path), locate))

    def _item(
        self,
        path: str,
        entry: TreeEntry,
        touch: Touch | None,
        locate: Callable[[str, Touch | None], str],
    ) -> Item | Problem:
        if entry.size > self._max_bytes:
            return Problem(uri=printable(path), reason=too_large(entry.size, self._max_bytes))
        revision = f"{entry.blob}-{touch.commit[:16]}" if touch else entry.blob
        return Item(
            uri=printable(path),
            revision=revision,
            size=max(entry.size, 0),
            locator=locate(entry.blob, touch),
        )

    def _resolved(self, path: str) -> TreeEntry | str | None:
        """The file behind a path: its entry, None for a folder, or a sentence on why there is
        none.
        """
        here = path
        for _ in range(MOST_LINKS):
            entry = self._tree.get(here)
            if entry is None:
                folder = any(other.startswith(f"{here}/") for other in self._tree) or here == "."
                return (
                    None
                    if folder
                    else "it is a link to what the commit does not hold; repair, remove or "
                    "exclude it"
                )
            if entry.mode != LINK:
                return entry if entry.mode != SUBMODULE else None
            target = os.fsdecode(self._blobs.read(entry.blob))
            here = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
        return "it is a link that leads back to itself; remove it"


def commit_of(git: GitCommand, ref: str) -> str | None:
    """The full name of the commit behind a branch, tag or commit; None where there is none."""
    try:
        return (
            git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
            .decode()
            .split()[-1]
        )
    except GitFailed as error:
        if str(error):
            raise
        return None
