"""Running git: no prompts, no hooks, no surprises from the environment, a time limit, and no secret
in an argument or a message.

The program, not a library: it knows the ssh configuration, credential helpers and proxies of
whoever runs it.
"""

import base64
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from llmops.tasks.errors import Blocked, Unavailable
from llmops.tasks.plugins.sources._plain import discreet
from llmops.tasks.schemas import sha256

KEPT = re.compile(r"GIT_(SSH|SSL|HTTP|PROXY)|GIT_CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)$|GIT_EXEC_PATH$")
"""What may reach git of the caller's environment: nothing that names a repository, as within a
hook.
"""
QUIET = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
}
SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "log.showSignature=false",
    "credential.interactive=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
)
REFUSED = re.compile(
    r"Authentication failed|could not read (Username|Password)|Permission denied|terminal "
    r"prompts disabled|"
    r"Access denied|error: 40[13]",
    re.I,
)
ABSENT = re.compile(
    r"not a git repository|does not appear to be a git|repository '.*' not "
    r"found|Repository not found|does not exist|"
    r"No such file|error: 404",
    re.I,
)
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


class GitFailed(Exception):
    """git ended with an error; the message holds no secret."""

    @property
    def absent(self) -> bool:
        """Whether there is no repository."""
        return bool(ABSENT.search(str(self)))

    @property
    def refused(self) -> bool:
        """Whether the credentials do not serve."""
        return bool(REFUSED.search(str(self)))


class Address(NamedTuple):
    """A remote repository's URL without its credentials, which only the environment of git
    holds.
    """

    url: str
    user: str = ""
    password: str = ""

    @classmethod
    def of(cls, repository: str) -> "Address":
        parts = urlsplit(repository)
        if parts.scheme not in ("http", "https") or "@" not in parts.netloc:
            return cls(repository)
        login, _, host = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        return cls(urlunsplit(parts._replace(netloc=host)), unquote(user), unquote(password))

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make git send the credentials to this host alone."""
        if not self.user and not self.password:
            return {}
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        parts = urlsplit(self.url)
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{parts.scheme}://{parts.netloc}/.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
        }


class GitCommand:
    """git in one repository. `repository` is a folder with a work tree or a bare one; None: in
    none.
    """

    def __init__(
        self, repository: Path | None, address: Address | None = None, seconds: float = 600
    ) -> None:
        self._seconds, self._address = seconds, address
        self._words = [executable(), *(word for one in SETTINGS for word in ("-c", one))]
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or KEPT.match(name)
        }
        self._environment = {**kept, **QUIET, **(address.environment if address else {})}
        self._environment.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=30")
        if repository is not None:  # a folder within another repository is none itself
            self._environment["GIT_CEILING_DIRECTORIES"] = str(repository.resolve().parent)
            self._words += ["-C", str(repository)]

    def run(self, *words: str) -> bytes:
        """What a command prints. Raises GitFailed, Unavailable past the time limit."""
        with self.open(*words) as process:
            try:
                out, errors = process.communicate(timeout=self._seconds)
            except subprocess.TimeoutExpired as error:
                raise Unavailable(
                    f"git {words[0]} took more than {self._seconds:g} seconds",
                    hint="raise `timeout` of the source, or look at the network",
                ) from error
        if process.returncode:
            raise self.failed(errors)
        return out

    def failed(self, errors: bytes) -> GitFailed:
        secrets = (self._address.password, self._address.user) if self._address else ()
        return GitFailed(
            discreet(
                re.sub(r"\b(fatal|error): ", "", errors.decode("utf-8", "replace").strip()), secrets
            )
        )

    @contextmanager
    def open(self, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A running command, ended with all its children when the block ends."""
        process = self.start(*words, errors=subprocess.PIPE)
        try:
            yield process
        finally:
            stop(process)

    def start(
        self, *words: str, errors: int | IO[bytes] = subprocess.DEVNULL
    ) -> "subprocess.Popen[bytes]":
        """A command with pipes, in a process group of its own, for the caller to `stop`."""
        return subprocess.Popen(
            [*self._words, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=self._environment,
            start_new_session=True,
        )


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a command and its children, and close its pipes."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None and not pipe.closed:
            with suppress(BrokenPipeError):  # what it had still to be told went with it
                pipe.close()
    process.wait()


def executable() -> str:
    """The path of git. Raises Unavailable."""
    git = shutil.which("git")
    if git is None:
        raise Unavailable(
            "git is not installed, or not on the path",
            hint="install it: apt-get install git, brew install git",
        )
    return git


def fields(data: bytes) -> Sequence[bytes]:
    """The fields of output that ends each with a zero byte."""
    return data.rstrip(b"\0").split(b"\0") if data else []


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
