"""How often the cleaners `pii` and `injection` are right, on public data that they were not
developed on.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.cleaners

`LLMOPS_BENCH_DATA` holds `presidio-research` (microsoft/presidio-research: the first half of its
made-up sentences served to write the patterns, the second half is measured),
`deepset-prompt-injections` (its `train` served to write the phrases, `test` is measured), and
ordinary documents: `fastapi-docs`, `docs-docling`, `beir` (of SciFact what
`benchmarks.train_injection` has not seen). Python's own help topics come with Python.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet

from benchmarks.command import data_folder
from llmops.tasks.plugins.cleaners import Document
from llmops.tasks.plugins.cleaners.injection import InjectionCleaner
from llmops.tasks.plugins.cleaners.pii import PiiCleaner

NAMES = {
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "credit_card",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip",
    "US_SSN": "ssn",
}
THRESHOLDS = (0.5, 0.6, 0.7, 0.8)
COVERED, LONG = 0.7, 200_000


def main() -> int:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    data = data_folder()
    say(personal_data(data / "presidio-research"))
    ordinary = documents(data)
    say(
        [
            "",
            "pii: findings per 1,000 words of ordinary documents (real ones among them)",
            *(row(name, (alarms(texts),), "{:>80}") for name, texts in ordinary.items()),
        ]
    )
    say(injections(data / "deepset-prompt-injections", ordinary))
    return 0


def personal_data(folder: Path) -> Iterable[str]:
    """Per entity: how many there are, how many were covered by 70 % or more, how many findings
    touch none.
    """
    rows = json.loads((folder / "data" / "synth_dataset_v2.json").read_text("utf-8"))
    measured = rows[len(rows) // 2 :]
    yield (
        f"pii: {len(measured)} sentences of "
        f"presidio-research\n{'entity':<16}{'there':>8}{'recall':>8}{'precision':>11}"
    )
    for entity, name in NAMES.items():
        there, found, right, made = entity_counts(
            measured, entity, PiiCleaner(entities=tuple(NAMES.values())), name
        )
        yield row(
            name, (there, f"{found / there:.3f}", f"{right / max(1, made):.3f}"), "{:>8}{:>8}{:>11}"
        )
    others = Counter(
        span["entity_type"]
        for one in measured
        for span in one["spans"]
        if span["entity_type"] not in NAMES
    )
    yield "not looked for: " + ", ".join(f"{name} {count}" for name, count in others.most_common())


def entity_counts(
    rows: Sequence[Any], entity: str, cleaner: PiiCleaner, name: str
) -> tuple[int, int, int, int]:
    """(how many there are, of these found, findings that are right, findings)."""
    there = found = right = made = 0
    for one in rows:
        wanted = [
            (span["start_position"], span["end_position"])
            for span in one["spans"]
            if span["entity_type"] == entity
        ]
        places = [
            (place.start, place.end)
            for place in cleaner.places(one["full_text"])
            if place.entity == name
        ]
        there, made = there + len(wanted), made + len(places)
        found += sum(
            any(common(place, want) >= COVERED * (want[1] - want[0]) for place in places)
            for want in wanted
        )
        right += sum(any(common(place, want) > 0 for want in wanted) for place in places)
    return there, found, right, made


def common(one: tuple[int, int], other: tuple[int, int]) -> int:
    return min(one[1], other[1]) - max(one[0], other[0])


def alarms(texts: Sequence[str]) -> str:
    """Findings per 1,000 words, by entity."""
    words = sum(len(text.split()) for text in texts)
    counts = Counter(place.entity for text in texts for place in PiiCleaner().places(text))
    return (
        ", ".join(f"{name} {1000 * count / words:.3f}" for name, count in counts.most_common())
        or "none"
    )


def documents(data: Path) -> dict[str, list[str]]:
    """Ordinary documents, which nobody wrote for a model (but FastAPI's `llm-prompt.md`, which is
    left out).
    """
    from pydoc_data.topics import topics

    def read(paths: Iterable[Path]) -> list[str]:
        return [
            path.read_text("utf-8", "replace")
            for path in sorted(paths)
            if path.name != "llm-prompt.md"
        ]

    def corpus(name: str) -> list[str]:
        return [
            json.loads(line)["text"]
            for line in (data / "beir" / name / "corpus.jsonl").read_text("utf-8").splitlines()
        ]

    return {
        "FastAPI (en, ja, zh)": read((data / "fastapi-docs").rglob("*.md")),
        "Docling's documents": read((data / "docs-docling").rglob("groundtruth/**/*.md")),
        "Python's topics": list(topics.values()),
        "SciFact abstracts": corpus("scifact")[2500:],
        "PQuAD (Persian)": corpus("pquad-val-test"),
        "JSQuAD (Japanese)": corpus("jsquad-valid"),
    }


def injections(folder: Path, ordinary: dict[str, list[str]]) -> Iterable[str]:
    """Recall on the prompts, false alarms on prompts and documents, by threshold; then the same
    prompts within long documents.
    """
    rows = parquet.read_table(next((folder / "data" / "raw").glob("test-*.parquet"))).to_pylist()
    prompts = [one["text"] for one in rows if one["label"] == 1]
    harmless = [one["text"] for one in rows if one["label"] == 0]
    yield f"\ninjection: share flagged, by threshold\n{'':<34}{'documents':>10}" + "".join(
        f"{one:>9}" for one in THRESHOLDS
    )
    yield shares("injections of the test split", prompts)
    yield shares("… each within an abstract", planted(prompts, ordinary["SciFact abstracts"]))
    yield shares("harmless prompts of the test split", harmless)
    for name, texts in ordinary.items():
        yield shares(name, texts)
    yield shares(
        "injections within 200,000 letters",
        planted(prompts[::4], long(ordinary["SciFact abstracts"])),
    )
    yield shares(
        "all of it, in 200,000 letters each",
        [text for texts in ordinary.values() for text in long(texts)],
    )


def shares(name: str, texts: Sequence[str]) -> str:
    scores = [worst(text) for text in texts]
    return f"{name:<34}{len(texts):>10}" + "".join(
        f"{sum(score >= one for score in scores) / len(texts):>9.4f}" for one in THRESHOLDS
    )


def worst(text: str) -> float:
    return max(
        (
            reason.score
            for reason in InjectionCleaner(threshold=min(THRESHOLDS)).reasons(Document(text))
        ),
        default=0.0,
    )


def planted(prompts: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Each prompt as a paragraph of its own somewhere in a document."""
    chance = random.Random(1)
    return [plant(prompt, chance.choice(texts), chance.random) for prompt in prompts]


def plant(prompt: str, text: str, chance: Callable[[], float]) -> str:
    place = int(chance() * len(text))
    place = max(text.rfind("\n", 0, place), text.rfind(". ", 0, place) + 1, 0)
    return f"{text[:place]}\n\n{prompt}\n\n{text[place:]}"


def long(texts: Sequence[str]) -> list[str]:
    whole = "\n\n".join(texts)
    return [whole[start : start + LONG] for start in range(0, len(whole), LONG)]


def row(name: str, values: Sequence[object], form: str) -> str:
    return (
        f"{name:<16}" + form.format(*values) if "{:>80}" not in form else f"{name:<24}{values[0]}"
    )


def say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
