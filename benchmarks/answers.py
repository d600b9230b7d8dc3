"""Prompts compared on public question sets with the offline model, through the command that users
run: `llmops evaluate`.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.answers [--sets clapnq feedbackqa] [--splits 200]
    [--cases N]

`LLMOPS_BENCH_DATA` holds `clapnq` and `feedbackqa` (checkouts of primeqa/clapnq and
McGill-NLP/feedbackqa). The prompts are written here and fitted on nothing. Prints what every arm
reached, the verdict on every candidate, and how often random halves of the cases agree.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import corpora
from benchmarks.command import data_folder, llmops
from benchmarks.halves import WORDS, Halves, halves, only
from llmops.tasks.decisions.decision import Decision
from llmops.tasks.yaml_files import write_yaml

SETS = ("clapnq", "feedbackqa")
ASKED = "Answer from these passages, and cite them by their numbers, such as [1]."
PROMPTS = {
    "three sentences": "Answer in at most three sentences.",
    "two sentences": "Answer in at most two sentences.",
    "one sentence": "Answer in one sentence.",
    "30 words": "Answer in at most 30 words.",
    "may decline": "Answer in at most three sentences. If the passages do not answer the "
    'question, say "I '
    "don't know\".",
}
SHOWN = (
    "token_f1",
    "rouge",
    "grounded",
    "refusal",
    "citations",
    "retrieval.recall@5",
    "retrieval.ndcg@5",
    "retrieval.mrr@5",
)
ANSWERED = (0, 3, 5)
FEW = (25, 50, 100)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--cases", type=int, help="a random sample of so many cases of each set")
    chosen, data = parser.parse_args(), data_folder()
    for name in chosen.sets:
        with tempfile.TemporaryDirectory() as folder:
            report(name, measured(name, data, Path(folder), chosen.cases), chosen.splits)
    return 0


def measured(name: str, data: Path, folder: Path, most: int | None = None) -> dict[str, Any]:
    """The decision record of one set, as its file has it."""
    cases = corpora.clapnq(data) if name == "clapnq" else knowledge_base(folder, data)
    corpora.write(folder / "cases.jsonl", Random(0).sample(cases, most) if most else cases)
    try:
        found = llmops(folder, "evaluate", str(config(name, folder)), codes=ANSWERED)
    finally:
        llmops(folder, "down")
    record: dict[str, Any] = json.loads(Path(found["record"]).read_text("utf-8"))
    return record | {"wall_seconds": found["wall_seconds"]}


def knowledge_base(folder: Path, data: Path) -> list[corpora.Row]:
    """Builds FeedbackQA's passages as a knowledge base; returns the questions."""
    documents, cases = corpora.feedbackqa(data)
    source = {
        "name": "jsonl",
        "path": str(corpora.write(folder / "corpus.jsonl", documents)),
        "fields": {"uri": "_id", "title": "title", "text": "text"},
    }
    (folder / "kb.yaml").write_text(
        write_yaml({"flow": "index", "knowledge_base": "feedbackqa", "sources": [source]})
    )
    llmops(folder, "index", str(folder / "kb.yaml"))
    return cases


def config(name: str, folder: Path) -> Path:
    """The baseline and its candidates in one run. What decides is the overlap with the known
    answer, or with the known passage.
    """
    arms: dict[str, Any] = {}
    for number, (arm, wish) in enumerate(PROMPTS.items()):
        prompt = {
            "name": f"answers-{number}",
            "messages": [
                {"role": "system", "content": f"{ASKED} {wish}\n\n{{{{passages}}}}"},
                {"role": "user", "content": "{{question}}"},
            ],
        }
        (folder / f"prompt-{number}.yaml").write_text(write_yaml(prompt))
        arms[arm] = {"prompt": f"prompt-{number}.yaml", "llm": "extractive"}
        if name == "feedbackqa":
            arms[arm]["retrieve"] = {"knowledge_base": "feedbackqa", "k": 5}
    content = {
        "flow": "evaluate",
        "name": name,
        "cases": "cases.jsonl",
        "arms": arms,
        "decide": {"metric": "token_f1"},
        "scorers": [
            "token_f1",
            "rouge",
            "grounded",
            "refusal",
            {"name": "citations", "optional": True},
        ],
    }
    (folder / "evaluate.yaml").write_text(write_yaml(content))
    return folder / "evaluate.yaml"


def report(name: str, record: Mapping[str, Any], splits: int) -> None:
    """Tables in Markdown, as docs/evaluation.md has them."""
    arms, decided = record["arms"], record["metric"]
    metrics = [metric for metric in SHOWN if any(metric in arm["metrics"] for arm in arms.values())]
    out = [
        f"\n{name}: {record['cases']['used']:,} cases, {len(arms)} prompts, "
        f"{record['wall_seconds']:.0f} s\n\n",
        _row("prompt", metrics),
    ]
    out += [
        _row(arm, [_value(found["metrics"].get(metric)) for metric in metrics])
        for arm, found in arms.items()
    ]
    out += ["\n", _row("prompt", ["difference in " + decided, "verdict"])]
    for arm, found in record["comparisons"].items():
        one = found["metrics"][decided]
        out.append(
            _row(
                arm,
                [
                    f"{one['difference']:+.3f} [{one['interval'][0]:+.3f}, "
                    f"{one['interval'][1]:+.3f}]",
                    found["verdict"],
                ],
            )
        )
    out += ["\n", _row(f"{splits} random halves", ["agree", "contradict", *WORDS])]
    sys.stdout.write("".join(out))
    evidence = Decision.model_validate(record).evidence()
    for arm in record["comparisons"]:
        for most in (*FEW, None):
            _halves(
                f"{arm}, {f'{most} groups' if most else 'half of all groups'} a side",
                halves(only(evidence, arm), splits, most=most),
            )
    for arm in record["comparisons"]:
        _halves(f"A/A, spread of {arm}", halves(only(evidence, arm), splits, alike=True))


def _halves(arm: str, found: Halves) -> None:
    sys.stdout.write(
        _row(
            arm,
            [
                f"{100 * share:.3g} %"
                for share in (found.agreement, found.contradiction, *map(found.share, WORDS))
            ],
        )
    )
    sys.stdout.flush()


def _row(name: str, values: Sequence[str]) -> str:
    return f"| {name} | {' | '.join(values)} |\n"


def _value(found: Mapping[str, Any] | None) -> str:
    return (
        "-"
        if found is None
        else f"{found['value']:.3f} [{found['interval'][0]:.3f}, {found['interval'][1]:.3f}]"
    )


if __name__ == "__main__":
    raise SystemExit(main())
