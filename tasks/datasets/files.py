"""Files of rows as projections of the ledger: written whole, only where their bytes change, and
never over what somebody else has written.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from llmops.tasks.errors import Unavailable
from llmops.tasks.lake import write_atomically
from llmops.tasks.ledger import now, open_ledger, upsert
from llmops.tasks.ledger.review import written_files
from llmops.tasks.rows import Row
from llmops.tasks.schemas import sha256

Kind = Literal["golden", "cases", "rows"]


class ProjectedFile(BaseModel):
    """A file that is made of what people said; `queue`: whose reviews."""

    model_config = ConfigDict(frozen=True)
    path: Path
    kind: Kind
    app: str
    queue: str


class WrittenFile(BaseModel):
    """What became of a file. `edited`: what stands there is not what was written last, so it was
    left alone, and `hint` says how to go on.
    """

    model_config = ConfigDict(frozen=True)
    kind: Kind
    path: str
    status: Literal["written", "unchanged", "edited"]
    rows: int
    sha256: str
    hint: str = ""


def content_of(rows: Iterable[BaseModel]) -> bytes:
    """JSON lines in the order of their ids; what is not said is left out."""
    lines = sorted(json.dumps(_said(row), ensure_ascii=False) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def _said(row: BaseModel) -> dict[str, object]:
    return row.model_dump(mode="json", exclude_none=True, exclude_defaults=isinstance(row, Row))


def write(home: Path, file: ProjectedFile, rows: Iterable[BaseModel]) -> WrittenFile:
    """Bring the file to what its rows say, and register it. Raises Unavailable where it cannot be
    read or written.
    """
    content = content_of(rows)
    path = file.path.absolute()
    said = {
        "kind": file.kind,
        "path": str(path),
        "rows": content.count(b"\n"),
        "sha256": sha256(content),
    }
    there = _there(path)
    known = _registered(home, path)
    empty = there == b"" and known is None  # as a new project has it
    if there is not None and there != content and sha256(there) != known and not empty:
        why = "was changed by somebody else" if known else "was not written by this flow"
        return WrittenFile(
            **said | {"rows": there.count(b"\n"), "sha256": sha256(there), "status": "edited"},
            hint=f"{path} {why}, and was left as it is: keep your lines in a file of your own, "
            "which gates and evaluations can name beside this one, and remove this one",
        )
    if there == content and sha256(content) == known:
        return WrittenFile(**said, status="unchanged")
    if there != content:
        _write(path, content)
    _register(home, file, path, content)
    return WrittenFile(**said, status="unchanged" if there == content else "written")


def _there(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from error


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"the file cannot be written: {error.strerror or error}",
        where=str(path),
        hint="make its folder writable, or name another place with `write`",
    )


def _registered(home: Path, path: Path) -> str | None:
    query = select(written_files.c.sha256).where(written_files.c.path == str(path))
    with open_ledger(home).read() as connection:
        return connection.scalar(query)


def _register(home: Path, file: ProjectedFile, path: Path, content: bytes) -> None:
    row = {
        "path": str(path),
        "app": file.app,
        "queue": file.queue,
        "kind": file.kind,
        "sha256": sha256(content),
        "rows": content.count(b"\n"),
        "written_at": now(),
    }
    with open_ledger(home).write() as connection:
        upsert(connection, written_files, [row])
