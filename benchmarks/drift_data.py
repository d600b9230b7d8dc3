"""Weeks of an application, dealt from public questions: for `benchmarks.drift`."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llmops.tasks.plugins.embedders.minilm import MiniLMEmbedder
from llmops.tasks.schemas import Vectors
from llmops.tasks.statistics.arrays import Array

LETTERS = 400
"""Of an answer that are embedded."""
BESIDE = 12
"""Questions next to one of which a conversation goes on."""
DOMAIN = "Australia"
"""The first of FeedbackQA's domains."""
FLOOD, FLOODS = 300, 0.1
"""Requests of a person who floods, and the share of weeks with one."""


class Corpora(NamedTuple):
    """`questions` and `answers`: row by row, of FeedbackQA; `beside`: the rows nearest to each
    question; `foreign`: questions of other corpora, by their name, and
    those of one domain of FeedbackQA.
    """

    questions: Vectors
    answers: Vectors
    beside: "np.ndarray[tuple[int, int], np.dtype[np.int64]]"
    foreign: dict[str, Vectors]


class Week(NamedTuple):
    """Conversations, of which each has the rows of its questions; refusals, latencies and costs of
    each question, conversation by conversation.
    """

    rows: list[list[int]]
    refused: Array
    latency: Array
    cost: Array
    labels: list[int]


def corpora(data: Path, folder: Path) -> Corpora:
    """All that is used, embedded once and kept in the folder."""
    kept = folder / "vectors.npz"
    if not kept.exists():
        asked = feedbackqa(data)
        texts = {"questions": list(asked), "answers": list(asked.values())}
        texts |= {"clapnq": clapnq(data), "scifact": scifact(data), "chunking": chunking(data)}
        made = {name: embedded(each) for name, each in texts.items()}
        np.savez(kept, allow_pickle=False, **made)
    with np.load(kept) as loaded:
        found = {name: loaded[name] for name in loaded.files}
    questions, answers = found.pop("questions"), found.pop("answers")
    found[DOMAIN] = questions[: len(feedbackqa(data, DOMAIN))]
    likeness = questions @ questions.T
    np.fill_diagonal(likeness, -1)
    beside = np.argpartition(-likeness, BESIDE, axis=1)[:, :BESIDE]
    return Corpora(questions, answers, beside, found)


def embedded(texts: Sequence[str]) -> Vectors:
    embedder = MiniLMEmbedder()
    parts = [embedder.embed(texts[start : start + 100]) for start in range(0, len(texts), 100)]
    return np.concatenate(parts)


def feedbackqa(data: Path, domain: str = "*") -> dict[str, str]:
    """Question -> the passage that answers it: of all four domains, also those of its raters."""
    found: dict[str, str] = {}
    for file in sorted(data.glob(f"feedbackqa/experiments/feedbackQA_data/{domain}/*.json")):
        content = json.loads(file.read_text("utf-8"))
        if isinstance(content, dict):
            texts = {each["passage_id"]: each for each in content["passages"]}
            rows = [(each["question"], texts[each["passage_id"]]) for each in content["examples"]]
        else:
            rows = [(each["question"], each["passage"]) for each in content]
        for question, passage in rows:
            text = passage["reference"]["section_content"][:LETTERS]
            found.setdefault(question.strip(), text)
    return found


def clapnq(data: Path) -> list[str]:
    lines = (
        line
        for file in sorted(data.glob("clapnq/annotated_data/dev/*.jsonl"))
        for line in file.read_text("utf-8").splitlines()
    )
    return list(dict.fromkeys(json.loads(line)["input"] for line in lines))


def scifact(data: Path) -> list[str]:
    lines = (data / "beir" / "scifact" / "queries.jsonl").read_text("utf-8").splitlines()
    return list(dict.fromkeys(json.loads(line)["text"] for line in lines))


def chunking(data: Path) -> list[str]:
    (file,) = data.glob("chunking_eval/**/questions_df.csv")
    with file.open(encoding="utf-8") as lines:
        return list(dict.fromkeys(row["question"] for row in csv.DictReader(lines)))


def week(random: np.random.Generator, given: Corpora, conversations: int) -> Week:
    """A conversation begins with any question and goes on (twice in five) with one that is near it.
    A refused one is often refused again; latencies and costs have heavy tails, and a part that a
    conversation has in common. In one week of ten a person floods.
    """
    sizes = np.minimum(random.geometric(0.6, conversations), 4)
    if random.random() < FLOODS:
        sizes[0] = FLOOD
    starts = random.integers(0, len(given.questions), conversations)
    rows = [
        [int(start), *map(int, random.choice(given.beside[start], min(size, 4) - 1, replace=False))]
        for start, size in zip(starts, sizes, strict=True)
    ]
    owner = np.repeat(np.arange(conversations), sizes)
    refused = random.random(len(owner)) < random.beta(0.5, 4.5, conversations)[owner]
    latency = np.exp(
        random.normal(0, 0.5, conversations)[owner] + random.normal(7, 0.8, len(owner))
    )
    cost = np.exp(random.normal(0, 1.0, conversations)[owner] + random.normal(-6, 1.2, len(owner)))
    return Week(rows, refused.astype(float), latency, cost, [int(each) for each in owner])


def mixed_week(
    random: np.random.Generator, given: Corpora, other: Vectors, count: int, share: float
) -> list[Vectors]:
    """Single questions, of which a share is of another corpus."""
    strange = round(count * share)
    own = given.questions[random.integers(0, len(given.questions), count - strange)]
    foreign = other[random.choice(len(other), strange, replace=strange > len(other))]
    return list(np.concatenate([own, foreign])[:, None])
