"""The files of a commit: of a repository here, or of a remote one, of which a shallow mirror is
kept.
"""

import json
import os
import re
import shutil
import tempfile
import weakref
from pathlib import Path

from pydantic import Field, PrivateAttr, field_validator

from llmops.tasks.errors import (
    Blocked,
    DocumentError,
    LlmopsError,
    Unavailable,
    UnsupportedDocument,
    UsageError,
)
from llmops.tasks.plugins.sources import Item, Raw, Report, Source, content_hash_of
from llmops.tasks.plugins.sources._globs import Choice
from llmops.tasks.plugins.sources._plain import discreet
from llmops.tasks.plugins.sources.git import tree as trees
from llmops.tasks.plugins.sources.git.run import Address, GitFailed, Mirror
from llmops.tasks.plugins.sources.git.run import GitCommand as Command

REMOTE = re.compile(r"(https?|ssh|git|file)://|(?:[\w.+-]+@)?[\w.-]+:(?!//|\\)")
FORBIDDEN = re.compile(r"^[-+/.]|\.\.|@\{|[\s\x00-\x1f\x7f~^:?*\[\\]|/$|\.lock$|\.$|//")
LFS = b"version https://git-lfs.github.com/spec/"
LARGEST_POINTER = 1024


class GitSource(Source):
    """Every file of the commit that `ref` names: a branch, a tag or a commit. The blob is the
    document's revision.

    `repository` is a folder or a URL (https, ssh, git, file, user@host:path); credentials belong
    into the environment, as in `https://${USER}:${TOKEN}@host/x.git`. `include` and `exclude` are
    those of `files`. `history` adds to each document's metadata the commit that touched it last,
    with its date and author. Submodules and links to folders are not followed, pointers of Git LFS
    are no documents. `timeout` is in seconds, per command of git.
    """

    repository: str = Field(min_length=1, repr=False)
    ref: str = "HEAD"
    include: list[str] = Field(default_factory=list)
    exclude: list[str] = Field(default_factory=list)
    history: bool = False
    max_bytes: int = Field(default=100_000_000, gt=0)
    """A larger file is a problem, not an item."""
    timeout: float = Field(default=600.0, gt=0)
    _memory: Path | None = PrivateAttr(None)
    _opened: trees.Blobs | None = PrivateAttr(None)

    @field_validator("ref")
    @classmethod
    def _plain(cls, ref: str) -> str:
        if not ref or ref == "@" or FORBIDDEN.search(ref):
            raise ValueError("a branch, a tag or a commit is wanted, such as main, v1.2 or HEAD")
        return ref

    @field_validator("repository")
    @classmethod
    def _harmless(cls, repository: str) -> str:
        """The value itself stays out of the message: it may hold a password."""
        if repository.startswith("-") or "::" in repository or not repository.isprintable():
            raise ValueError("the repository is a folder or a URL of https, ssh, git or file")
        if "://" in repository and not REMOTE.match(repository):
            raise ValueError("of URLs, https://, http://, ssh://, git:// and file:// can be read")
        return repository

    def at(self, folder: Path) -> "GitSource":
        if REMOTE.match(self.repository):
            return self
        return self.model_copy(
            update={"repository": os.path.normpath(folder / Path(self.repository).expanduser())}
        )

    def remembering(self, memory: Path) -> "GitSource":
        """The same source with the folder where mirrors of remote repositories are kept."""
        copy = self.model_copy()
        copy._memory, copy._opened = memory, None
        return copy

    def check(self) -> None:
        """Raise UsageError when there is no such repository or ref, Unavailable when it cannot be
        asked.
        """
        try:
            self._mirror().ask(self.ref) if self._remote else self._commit()
        except Blocked as error:
            raise UsageError(error.message, where="sources: git", hint=error.hint) from error
        except GitFailed as error:
            raise self._told(error, UsageError) from error

    def scan(self, report: Report) -> str:
        """Report every file of the commit, which is always complete. Raises Blocked when repository
        or ref are gone, Unavailable.
        """
        try:
            if self._remote:
                self._mirror().fetch(self.ref, whole=self.history)
            commit = self._commit()
            snapshot = trees.Snapshot(
                self._git, self._blobs, commit, Choice(self.include, self.exclude), self.max_bytes
            )
            snapshot.report(report, self.history, _locator)
        except GitFailed as error:
            raise self._told(error, Blocked) from error
        return ""

    def read(self, item: Item) -> Raw:
        """A blob. Raises DocumentError, also for a pointer of Git LFS."""
        place = json.loads(item.locator)
        data = self._blobs.read(place["blob"])
        if len(data) <= LARGEST_POINTER and data.startswith(LFS):
            raise UnsupportedDocument(
                "it is a pointer to a file in Git LFS, whose content the repository does "
                "not hold; check it out "
                "(git lfs pull) and use the source `files`, or exclude it"
            )
        return Raw(
            data=data,
            metadata={key: place[key] for key in ("commit", "date", "author") if key in place},
        )

    def content_hash(self, item: Item) -> str | None:
        try:
            return content_hash_of(self.read(item))
        except DocumentError:
            return None  # `read` says why

    @property
    def _remote(self) -> bool:
        return bool(REMOTE.match(self.repository))

    @property
    def _git(self) -> Command:
        return self._mirror().git if self._remote else Command(self._folder(), seconds=self.timeout)

    @property
    def _blobs(self) -> trees.Blobs:
        if self._opened is None:
            self._opened = trees.Blobs(self._git)
        return self._opened

    def _mirror(self) -> Mirror:
        if self._memory is None:
            self._memory = Path(tempfile.mkdtemp(prefix="llmops-git-"))
            weakref.finalize(self, shutil.rmtree, self._memory, ignore_errors=True)
        return Mirror(Address.of(self.repository), self._memory, self.timeout)

    def _folder(self) -> Path:
        folder = Path(self.repository)
        if not folder.is_dir():
            raise Blocked(
                f"the repository {folder} is gone or no folder",
                hint="put it back, or change the source's path",
            )
        return folder

    def _commit(self) -> str:
        commit = trees.commit_of(self._git, "refs/llmops/wanted" if self._remote else self.ref)
        if commit is None:
            raise Blocked(
                f"the repository has no branch, tag or commit {self.ref!r}",
                hint="check `ref`; an empty repository has none",
            )
        return commit

    def _told(self, error: GitFailed, kind: type[LlmopsError]) -> LlmopsError:
        shown = discreet(Address.of(self.repository).url)
        if error.refused:
            return Unavailable(
                f"{shown} refuses the credentials, or wants some: {error}",
                hint="give them through the environment, https://${USER}:${TOKEN}@host/x.git, "
                "or use an ssh key",
            )
        if "dubious ownership" in str(error):
            return Unavailable(
                f"{shown} belongs to another user, so git does not read it",
                hint=f"if you trust it: git config --global --add safe.directory {shown}",
            )
        if error.absent:
            return kind(
                f"there is no git repository at {shown}: {error}",
                where="sources: git: repository",
                hint="check the spelling",
            )
        return Unavailable(
            f"git cannot read {shown}: {error}",
            hint="check the network, and the repository with git fsck",
        )


def _locator(blob: str, touch: trees.Touch | None) -> str:
    return json.dumps({"blob": blob, **(touch._asdict() if touch else {})})
