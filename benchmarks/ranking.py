"""What a trained ranking gains, through `llmops train` with its defaults and its gate.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.ranking --sets feedbackqa scifact --folder /tmp/r

`LLMOPS_BENCH_DATA` is that of `benchmarks.retrieval`. FeedbackQA: trained on the questions of
`valid`, or on the answers that a rater of `valid` or `train` called excellent alone (`votes`), and
tested once on `test`; the uri of a passage is that of its page, with its number after `#`. SciFact:
all judged questions, by the gate's groups alone. The sets in other languages: 50 questions to train
on, the others to test. `--shuffles N`: N trainings of FeedbackQA's `valid` with the right passages
dealt out anew. `--folder` keeps what was embedded for another time.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.command import data_folder, llmops
from benchmarks.retrieval import passage
from llmops.tasks.yaml_files import write_yaml

SETS = ("feedbackqa", "votes", "scifact", "xquad-zh", "jsquad-valid", "pquad-val-test")
LABELS, SEED = 50, 7
GAINS = (
    *("weight", "adapter", "served", "seen", "whitening"),
    *("test", "test_seen", "test_unseen"),
)
Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--shuffles", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    chosen, data = parser.parse_args(), data_folder()
    with tempfile.TemporaryDirectory() as temporary:
        for name in chosen.sets:
            base = "feedbackqa" if name == "votes" else name
            folder = (chosen.folder or Path(temporary)) / base
            folder.mkdir(parents=True, exist_ok=True)
            files = feedbackqa(data) if base == "feedbackqa" else beir(data / "beir" / name)
            tell(name, trained(base, folder, *_parts(name, files)))
        for number in range(chosen.shuffles):
            folder = (chosen.folder or Path(temporary)) / "feedbackqa"
            folder.mkdir(parents=True, exist_ok=True)
            files = feedbackqa(data)
            rows = shuffled(files["valid"], number)
            tell(f"shuffled {number}", trained("feedbackqa", folder, files["corpus"], rows, []))
    return 0


def _parts(name: str, files: Mapping[str, list[Row]]) -> tuple[list[Row], list[Row], list[Row]]:
    """(documents, questions to train on, questions to test)."""
    if name in ("feedbackqa", "votes"):
        return files["corpus"], files["valid" if name == "feedbackqa" else "votes"], files["test"]
    every = files["questions"]
    if name == "scifact":
        return files["corpus"], every, []
    dealt = random.Random(SEED).sample(every, len(every))
    return files["corpus"], dealt[:LABELS], dealt[LABELS:]


def trained(
    name: str, folder: Path, corpus: list[Row], questions: list[Row], test: list[Row]
) -> Row:
    """The object of `llmops train` on a knowledge base of these documents."""
    source = {"name": "jsonl", "path": "corpus.jsonl"}
    fields = {"uri": "_id", "title": "title", "text": "text"}
    index = {"flow": "index", "knowledge_base": name, "sources": [source | {"fields": fields}]}
    train = {"name": "retrieval", "knowledge_base": name, "questions": "train.jsonl"}
    train |= {"test": "test.jsonl"} if test else {}
    write(folder / "corpus.jsonl", corpus)
    write(folder / "train.jsonl", questions)
    write(folder / "test.jsonl", test)
    for file, config in (
        ("index.yaml", index),
        ("train.yaml", {"flow": "train", "name": name, "train": train}),
    ):
        (folder / file).write_text(write_yaml(config))
    llmops(folder, "index", str(folder / "index.yaml"))
    return llmops(folder, "train", str(folder / "train.yaml"), codes=(0, 3, 5))


def tell(name: str, outcome: Row) -> None:
    figures = outcome["figures"]
    told = {
        key: f"{each['before']:.3f} -> {each['after']:.3f} ({each['difference']:+.4f} "
        f"[{each['interval'][0]:+.4f}, {each['interval'][1]:+.4f}], n {each['questions']})"
        for key in GAINS
        if (each := figures[key])
    }
    row = {"set": name, "status": outcome["status"], "reason": outcome["reason"], **told}
    row |= {"test_first": figures["test_first"], "learnt": outcome["learnt"]}
    row |= {"labels": outcome["labels"], "seconds": outcome["seconds"]}
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def beir(folder: Path) -> dict[str, list[Row]]:
    """Documents, and every question that a document answers, of both splits."""
    texts = {row["_id"]: row["text"] for row in read(folder / "queries.jsonl")}
    relevant: dict[str, list[str]] = {}
    for file in sorted((folder / "qrels").glob("t*.tsv")):  # train, test
        for line in file.read_text("utf-8").splitlines()[1:]:
            question, document, score = line.split("\t")
            if float(score) > 0:
                relevant.setdefault(question, []).append(document)
    questions = [golden(key, texts[key], uris) for key, uris in relevant.items()]
    return {"corpus": read(folder / "corpus.jsonl"), "questions": questions}


def feedbackqa(data: Path) -> dict[str, list[Row]]:
    """Documents; the questions of `valid` and `test`; those of which an answer was excellent."""
    root = data / "feedbackqa" / "experiments" / "feedbackQA_data"
    files: dict[str, list[Row]] = {"corpus": [], "valid": [], "test": []}
    uris: dict[tuple[str, int], str] = {}
    for file in sorted(root.glob("*/test.json")):
        domain = file.parent.name
        for one in json.loads(file.read_text("utf-8"))["passages"]:
            uris[domain, one["passage_id"]] = f"{one['uri']}#{one['passage_id']}"
            row = passage(domain, one) | {"_id": uris[domain, one["passage_id"]]}
            files["corpus"].append(row)
        for split in ("valid", "test"):
            content = json.loads((file.parent / f"{split}.json").read_text("utf-8"))
            files[split] += [
                golden(
                    f"{domain}/{split}/{one['id']}",
                    one["question"],
                    [uris[domain, one["passage_id"]]],
                )
                | {"tags": [domain]}
                for one in content["examples"]
            ]
    return files | {"votes": votes(root, uris)}


def votes(root: Path, uris: Mapping[tuple[str, int], str]) -> list[Row]:
    """Questions with the passages that at least one of two raters called excellent."""
    good: dict[str, set[str]] = {}
    for split in ("valid", "train"):
        for file in sorted(root.glob(f"*/feedback_{split}.json")):
            for one in json.loads(file.read_text("utf-8")):
                key = one["passage"]["source"], one["passage"]["passage_id"]
                if "Excellent" in one["rating"] and key in uris:
                    good.setdefault(one["question"], set()).add(uris[key])
    return [golden(f"vote-{n}", key, sorted(good[key])) for n, key in enumerate(sorted(good))]


def shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    """The same questions, each with the passages of another one."""
    dealt = random.Random(seed).sample([row["relevant"] for row in rows], len(rows))
    return [row | {"relevant": relevant} for row, relevant in zip(rows, dealt, strict=True)]


def golden(key: str, question: str, uris: Iterable[str]) -> Row:
    return {"id": key, "question": question, "relevant": [{"uri": uri} for uri in uris]}


def read(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def write(file: Path, rows: Iterable[Row]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
