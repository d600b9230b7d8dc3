"""What a run of the finetune flow was asked for, and the folder that it works in: references alone,
safe to pass between tasks.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.schemas import sha256
from llmops.tasks.validation import Expectation

FileFormat = Literal["jsonl", "parquet"]
Share = Annotated[float, Field(ge=0, le=0.5)]


class DedupRules(BaseModel):
    """`near`: the least similarity (Jaccard, of shingles) of rows of which one is enough; None:
    only equal ones go.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    near: float | None = Field(default=0.85, ge=0.5, le=1)


class DecontaminationRules(BaseModel):
    """`against`: golden sets and cases that no row may give away; `ngram`: so many words in a row
    that are in both are enough.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    against: tuple[Path, ...] = ()
    ngram: int = Field(default=13, ge=3, le=50)


class SplitRules(BaseModel):
    """Shares of the rows; a group is never parted."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    by: Literal["group"] = "group"
    validation: Share = 0.1
    test: Share = 0.1
    seed: int = 7


class FinetuneSpec(BaseModel):
    """`config_sha256`: of all that decides what comes out; `expectations`: on rows, beside what is
    always checked.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)
    name: str
    home: Path
    folder: Path
    run_id: str
    config_sha256: str
    collect: tuple[Spec, ...]
    scrub: Spec | None
    dedup: DedupRules | None
    decontaminate: DecontaminationRules
    split: SplitRules
    export: tuple[Spec, ...]
    files: tuple[FileFormat, ...] = ("jsonl",)
    rules: dict[str, Any] = Field(default_factory=dict)
    expectations: tuple[Expectation, ...] = ()
    tokenizer: str = "cautious"
    prices: Path
    budget_usd: float | None = None
    budget_calls: int | None = None

    @property
    def datasets(self) -> Path:
        """Where the versions of this data set are."""
        return datasets_of(self.home) / self.name

    @property
    def work(self) -> Path:
        """What the run writes before anything is published; it goes when the run ends."""
        digest = hashlib.sha256(self.run_id.encode()).hexdigest()[:12]
        return self.datasets / f".run-{digest}"

    def clear(self) -> None:
        """Remove what this run, and runs that died, have left."""
        for left in (*self.datasets.glob(".run-*"), *self.datasets.glob(".v*.partial")):
            shutil.rmtree(left, ignore_errors=True)


def datasets_of(home: Path) -> Path:
    return home / "datasets"


def recipe(content: object) -> str:
    """The hash of all that decides what comes out of equal rows."""
    return sha256(canonical(content))
