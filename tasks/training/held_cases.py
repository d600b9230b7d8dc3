"""The cases of a gate that a model has not been trained on: what a row of its data set gives away
is left out.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from llmops.tasks.datasets.training.contamination import contaminated
from llmops.tasks.datasets.training.held_out import held_out
from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.trainers import TrainingData
from llmops.tasks.rows import Row, RowMessage
from llmops.tasks.schemas import sha256

SPLITS = ("train", "validation")
ROLES = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
    "tool": "tool",
    "human": "user",
    "gpt": "assistant",
    "observation": "tool",
    "tools": "tool",
    "function_call": "assistant",
}
NAMED = 5


class HeldCases(NamedTuple):
    """`files`: with the cases that may decide; `excluded`: ids of those that may not."""

    files: tuple[Path, ...]
    excluded: tuple[str, ...]

    @property
    def warning(self) -> str:
        """What was left out; empty where nothing was."""
        if not self.excluded:
            return ""
        some = ", ".join(self.excluded[:NAMED])
        more = f" and {len(self.excluded) - NAMED} more" if len(self.excluded) > NAMED else ""
        count = len(self.excluded)
        cases = "1 case of the gate is" if count == 1 else f"{count} cases of the gate are"
        return (
            f"{cases} left out, as rows of the data set hold their texts: {some}{more}; name their "
            "file under decontaminate.against"
        )


def held_cases(data: TrainingData, files: Sequence[Path], folder: Path) -> HeldCases:
    """The cases of files without those that overlap with rows that are trained on or chosen by.
    Where some do, the others are written into a file of `folder`. Raises UsageError where none is
    left.
    """
    held = held_out(files)
    ids = {each.id for each in held}
    known: set[str] = set()
    while found := {one.held.id for one in contaminated(_rows(data), held)}:
        known |= found
        held = [each for each in held if each.id not in known]
    if not known:
        return HeldCases(tuple(files), ())
    if known == ids:
        raise UsageError(
            f"each of the {len(ids)} cases of the gate stands in rows of {data.name}: a model that "
            "learnt them by heart would pass",
            where="train.gate.cases",
            hint="name their file under decontaminate.against and make the data set again, or "
            "take cases that nobody trained on",
        )
    lines = [line for file in files for line in _lines(file) if _id(line) not in known]
    text = "\n".join(lines) + "\n"
    path = folder / f"gate-cases-{sha256(text)[:12]}.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return HeldCases((path,), tuple(sorted(known)))


def _rows(data: TrainingData) -> Iterator[Row]:
    """What the files of a format say, whatever the format: texts with their roles."""
    for path in data.beside.values():
        if path.suffix == ".jsonl" and path.name.startswith(SPLITS):
            with path.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines):
                    said = tuple(_messages(json.loads(line)))
                    yield Row(id=f"{path.name}:{number}", messages=said, group=str(number))


def _messages(value: object, role: str = "user") -> Iterator[RowMessage]:
    if isinstance(value, str):
        yield RowMessage.model_validate({"role": role, "content": value})
    elif isinstance(value, Mapping):
        named = value.get("role", value.get("from"))
        inner = ROLES.get(named, role) if isinstance(named, str) else role
        for key, each in value.items():
            if key not in ("role", "from"):
                yield from _messages(each, ROLES.get(key, inner))
    elif isinstance(value, list):
        for each in value:
            yield from _messages(each, role)


def _lines(file: Path) -> list[str]:
    """As a file of JSON lines has them: a text may hold other ends of lines."""
    with file.open(encoding="utf-8-sig") as lines:
        return [line.rstrip("\n") for line in lines if line.strip()]


def _id(line: str) -> str:
    return str(json.loads(line).get("id"))
