"""The token cache: every row looked at once, before training; what is left out is counted and
listed.
"""

import inspect
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from llmops.tasks.errors import LlmopsError, UsageError
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.trainers.trl.conversations import (
    ChatTokens,
    Learnt,
    Record,
    learnt,
    messages,
    parts,
)
from llmops.tasks.schemas import sha256

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import SFTTrainer

REVISION = "1"
BATCH = 500
IDS = pa.list_(pa.int32())
SCHEMAS = {
    "trl_sft": pa.schema({"input_ids": IDS, "labels": IDS}),
    "trl_dpo": pa.schema({"prompt_ids": IDS, "chosen_ids": IDS, "rejected_ids": IDS}),
    "trl_kto": pa.schema({"prompt_ids": IDS, "completion_ids": IDS, "label": pa.bool_()}),
}
FAULTS = {
    "over_long": "longer than {most:,} tokens",
    "no_answer": "without an answer to learn",
    "no_end": "whose answer does not end with a token at which the model stops",
}


@dataclass
class TokenCounts:
    """Of a split. `rows`: of its file; `kept`: rows that are trained on, parts of one each counted;
    `split`: rows that were parted; the names of `FAULTS`: what is left out. `prompt_differs`: rows
    whose prompt the template ends in another way where no answer follows; `template_differs`:
    where the template with marks says something else than the model's own.
    """

    rows: int = 0
    kept: int = 0
    trained: int = 0
    tokens: int = 0
    longest: int = 0
    split: int = 0
    over_long: int = 0
    no_answer: int = 0
    no_end: int = 0
    prompt_differs: int = 0
    template_differs: int = 0
    left_out: list[tuple[int, str, int]] = field(default_factory=list)
    """(line, fault, tokens)."""

    def figures(self, split: str) -> dict[str, float]:
        said = ("rows", "kept", "trained", "longest", "split", *FAULTS)
        names = {"kept": "rows_trained_on", "trained": "trained_tokens", "longest": "longest_row"}
        return {f"{split}_{names.get(each, each)}": float(getattr(self, each)) for each in said}

    def warnings(self, split: str, most: int) -> Iterator[str]:
        for name, words in FAULTS.items():
            if count := getattr(self, name):
                yield f"{split}: {count:,} of {self.rows:,} rows left out {words.format(most=most)}"
        if self.split:
            yield f"{split}: {self.split:,} rows longer than {most:,} tokens parted between turns"
        if self.prompt_differs:
            yield (
                f"{split}: of {self.prompt_differs:,} rows the chat template ends the prompt in "
                "another way where an answer follows; what differs is not learnt"
            )
        if self.template_differs:
            yield (
                f"{split}: {self.template_differs:,} rows read otherwise under the template with "
                "marks than under the model's own, by which it is served"
            )


@dataclass(frozen=True)
class TokenCache:
    """Where the tokens of a training lie, and by what rules they came about."""

    folder: Path
    chat: ChatTokens
    format_name: str
    most: int
    parted: bool
    collator: type

    def key(self, sha: str) -> str:
        """Of the file, and of all that its tokens and masks depend on."""
        backend = getattr(self.chat.tokenizer, "backend_tokenizer", None)
        tokenizer = backend.to_str() if backend else str(self.chat.tokenizer.get_vocab())
        return digest(
            *(REVISION, sha, self.format_name, str(self.most), str(self.parted)),
            *(self.chat.template, self.chat.marked or "", str(sorted(self.chat.ends))),
            *(sha256(tokenizer), inspect.getsource(self.collator)),
            *(version("trl"), version("transformers")),
        )

    def of(self, path: Path, split: str, sha: str) -> tuple["Dataset", TokenCounts]:
        """The tokens of a file, and what was left out of it."""
        from datasets import Dataset

        name = f"{split}-{self.key(sha)}"
        tokens, told = self.folder / f"{name}.arrow", self.folder / f"{name}.json"
        if not told.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            counts = self._write(path, tokens)
            write_json(told, asdict(counts))
        counts = TokenCounts(**json.loads(told.read_text(encoding="utf-8")))
        return Dataset.from_file(str(tokens)), counts

    def _write(self, path: Path, target: Path) -> TokenCounts:
        counts, schema = TokenCounts(), SCHEMAS[self.format_name]
        part = target.with_suffix(".part")
        with part.open("wb") as file, pa.ipc.new_stream(file, schema) as stream:
            batch: list[dict[str, list[int] | bool]] = []
            for row in self._rows(path, counts):
                batch.append(row.columns)
                if len(batch) == BATCH:
                    stream.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
                    batch = []
            if batch:
                stream.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
        part.replace(target)
        return counts

    def _rows(self, path: Path, counts: TokenCounts) -> Iterator[Learnt]:
        """What is learnt of the lines of a file."""
        with path.open(encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                counts.rows += 1
                yield from self._of(json.loads(line), number, counts)

    def _of(self, record: Record, number: int, counts: TokenCounts) -> Iterator[Learnt]:
        whole = learnt(record, self.chat)
        found: Iterable[Learnt] = [whole]
        if self.parted and whole.length > self.most:
            found = [learnt(each, self.chat) for each in parts(record, self.chat, self.most)]
            counts.split += len(found) > 0
            found = found or [whole]
        for row in found:
            if fault := self.chat.fault(row, self.most):
                setattr(counts, fault, getattr(counts, fault) + 1)
                counts.left_out.append((number, fault, row.length))
                continue
            counts.kept += 1
            counts.trained += row.trained
            counts.tokens += row.length
            counts.longest = max(counts.longest, row.length)
            counts.prompt_differs += row.prompt_differs
            counts.template_differs += self._reads_otherwise(record, row, whole)
            yield row

    def _reads_otherwise(self, record: Record, row: Learnt, whole: Learnt) -> bool:
        if row is not whole or "messages" not in record:
            return False
        own = self.chat.ids(messages(record, "messages"), record.get("tools"))
        return own != row.columns["input_ids"]


def write_json(path: Path, value: object) -> None:
    """Whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(path)


def must_learn(counts: TokenCounts, cache: TokenCache, path: Path) -> None:
    """Raises UsageError where all rows are left out."""
    if counts.kept:
        return
    found = {name: getattr(counts, name) for name in FAULTS}
    said = [f"{n:,} {FAULTS[name].format(most=cache.most)}" for name, n in found.items() if n]
    known = cache.chat.tokenizer.convert_ids_to_tokens(sorted(cache.chat.ends))
    hint = "raise max_tokens" if counts.over_long else ""
    if counts.no_end:
        hint = (
            f"the model stops at {', '.join(map(str, known))}: the chat template must end an "
            "answer with one of them, or eos_token_id in generation_config.json name the one that "
            "ends it"
        )
    raise UsageError(
        f"no row of {path} can be learnt: {'; '.join(said) or 'it is empty'}", hint=hint
    )


def prove(trainer: "SFTTrainer", data: "Dataset", counts: TokenCounts, chat: ChatTokens) -> None:
    """Puts every row through the trainer's own collator. Raises LlmopsError where one has no
    trained token or no trained end, or where it trains on other tokens than were counted.
    """
    trained = 0
    columns = [each for each in data.column_names if not each.startswith("KL_")]
    for start in range(0, len(data), BATCH):
        rows = data.select(range(start, min(start + BATCH, len(data)))).select_columns(columns)
        batch = trainer.data_collator(rows.to_list())
        labels = batch.get("labels")
        masks = batch["completion_mask"].bool() if labels is None else labels != -100
        for tokens, mask in zip(batch["input_ids"], masks, strict=True):
            learns = tokens[mask].tolist()
            trained += len(learns)
            if not chat.speaks(learns) or not chat.ended(learns):
                raise LlmopsError(
                    "the trainer's collator leaves a row without a trained answer or end",
                    hint="this is a bug: please report it with the versions of trl and "
                    "transformers",
                )
    if trained != counts.trained:
        raise LlmopsError(
            f"the trainer's collator trains on {trained:,} tokens, {counts.trained:,} were counted",
            hint="this is a bug: please report it with the versions of trl and transformers",
        )
