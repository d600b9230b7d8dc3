"""What an embedder of one's own gains, through `llmops train` with its gate.

    LLMOPS_BENCH_DATA=/data OMP_NUM_THREADS=1 python -m benchmarks.embedder --folder /tmp/e

FeedbackQA in five folds by groups of questions (documents, parts of one page, near-duplicates,
equal words): `--pairs` questions of four of them train, those of the fifth decide. `--negatives`
mines a hard negative for each. The second set, on which the model may not lose, is SciFact,
`--second` of its documents. `LLMOPS_BENCH_DATA` is that of `benchmarks.retrieval`. `--folder` keeps
what was embedded and trained for another time; the seconds of processor are of this run.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.command import data_folder, llmops
from benchmarks.ranking import beir, feedbackqa, write
from llmops.tasks.retrieval.groups import clean_marks, folds, linked
from llmops.tasks.yaml_files import write_yaml

SEED = 7
Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=800)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--second", type=int, default=10_000, help="documents of SciFact")
    parser.add_argument("--negatives", action="store_true")
    parser.add_argument("--ungated", action="store_true", help="train alone")
    parser.add_argument("--folder", type=Path)
    chosen, data = parser.parse_args(), data_folder()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        prepare(data, folder, chosen.fold, chosen.pairs, chosen.second)
        for name in ("feedbackqa", "scifact"):
            tell(llmops(folder, "index", str(folder / f"{name}.yaml")), "index")
        config = training(folder, negatives=chosen.negatives, gated=not chosen.ungated)
        tell(llmops(folder, "finetune", str(config)), "finetune")
        tell(llmops(folder, "train", str(config), codes=(0, 3, 5)), "train")
    return 0


def prepare(data: Path, folder: Path, fold: int, pairs: int, second: int) -> None:
    """Documents and golden sets of both knowledge bases, and the rows to train on."""
    ours, other = feedbackqa(data), part(beir(data / "beir" / "scifact"), second)
    for name, files in (("feedbackqa", ours), ("scifact", other)):
        write(folder / f"{name}-corpus.jsonl", files["corpus"])
        source: Row = {"name": "jsonl", "path": f"{name}-corpus.jsonl"}
        source |= {"fields": {"uri": "_id", "title": "title", "text": "text"}}
        index = {"flow": "index", "knowledge_base": name, "sources": [source]}
        (folder / f"{name}.yaml").write_text(write_yaml(index), encoding="utf-8")
    questions = [*ours["valid"], *ours["test"]]
    texts = {row["_id"]: row["text"] for row in ours["corpus"]}
    mine = [{item["uri"] for item in each["relevant"]} for each in questions]
    marks = clean_marks([each["question"] for each in questions], mine, texts)
    groups = linked(marks)
    held = folds(groups)[fold]
    write(folder / "held.jsonl", [each for each, out in zip(questions, held, strict=True) if out])
    write(folder / "scifact.jsonl", other["questions"])
    numbers = [number for number, out in enumerate(held) if not out]
    kept = random.Random(SEED).sample(numbers, min(pairs, len(numbers)))
    rows = [row(questions[n], int(groups[n]), texts) for n in sorted(kept)]
    write(folder / "rows.jsonl", rows)


def part(files: dict[str, list[Row]], most: int) -> dict[str, list[Row]]:
    """So many documents, and the questions that all of them can answer: a quarter of these are
    documents of questions, so that there is something to be confused with.
    """
    if most >= len(files["corpus"]):
        return files
    dealt = random.Random(SEED)
    questions = dealt.sample(files["questions"], len(files["questions"]))
    kept: set[str] = set()
    chosen = []
    for each in questions:
        mine = {item["uri"] for item in each["relevant"]}
        if len(kept | mine) <= most // 4:
            kept |= mine
            chosen.append(each)
    others = [each["_id"] for each in files["corpus"] if each["_id"] not in kept]
    kept |= set(dealt.sample(others, most - len(kept)))
    return {
        "corpus": [each for each in files["corpus"] if each["_id"] in kept],
        "questions": chosen,
    }


def row(question: Row, group: int, texts: dict[str, str]) -> Row:
    uri = question["relevant"][0]["uri"]
    said = [("user", question["question"]), ("assistant", texts[uri])]
    return {
        "id": question["id"],
        "messages": [{"role": role, "content": text} for role, text in said],
        "group": f"g{group}",
        "lineage": {"uri": uri, "licence": "Apache-2.0"},
    }


def training(folder: Path, *, negatives: bool, gated: bool) -> Path:
    """The config of data set and training; longer passages are cut, as the embedder cuts them."""
    name = "feedbackqa-triplets" if negatives else "feedbackqa-pairs"
    train: Row = {"name": "sentence_transformers", "too_long": "cut", "threads": 1}
    if gated:
        train |= {"knowledge_base": "feedbackqa", "questions": "held.jsonl"}
        train |= {"second": {"knowledge_base": "scifact", "questions": "scifact.jsonl"}}
    mined = {"name": "triplets", "knowledge_base": "feedbackqa"}
    config: Row = {
        "flow": "finetune",
        "name": name,
        "collect": [{"name": "jsonl", "path": "rows.jsonl"}],
        "check": {"refusals": True},
        "scrub": None,
        "dedup": None,
        "split": {"validation": 0, "test": 0},
        "export": [mined if negatives else "triplets"],
        "train": train,
    }
    path = folder / f"{name}.yaml"
    path.write_text(write_yaml(config), encoding="utf-8")
    return path


def tell(outcome: Row, step: str) -> None:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = {"step": step, "cpu_seconds_so_far": round(used.ru_utime + used.ru_stime), **outcome}
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
