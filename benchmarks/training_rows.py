"""What cleaning and splitting training rows costs and finds: CPU seconds and peak memory per step,
near-duplicates beside the library alone, and personal data on public sentences.

    python -m benchmarks.training_rows [--rows 200000] [--steps duplicates "rensa alone"]

The rows are made up: a question of 15 words, an answer of 60, drawn from the words of Python's help
topics as often as they stand there, in groups of four; 5 % near-duplicates (a word of the answer
changed), 1 % equal but for case, 1 % equal; one in twenty with an address and a card; 500 with a
held-out question of 20 words.
Each step is a process of its own that reads the rows from a file. CPU is that of the process with
its threads, which other work beside changes little. The library alone (rensa) is given the same
shingles, runs of three words, made by `str.split` and `str.join`, and asked which rows share a
band. With `LLMOPS_BENCH_DATA`, recall and precision of the scrubber `patterns` on presidio-research
(the half that no pattern was written on).
"""

import argparse
import json
import multiprocessing
import os
import random
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from benchmarks.cleaners import COVERED, NAMES, common
from benchmarks.command import data_folder
from llmops.tasks.datasets.training.checks import RowRules, faults
from llmops.tasks.datasets.training.conflicts import conflicts
from llmops.tasks.datasets.training.contamination import contaminated
from llmops.tasks.datasets.training.contents import parts
from llmops.tasks.datasets.training.duplicates import NEAR, duplicates
from llmops.tasks.datasets.training.held_out import Held
from llmops.tasks.datasets.training.row import Message, Row
from llmops.tasks.datasets.training.scrubbing import scrub
from llmops.tasks.datasets.training.splitting import Shares, leaks, split
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners.near_duplicates import HASHES, bands
from llmops.tasks.plugins.scrubbers import Scrubber

HELD, BATCH = 500, 4096
Rows = Callable[[], Iterable[Row]]
"""Reads the rows from the beginning."""


class Words:
    """Draws English words, common ones more often."""

    def __init__(self, seed: int) -> None:
        from pydoc_data.topics import topics

        self._chance = random.Random(seed)
        counted = Counter(re.findall(r"[a-z]{2,}", " ".join(topics.values()).lower()))
        self._words = [word for word, _ in counted.most_common()]
        self._weights = list(accumulate(count for _, count in counted.most_common()))

    def text(self, count: int) -> str:
        drawn = self._chance.choices(self._words, cum_weights=self._weights, k=count)
        return " ".join(drawn).capitalize() + "."

    def changed(self, text: str) -> str:
        words = text.split()
        words[self._chance.randrange(1, len(words) - 1)] = "changed"
        return " ".join(words)


def made_up(count: int) -> Iterator[Row]:
    words, held = Words(1), held_out()
    step = count // HELD
    asked, answer = words.text(15), words.text(60)
    for number in range(count):
        of_hundred, said = number % 100, answer
        if of_hundred < 5:
            said = words.changed(answer)
        elif of_hundred < 7:
            asked, said = asked.upper(), answer.upper()
        else:
            asked, said = words.text(15), words.text(60)
        if of_hundred == 99:
            answer = said
        elif of_hundred % 20 == 10:
            said += f" Write to n{number}@corp.org, card 4111 1111 1111 1111."
        question = f"So, {held[number // step].text}" if number % step == 11 else asked
        spoken = (Message(role="user", content=question), Message(role="assistant", content=said))
        yield Row(id=f"row-{number}", group=f"group-{number // 4}", messages=spoken)


def held_out() -> list[Held]:
    words = Words(2)
    return [Held("golden.jsonl", f"q{n}", "question", words.text(20)) for n in range(HELD)]


def read(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as lines:
        yield from map(Row.model_validate_json, lines)


def characters(messages: Iterable[Message], row: Row) -> int:
    return sum(len(one.content or "") for one in messages) + len(row.tools)


def check(rows: Rows) -> str:
    rules = RowRules(languages=("en",), most_tokens=4096)
    kinds = Counter(each.kind for row in rows() for each in faults(row, rules, characters))
    return f"faults: {dict(kinds)}"


def compare(rows: Rows) -> str:
    return f"{len(conflicts(rows()))} conflicts"


def without_personal_data(rows: Rows) -> str:
    scrubber, found = Spec(name="patterns").build(Scrubber), Counter[str]()
    for row in rows():
        found.update(scrub(row, scrubber).replaced)
    return f"replaced: {dict(found)}"


def without_duplicates(rows: Rows) -> str:
    return f"left out: {dict(Counter(each.kind for each in duplicates(rows())))}"


def library_alone(rows: Rows) -> str:
    from rensa import RMinHash, RMinHashLSH

    number, width = bands(NEAR)
    index = RMinHashLSH(NEAR, number * width, number)
    every, flags, start = iter(rows()), 0, 0
    while batch := list(islice(every, BATCH)):
        sets = [_shingles(" ".join(parts(row)).lower().split()) for row in batch]
        matrix = RMinHash.digest_matrix_from_token_sets(sets, number * width, 1)
        flags += sum(index.insert_matrix_and_query_duplicate_flags(matrix, start))
        start += len(batch)
    return f"{flags} rows share a band (of {HASHES} hashes, {number * width} used)"


def _shingles(words: list[str]) -> list[str]:
    return [" ".join(words[place : place + 3]) for place in range(max(1, len(words) - 2))]


def decontaminated(rows: Rows) -> str:
    return f"{sum(1 for _ in contaminated(rows(), held_out()))} rows hold a held-out text"


def parted(rows: Rows) -> str:
    return str(dict(Counter(split(rows(), Shares()))))


def proof(rows: Rows) -> str:
    """The split comes before it: its time is said, to be taken off."""
    began = time.process_time()
    sides = split(rows(), Shares())
    after = time.process_time() - began
    found = leaks(zip(sides, rows(), strict=True))
    return f"{len(found)} leaks; {after:.1f} s of it are the split"


STEPS: dict[str, Callable[[Rows], str]] = {
    "read alone": lambda rows: f"{sum(1 for _ in rows())} rows",
    "check": check,
    "conflicts": compare,
    "scrub": without_personal_data,
    "duplicates": without_duplicates,
    "rensa alone": library_alone,
    "decontaminate": decontaminated,
    "split": parted,
    "leaks": proof,
}


def measured(name: str, path: str, sent: Any) -> None:
    before, began = time.process_time(), time.perf_counter()
    said = STEPS[name](lambda: read(Path(path)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sent.put((time.process_time() - before, time.perf_counter() - began, peak, said))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    given = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for row in made_up(given.rows):
                file.write(row.model_dump_json() + "\n")
        say(f"{given.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB of JSON lines")
        say(f"{'step':<16}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}")
        for name in given.steps:
            sent = spawn.Queue()
            process = spawn.Process(target=measured, args=(name, str(path), sent))
            process.start()
            cpu, wall, peak, said = sent.get()
            process.join()
            say(f"{name:<16}{cpu:>8.1f}{wall:>8.1f}{peak:>9.0f}  {said}")
    if "LLMOPS_BENCH_DATA" in os.environ:
        for line in personal_data(data_folder() / "presidio-research"):
            say(line)
    return 0


def personal_data(folder: Path) -> Iterator[str]:
    """Recall and precision by entity, without and with phones of four regions."""
    rows = json.loads((folder / "data" / "synth_dataset_v2.json").read_text("utf-8"))
    sentences = rows[len(rows) // 2 :]
    for regions in ((), ("US", "GB", "DE", "FR")):
        scrubber = Spec(name="patterns", options={"regions": list(regions)}).build(Scrubber)
        began = time.process_time()
        places = [scrubber.places(one["full_text"]) for one in sentences]
        took = time.process_time() - began
        size = sum(len(one["full_text"].encode()) for one in sentences) / 1e6
        yield f"\n{len(sentences)} sentences, regions {list(regions)}: {size / took:.2f} MB/s"
        for entity, name in {**NAMES, "PERSON": "person"}.items():
            wanted = [_wanted(one, entity) for one in sentences]
            there = sum(map(len, wanted))
            found = sum(
                any(common((p.start, p.end), want) >= COVERED * (want[1] - want[0]) for p in made)
                for spans, made in zip(wanted, places, strict=True)
                for want in spans
            )
            mine = [
                (spans, (p.start, p.end))
                for spans, made in zip(wanted, places, strict=True)
                for p in made
                if p.entity == name
            ]
            right = sum(any(common(p, want) > 0 for want in spans) for spans, p in mine)
            precision = f"{right / len(mine):.3f}" if mine else "-"
            yield f"{name:<14}{there:>6} there, recall {found / there:.3f}, precision {precision}"


def _wanted(sentence: Any, entity: str) -> list[tuple[int, int]]:
    return [
        (span["start_position"], span["end_position"])
        for span in sentence["spans"]
        if span["entity_type"] == entity
    ]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
