"""What a training has asked of a service, written down before and after each step: what a killed
one is taken up from.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.errors import Damaged

FILE = "job.json"
OVER = ("succeeded", "failed", "cancelled")
Ended = Literal["succeeded", "failed", "cancelled"]


class JobRecord(BaseModel):
    """`token`: in the names of its files and in the metadata of its job, so that both are found
    where a step was not written down. `sending`: the split whose file may have been sent; `files`:
    split -> id at the service; `asked`: a job may have been created; `job`: its id; `ended`: how.
    """

    model_config = ConfigDict(frozen=True)
    token: str
    sending: str | None = None
    files: dict[str, str] = Field(default_factory=dict)
    asked: bool = False
    job: str | None = None
    ended: Ended | None = None

    def changed(self, folder: Path, **changes: object) -> "JobRecord":
        """With these changes, which are on disk when it returns."""
        record = self.model_copy(update=changes)
        path, new = folder / FILE, folder / f"{FILE}.new"
        with new.open("w", encoding="utf-8") as file:
            file.write(record.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        return record


def read_record(folder: Path) -> JobRecord | None:
    """None before the first step. Raises Damaged."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return JobRecord.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Damaged(
            f"{path} cannot be read: {error!s:.200}",
            hint="look at the service whether a job runs; remove the file to begin a new one",
        ) from error
