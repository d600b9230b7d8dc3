"""Local files: listing without opening anything, reading without being held up by what is no
file.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from llmops.tasks.errors import DocumentError, TransientDocumentError
from llmops.tasks.plugins.sources import Item, Problem, Report
from llmops.tasks.plugins.sources._globs import Choice

Chain = frozenset[tuple[int, int]]
"""Device and inode of the folders above."""
KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
RAW = "bytes:"


def printable(path: str) -> str:
    """A path as valid Unicode: bytes that are not UTF-8 are written as %XX."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "".join(f"%{ord(c) - 0xDC00:02X}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in path)
    return path


def item(path: str, status: os.stat_result) -> Item:
    """The item of a relative path. The revision changes with size, times and inode: a copy over it
    is noticed.
    """
    uri = printable(path)
    revision = f"{status.st_size:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}-{status.st_ino:x}"
    locator = "" if uri == path else RAW + os.fsencode(path).hex()
    return Item(uri=uri, revision=revision, size=status.st_size, locator=locator)


def located(entry: Item) -> str:
    """The relative path of an item, also where its name is not UTF-8."""
    return (
        os.fsdecode(bytes.fromhex(entry.locator.removeprefix(RAW))) if entry.locator else entry.uri
    )


class Walk:
    """One listing of a folder. `gaps` holds why it is not complete."""

    def __init__(self, root: Path, choice: Choice, max_bytes: int, report: Report) -> None:
        self.root, self.choice, self.max_bytes, self.report = root, choice, max_bytes, report
        self.gaps: list[str] = []

    def run(self) -> str:
        """Report every file; return "" or why the listing is not complete."""
        status = self.root.stat()
        pending = [("", frozenset({(status.st_dev, status.st_ino)}))]
        while pending:
            folder, above = pending.pop()
            pending += self._folder(folder, above)
        more = f" and {len(self.gaps) - 3} more" if len(self.gaps) > 3 else ""
        return "; ".join(self.gaps[:3]) + more

    def one(self, name: str) -> None:
        """Report one file of the folder, whatever the patterns say."""
        self.report(self._file(name, (self.root / name).stat()))

    def _folder(self, folder: str, above: Chain) -> Iterator[tuple[str, Chain]]:
        prefix = f"{folder}/" if folder else ""
        try:
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    below = self._entry(entry, prefix + entry.name, above)
                    if below is not None:
                        yield prefix + entry.name, below
        except OSError as error:
            self._gap(folder, error)

    def _entry(self, entry: os.DirEntry[str], path: str, above: Chain) -> Chain | None:
        """Report a file, or return the chain of folders to enter it with. A link back to a folder
        above ends there.
        """
        try:
            status = entry.stat()
        except OSError as error:
            self._lost(entry, path, error)
            return None
        if stat.S_ISDIR(status.st_mode):
            here = (status.st_dev, status.st_ino)
            return above | {here} if here not in above and self.choice.enters(path) else None
        if self.choice.takes(path):
            self.report(self._file(path, status))
        return None

    def _file(self, path: str, status: os.stat_result) -> Item | Problem:
        if not stat.S_ISREG(status.st_mode):
            kind = KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")
            return Problem(
                uri=printable(path),
                reason=f"it is {kind} without content to read; exclude or remove it",
            )
        if status.st_size > self.max_bytes:
            return Problem(uri=printable(path), reason=too_large(status.st_size, self.max_bytes))
        return item(path, status)

    def _lost(self, entry: os.DirEntry[str], path: str, error: OSError) -> None:
        if not self.choice.takes(path):
            return
        if entry.is_symlink() and isinstance(error, FileNotFoundError):
            self.report(
                Problem(
                    uri=printable(path),
                    reason="it is a link to what does not exist; repair or remove it",
                )
            )
        elif entry.is_symlink() and not isinstance(error, PermissionError):
            self.report(
                Problem(
                    uri=printable(path), reason="it is a link that leads back to itself; remove it"
                )
            )
        elif not isinstance(error, FileNotFoundError):
            self.report(
                Problem(
                    uri=printable(path),
                    reason=why(error),
                    error="TransientDocumentError",
                    retryable=True,
                )
            )

    def _gap(self, folder: str, error: OSError) -> None:
        if folder and isinstance(error, FileNotFoundError):
            return  # removed between its listing and ours: so are its files
        name = printable(folder) or "."
        self.gaps.append(f"the folder {name} could not be listed: {why(error)}")
        self.report(
            Problem(
                uri=f"{name}/", reason=self.gaps[-1], error="TransientDocumentError", retryable=True
            )
        )


def why(error: OSError) -> str:
    """An operating system's error as a sentence."""
    if isinstance(error, PermissionError):
        return "permission denied; give the user that runs the build the right to read it"
    return error.strerror or type(error).__name__


def too_large(size: int, allowed: int) -> str:
    return (
        f"the file has {size:,} bytes, allowed are {allowed:,}; raise `max_bytes` of the "
        f"source to take it, "
        "or exclude it"
    )


def opened(path: Path) -> int:
    """A descriptor of a regular file. Never blocks on a pipe. Raises DocumentError,
    TransientDocumentError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise TransientDocumentError(
            "the file was there when the source was listed, but is gone now"
        ) from error
    except OSError as error:
        raise TransientDocumentError(f"the file could not be opened: {why(error)}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DocumentError("it is no regular file any more")
    return descriptor


def content(path: Path, max_bytes: int) -> bytes:
    """All bytes of a file. Raises DocumentError, TransientDocumentError (also when it changed while
    it was read).
    """
    with os.fdopen(opened(path), "rb") as file:
        before = os.fstat(file.fileno())
        if before.st_size > max_bytes:
            raise DocumentError(too_large(before.st_size, max_bytes))
        try:
            data = file.read(max_bytes + 1)
        except OSError as error:
            raise TransientDocumentError(f"the file could not be read: {why(error)}") from error
        after = os.fstat(file.fileno())
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size) or len(
        data
    ) != after.st_size:
        raise TransientDocumentError("the file changed while it was read")
    return data


def hashed(path: Path) -> str:
    """SHA-256 of a file, hexadecimal, in constant memory. Raises like `opened`."""
    with os.fdopen(opened(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
