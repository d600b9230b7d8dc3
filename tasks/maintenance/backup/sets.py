"""What a backup holds. A set is one JSON file; its files lie beside it by their hashes, so that
what two sets have in common is kept once.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from llmops.tasks.errors import Damaged
from llmops.tasks.schemas import sha256

SCHEMA = 2
"""2: modes of files, and the id of the home; what 1 wrote can be read."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BackupFile(BaseModel):
    """A file of the home: `path` relative to it; `mode`: who may read and write it, as 0o600; None
    where that was not written down.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: str
    sha256: Digest
    bytes: int = Field(ge=0)
    mode: int | None = Field(default=None, ge=0, le=0o777)

    @field_validator("path")
    @classmethod
    def _inside(cls, value: str) -> str:
        parts = PurePosixPath(value).parts
        plain = PurePosixPath(value).as_posix() == value and "\\" not in value and "\0" not in value
        if not plain or not parts or value[0] in "/." or ".." in parts:
            raise ValueError("a path inside the home is wanted")
        return value


class BackupSet(BaseModel):
    """A home as it was at one moment. `home`: where it lay, and what paths in MLflow's store begin
    with; `home_id`: tells it from others that keep their backups at the same place, "" in sets of
    earlier releases; `ledger`: the revision of its tables; `knowledge_bases`: which version was
    live; `left_out`: what is not in it, and how it is had again; `problems`: what was damaged in
    the home already.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal["llmops-backup"] = "llmops-backup"
    schema_version: int = Field(ge=1)
    id: str = Field(pattern=r"^\d{8}T\d{9}Z-[0-9a-f]{6}$")
    created_at: datetime
    release: str
    home: str
    home_id: str = ""
    ledger: str
    knowledge_bases: dict[str, int | None]
    files: tuple[BackupFile, ...]
    left_out: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _home(self) -> "BackupSet":
        paths = {file.path for file in self.files}
        above = {str(up) for path in paths for up in PurePosixPath(path).parents}
        if len(paths) < len(self.files) or paths & above or "ledger.db" not in paths:
            raise ValueError("files of a home are wanted: each once, with a ledger")
        return self

    def of(self, home: Path, home_id: str) -> bool:
        """Whether it is of this home; a set without an id is of the home that lay there."""
        return self.home_id == home_id if self.home_id else self.home == str(home.resolve())

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(file.bytes for file in self.files)

    def written(self) -> bytes:
        """The file of the set, with a hash of all that it says."""
        content = self.model_dump(mode="json")
        return _canonical({"sha256": sha256(_canonical(content)), "set": content})


def read_set(content: bytes, where: str) -> BackupSet:
    """Raises Damaged where it is not what was written."""
    try:
        told = json.loads(content)
        if told["set"]["schema_version"] > SCHEMA:
            raise Damaged(
                f"{where} was written by a newer version of llmops", hint="upgrade llmops-pipelines"
            )
        if sha256(_canonical(told["set"])) == told["sha256"]:
            return BackupSet.model_validate(told["set"])
        why = "it does not say what was written"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        why = f"it cannot be read ({first})"
    raise Damaged(
        f"the backup is damaged: {why}", where=where, hint="restore another one: --list shows them"
    )


def _canonical(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, indent=1).encode()
