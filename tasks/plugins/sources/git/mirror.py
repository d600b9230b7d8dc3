"""A bare mirror of a remote repository: the wanted commit alone, or with its history."""

import re
import shutil
from pathlib import Path

from llmops.tasks.errors import Blocked
from llmops.tasks.plugins.sources.git.run import Address, GitCommand, GitFailed
from llmops.tasks.schemas import sha256

COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
WANTED = "refs/llmops/wanted"
BROKEN = re.compile(
    r"\.lock|corrupt|bad object|loose object|bad pack|index-pack|missing "
    r"(blob|tree|commit)|not a git repository"
)
TIDY = (
    "-c",
    "gc.autoDetach=false",
    "-c",
    "gc.autoPackLimit=20",
    "-c",
    "gc.pruneExpire=now",
    "-c",
    "gc.reflogExpire=now",
)


class Mirror:
    """The mirror of one address in a folder that may be deleted at any time. A broken one is made
    anew.
    """

    def __init__(self, address: Address, memory: Path, seconds: float) -> None:
        self._address, self._seconds = address, seconds
        self._folder = memory / f"{sha256(address.url)[:16]}.git"

    @property
    def git(self) -> GitCommand:
        return GitCommand(self._folder, self._address, self._seconds)

    def ask(self, ref: str) -> None:
        """Raise Blocked when the remote has no such branch or tag, GitFailed when it does not
        answer as wanted.
        """
        names = (
            GitCommand(None, self._address, self._seconds)
            .run("ls-remote", "--", self._address.url)
            .decode("utf-8", "replace")
            .splitlines()
        )
        known = {line.partition("\t")[2].removesuffix("^{}") for line in names}
        if not COMMIT.fullmatch(ref) and not known & {
            ref,
            f"refs/{ref}",
            f"refs/heads/{ref}",
            f"refs/tags/{ref}",
        }:
            raise self._no(ref)

    def fetch(self, ref: str, *, whole: bool) -> None:
        """Bring the commit of a ref here, with all its history where it is wanted. Raises Blocked,
        GitFailed.
        """
        try:
            self._fetch(ref, whole)
        except GitFailed as error:
            if not BROKEN.search(str(error)):
                raise
            shutil.rmtree(self._folder)
            self._fetch(ref, whole)

    def _fetch(self, ref: str, whole: bool) -> None:
        if not (self._folder / "HEAD").exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            GitCommand(None, None, self._seconds).run(
                "init", "--quiet", "--bare", "--template=", "--", str(self._folder)
            )
        shallow = (self._folder / "shallow").exists()
        depth = (["--unshallow"] if shallow else []) if whole else ["--depth=1"]
        words = [
            "fetch",
            "--quiet",
            "--force",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            *depth,
            "--",
        ]
        try:
            self.git.run(*TIDY, *words, self._address.url, f"+{ref}:{WANTED}")
        except GitFailed as error:
            if re.search("find remote ref|not our ref|unadvertised object", str(error)):
                raise self._no(ref) from error
            raise

    def _no(self, ref: str) -> Blocked:
        return Blocked(
            f"the remote repository has no branch, tag or commit {ref!r}",
            hint="check `ref`; a commit is named by all its digits, and the server must allow "
            "fetching it",
        )
