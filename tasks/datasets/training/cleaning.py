"""What is done to rows before they are split: erased ones go, faults are told, personal data are
replaced, and what stands there twice or gives an evaluation away is left out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.datasets.training import contents
from llmops.tasks.datasets.training.checks import Fault, RowRules, faults
from llmops.tasks.datasets.training.conflicts import conflicts
from llmops.tasks.datasets.training.contamination import contaminated
from llmops.tasks.datasets.training.duplicates import duplicates
from llmops.tasks.datasets.training.erased import erased_among
from llmops.tasks.datasets.training.held_out import held_out
from llmops.tasks.datasets.training.lengths import counter_of, tokens_in
from llmops.tasks.datasets.training.quarantine import (
    RejectedRow,
    RejectedRows,
    write_rejected,
)
from llmops.tasks.datasets.training.row import Message, Row
from llmops.tasks.datasets.training.scrubbing import scrub
from llmops.tasks.datasets.training.shards import RowFiles, RowShard, write_shard
from llmops.tasks.datasets.training.spec import FinetuneSpec
from llmops.tasks.plugins.scrubbers import Scrubber
from llmops.tasks.texts.language import detect
from llmops.tasks.validation import validate

SHOWN = 5
"""Examples of what was left out that the card shows."""


class Checked(BaseModel):
    """A shard after a step that looks at each row by itself. `scrubbed`: rows in which something
    was replaced; `actions`: replacements by kind; `remarks`: rows that a lenient expectation speaks
    of.
    """

    model_config = ConfigDict(frozen=True)
    shard: RowShard
    rejected: RejectedRows = RejectedRows()
    scrubbed: int = 0
    actions: dict[str, int] = Field(default_factory=dict)
    remarks: dict[str, int] = Field(default_factory=dict)


class LeftOut(BaseModel):
    """What is left of rows; `counts`: those that were left out, by why."""

    model_config = ConfigDict(frozen=True)
    rows: RowFiles = RowFiles()
    counts: dict[str, int] = Field(default_factory=dict)
    examples: tuple[str, ...] = ()
    rejected: RejectedRows = RejectedRows()


def check_shard(spec: FinetuneSpec, shard: RowShard) -> Checked:
    """Reject the rows that may not be used, and those that a trainer would fail on or drop."""
    rows = list(shard.read())
    told: dict[int, RejectedRow] = {
        place: RejectedRow(id=rows[place].id, stage="erased", reasons=(why,))
        for place, why in erased_among(spec.home, rows).items()
    }
    rules, count = RowRules.model_validate(spec.rules), counter_of(spec.tokenizer)

    def tokens(messages: Sequence[Message], row: Row) -> int:
        said = [each.model_dump(mode="json") for each in messages]
        return tokens_in([said, list(row.tools)], count)

    for place, row in enumerate(rows):
        if place not in told and (wrong := faults(row, rules, tokens)):
            told[place] = rejected_for(row, wrong)
    failed, remarks = _expected(spec, rows, told)
    for place, said in failed.items():
        told[place] = RejectedRow(
            id=rows[place].id, stage="expectation", reasons=said, row=rows[place]
        )
    name = shard.path.with_suffix(".checked")
    kept = (row for place, row in enumerate(rows) if place not in told)
    return Checked(
        shard=write_shard(shard.path.with_name(f"checked-{shard.path.name}"), kept),
        rejected=write_rejected(name, (told[place] for place in sorted(told))),
        remarks=remarks,
    )


def rejected_for(row: Row, wrong: Sequence[Fault]) -> RejectedRow:
    """A row with what is wrong with it."""
    return RejectedRow(
        id=row.id,
        stage="check",
        reasons=tuple(each.message for each in wrong),
        kinds=tuple(each.kind for each in wrong),
        row=row,
    )


def _expected(
    spec: FinetuneSpec, rows: Sequence[Row], before: Mapping[int, object]
) -> tuple[dict[int, tuple[str, ...]], dict[str, int]]:
    """(what critical expectations say of rows, by place; how many rows milder ones speak of)."""
    if not spec.expectations or len(before) == len(rows):
        return {}, {}
    frame = frame_of(spec, rows).drop(index=list(before))
    failed: dict[int, tuple[str, ...]] = {}
    remarks = Counter[str]()
    for each in validate(frame, spec.expectations, "rows").failures:
        if each.severity == "critical":
            failed[int(each.row)] = (*failed.get(int(each.row), ()), each.expectation)
        else:
            remarks[each.expectation] += 1
    return failed, dict(remarks)


def frame_of(spec: FinetuneSpec, rows: Iterable[Row]) -> pd.DataFrame:
    """Rows as Great Expectations sees them: a line for each, with numbers and texts alone."""
    count = counter_of(spec.tokenizer)
    return pd.DataFrame([_columns(row, count) for row in rows])


def _columns(row: Row, count: Callable[[str], int]) -> dict[str, object]:
    answer = "\n".join(map(contents.text, contents.answers(row)[0]))
    question = contents.said(contents.prompt(row))
    return {
        "id": row.id,
        "group": row.group,
        "collector": str(row.lineage.get("collector", "")),
        "licence": row.lineage.get("licence"),
        "question": question,
        "answer": answer,
        "turns": len(row.messages),
        "tokens": tokens_in(row.model_dump(mode="json", include={"messages", "chosen"}), count),
        "question_characters": len(question),
        "answer_characters": len(answer),
        "language": detect(f"{question}\n{answer}"),
        "score": row.score,
        "pair": row.chosen is not None,
        "cut": row.cut,
    }


def left_consistent(spec: FinetuneSpec, rows: RowFiles) -> LeftOut:
    """The rows without those whose id another one has, and those that contradict each other."""
    found = {each.number: each for each in conflicts(rows.read())}
    rejected = write_rejected(
        spec.work / "conflicts.rejected",
        (
            rejected_for(row, [told.fault])
            for place, row in enumerate(rows.read())
            if (told := found.get(place))
        ),
    )
    left = without_places(rows, "consistent", sorted(found))
    return LeftOut(rows=left, rejected=rejected)


def scrub_shard(spec: FinetuneSpec, shard: RowShard) -> Checked:
    """Replace what the scrubber finds. A row in which it finds something still is rejected."""
    if spec.scrub is None:
        return Checked(shard=shard)
    scrubber = spec.scrub.build(Scrubber)
    done = [scrub(row, scrubber) for row in shard.read()]
    actions = Counter[str]()
    for each in done:
        actions.update(each.replaced)
    path = shard.path.with_name(f"scrubbed-{shard.path.name}")
    rejected = (
        RejectedRow(id=each.row.id, stage="scrub", reasons=(f"{', '.join(each.left)} is left",))
        for each in done
        if each.left
    )
    return Checked(
        shard=write_shard(path, (each.row for each in done if not each.left)),
        rejected=write_rejected(path.with_suffix(".rejected"), rejected),
        scrubbed=sum(bool(each.replaced) and not each.left for each in done),
        actions=dict(actions),
    )


def left_unique(spec: FinetuneSpec, rows: RowFiles) -> LeftOut:
    """The rows without those that say what another one says; the first of them stays."""
    if spec.dedup is None:
        return LeftOut(rows=rows)
    found = duplicates(rows.read(), spec.dedup.near)
    counts = Counter(each.kind for each in found)
    examples = tuple(
        f"{each.id} says what {each.of} says ({each.kind}, {each.similarity:.2f})"
        for each in found[:SHOWN]
    )
    left = without_places(rows, "unique", [each.number for each in found])
    return LeftOut(rows=left, counts=dict(counts), examples=examples)


def left_clean(spec: FinetuneSpec, rows: RowFiles) -> LeftOut:
    """The rows without those that give away what models are judged by."""
    against = spec.decontaminate.against
    if not against:
        return LeftOut(rows=rows)
    held = held_out([spec.folder / each for each in against])
    numbers, counts, examples = list[int](), Counter[str](), list[str]()
    for each in contaminated(rows.read(), held, spec.decontaminate.ngram):
        numbers.append(each.number)
        counts[f"{each.held.file}: {each.how}"] += 1
        if len(examples) < SHOWN:
            examples.append(f"{each.id}: {each}")
    left = without_places(rows, "clean", numbers)
    return LeftOut(rows=left, counts=dict(sorted(counts.items())), examples=tuple(examples))


def without_places(files: RowFiles, name: str, places: Iterable[int]) -> RowFiles:
    """The rows but those at these places, ascending, counted from 0 over all shards."""
    gone = iter(places)
    following = next(gone, None)
    start, left = 0, list[RowShard]()
    for shard in files.shards:
        mine = set[int]()
        while following is not None and following < start + shard.rows:
            mine.add(following - start)
            following = next(gone, None)
        if mine:
            kept = (row for place, row in enumerate(shard.read()) if place not in mine)
            shard_left = write_shard(shard.path.with_name(f"{name}-{shard.path.name}"), kept)
        else:
            shard_left = shard
        start += shard.rows
        if shard_left.rows:
            left.append(shard_left)
    return RowFiles(shards=tuple(left))
