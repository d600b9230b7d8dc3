"""A run of the finetune flow, step by step, without Prefect."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmops.configs import read_mapping
from llmops.configs.finetune import FinetuneConfig
from llmops.tasks.datasets.training import cleaning, collecting, exporting, sides
from llmops.tasks.datasets.training.publishing import PublishedDataset, one_at_a_time
from llmops.tasks.datasets.training.spec import FinetuneSpec
from llmops.tasks.datasets.training.steps import FinetuneSteps, finished, rows_in

Line = Mapping[str, Any]


def line(number: int, answer: str | None = None, **more: Any) -> Line:
    """A row on a subject of its own, good for training."""
    said = answer or f"Answer {number} speaks of item {number * 7919} in room {number * 104729}."
    return {
        "id": f"r{number}",
        "messages": [
            {"role": "user", "content": f"What is known of number {number * 7919}?"},
            {"role": "assistant", "content": said},
        ],
        "group": f"g{number}",
        "score": 1.0,
        **more,
    }


def pair_line(number: int) -> Line:
    asked = line(number)["messages"][:1]
    better, worse = (
        [{"role": "assistant", "content": f"{word} {number * 31} {number * 7919}."}]
        for word in ("Certainly it is", "Nobody has ever heard of")
    )
    return {
        "id": f"p{number}",
        "messages": asked,
        "chosen": better,
        "rejected": worse,
        "group": f"g{number}",
    }


def spec_of(home: Path, folder: Path, lines: Sequence[Line], **config: Any) -> FinetuneSpec:
    """The spec of a config with one file of rows."""
    text = "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in lines)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8", newline="\n")
    given = {
        "name": "helpdesk",
        "collect": [{"name": "jsonl", "path": "rows.jsonl"}],
        "scrub": None,
        "folder": str(folder),
        **config,
    }
    return read_mapping(given, FinetuneConfig).finetune_spec(home, "run-1")


def prepared(spec: FinetuneSpec) -> FinetuneSteps:
    """All steps until what is left may be split."""
    steps = FinetuneSteps(parts=collecting.parts_of(spec))
    steps.collected = [collecting.collect_part(spec, part) for part in steps.parts]
    shards = [shard for each in steps.collected for shard in each.shards]
    steps.checked = [cleaning.check_shard(spec, shard) for shard in shards]
    steps.consistent = cleaning.left_consistent(spec, rows_in(steps.checked))
    left = steps.consistent.rows.shards
    steps.scrubbed = [cleaning.scrub_shard(spec, shard) for shard in left]
    steps.unique = cleaning.left_unique(spec, rows_in(steps.scrubbed))
    steps.clean = cleaning.left_clean(spec, steps.unique.rows)
    steps.must_have_rows()
    return steps


def built(spec: FinetuneSpec) -> tuple[FinetuneSteps, PublishedDataset]:
    """A whole run."""
    with one_at_a_time(spec):
        steps = prepared(spec)
        steps.split = sides.split_rows(spec, steps.clean.rows)
        sides.prove(spec, steps.split)
        steps.exported = [exporting.export(spec, each, steps.split) for each in spec.export]
        steps.published = finished(spec, steps)
    return steps, steps.published


def records(folder: Path, name: str) -> list[Any]:
    """The records of a format, of all sides."""
    files = sorted((folder / name).glob("*.jsonl"))
    return [json.loads(each) for file in files for each in file.read_bytes().split(b"\n") if each]
