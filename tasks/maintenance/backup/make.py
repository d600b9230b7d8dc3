"""Making a backup."""

import secrets
import stat
import time
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llmops.tasks import progress
from llmops.tasks.errors import UsageError
from llmops.tasks.lake import Folder, lake_of
from llmops.tasks.maintenance.backup.homes import id_of
from llmops.tasks.maintenance.backup.sets import SCHEMA, BackupFile, BackupSet
from llmops.tasks.maintenance.backup.staging import staged
from llmops.tasks.maintenance.backup.vault import Vault, trouble_of
from llmops.tasks.maintenance.portable import digest_of


class BackupMade(BaseModel):
    """The object of `llmops backup`. `new_files`, `new_bytes`: what earlier backups there did not
    have; `removed`: sets that were too old to be kept.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    place: str
    home: str
    files: int
    bytes: int
    new_files: int
    new_bytes: int
    knowledge_bases: dict[str, int | None]
    left_out: tuple[str, ...]
    problems: tuple[str, ...]
    removed: tuple[str, ...]
    seconds: float


def backup(home: Path, place: str, keep: int | None = None) -> BackupMade:
    """Copy what the home is, whatever goes on in it, to a folder or URL. `keep`: forget all but so
    many sets of this home afterwards; of a damaged one none, since older ones may be better.
    Raises UsageError, Unavailable, Damaged; then no backup was added.
    """
    began, vault = time.perf_counter(), Vault(place)
    _refuse_inside(home, vault)
    try:
        with staged(home) as copy:
            mine = id_of(home)
            files, new = _stored(vault, copy.folder)
            now = datetime.now(UTC)
            made = BackupSet(
                schema_version=SCHEMA,
                id=f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{secrets.token_hex(3)}",
                created_at=now,
                release=installed("llmops-pipelines"),
                home=str(home.resolve()),
                home_id=mine,
                ledger=copy.revision,
                knowledge_bases=copy.live,
                files=tuple(files),
                left_out=copy.left_out,
                problems=copy.problems,
            )
        vault.write(made)
        prunes = keep is not None and not made.problems
        removed = vault.prune(keep or 1, home, mine) if prunes else []
    except OSError as error:
        raise trouble_of(error) from error
    return BackupMade(
        id=made.id,
        place=vault.where(),
        home=made.home,
        files=len(made.files),
        bytes=made.size,
        new_files=len(new),
        new_bytes=sum(new.values()),
        knowledge_bases=made.knowledge_bases,
        left_out=made.left_out,
        problems=made.problems,
        removed=tuple(removed),
        seconds=round(time.perf_counter() - began, 2),
    )


def _stored(vault: Vault, folder: Path) -> tuple[list[BackupFile], dict[str, int]]:
    """The files of a copy, all of them in the vault, and hash -> bytes of those that are new."""
    there, new = vault.reusable(), dict[str, int]()
    files, taken = list[BackupFile](), dict[str, Path]()
    paths = sorted(each for each in folder.rglob("*") if each.is_file())
    for path in progress.each(paths, "copy", len(paths), "files"):
        digest, size = digest_of(path)
        if there.get(digest) != size:
            vault.put(path, digest)
            there[digest] = new[digest] = size
        taken[digest] = path
        told = path.relative_to(folder).as_posix()
        mode = stat.S_IMODE(path.stat().st_mode) & 0o777
        files.append(BackupFile(path=told, sha256=digest, bytes=size, mode=mode))
    for digest in taken.keys() - vault.objects():  # another one's --keep was quicker
        vault.put(taken[digest], digest)
    return files, new


def _refuse_inside(home: Path, vault: Vault) -> None:
    """A backup in the home would go with it, and each would be in the next one."""
    lake = lake_of(home)
    mine = [home.resolve(), *([lake.root.resolve()] if isinstance(lake, Folder) else [])]
    for folder in mine:
        if isinstance(vault.storage, Folder) and vault.storage.root.resolve().is_relative_to(
            folder
        ):
            raise UsageError(
                f"the backup would lie inside what it copies: {vault.where()} is in {folder}",
                hint="name a folder elsewhere, best on another disk, or a URL",
            )
