"""Making a backup."""

import secrets
import time
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path

from pydantic import BaseModel, ConfigDict

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
    many sets afterwards. Raises UsageError, Unavailable, Damaged; then no backup was added.
    """
    began, vault = time.perf_counter(), Vault(place)
    there, new = vault.objects(), dict[str, int]()
    try:
        with staged(home) as copy:
            files = []
            for path in sorted(each for each in copy.folder.rglob("*") if each.is_file()):
                digest, size = digest_of(path)
                if there.get(digest) != size:
                    vault.put(path, digest)
                    there[digest] = new[digest] = size
                told = path.relative_to(copy.folder).as_posix()
                files.append(BackupFile(path=told, sha256=digest, bytes=size))
            now = datetime.now(UTC)
            made = BackupSet(
                schema_version=SCHEMA,
                id=f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{secrets.token_hex(3)}",
                created_at=now,
                release=installed("llmops-pipelines"),
                home=str(home.resolve()),
                ledger=copy.revision,
                knowledge_bases=copy.live,
                files=tuple(files),
                left_out=copy.left_out,
                problems=copy.problems,
            )
        vault.write(made)
    except OSError as error:
        raise trouble_of(error) from error
    removed = vault.prune(keep) if keep is not None else []
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
