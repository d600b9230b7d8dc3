"""Retrieval quality on public judged sets, through the commands that users run: `llmops index` and
`llmops kb measure`.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.retrieval --sets scifact feedbackqa

`LLMOPS_BENCH_DATA` holds `beir/<set>` (BEIR's layout) and `feedbackqa` (a checkout of
McGill-NLP/feedbackqa). No set has a gate here, so that nothing is fitted on the questions.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.command import data_folder, llmops
from llmops.tasks.yaml_files import write_yaml

SETS = ("scifact", "feedbackqa", "xquad-zh", "jsquad-valid", "pquad-val-test")
METRICS = ("ndcg@10", "precision@1", "recall@10")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument(
        "--rerank", nargs="*", default=[], help="with hybrid search alone, and with each of these"
    )
    chosen, data = parser.parse_args(), data_folder()
    sys.stdout.write(
        f"{'set':<16}{'mode':<18}"
        + "".join(f"{name:>13}" for name in METRICS)
        + "   chunks  seconds\n"
    )
    for name in chosen.sets:
        with tempfile.TemporaryDirectory() as folder:
            report(name, *measured(name, data, Path(folder), chosen.rerank))
    return 0


def measured(
    name: str, data: Path, folder: Path, rerank: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(outcome of the build, object of `kb measure`) of one set."""
    beir = feedbackqa(data, folder / "beir") if name == "feedbackqa" else data / "beir" / name
    source = {
        "name": "jsonl",
        "path": str(beir / "corpus.jsonl"),
        "fields": {"uri": "_id", "title": "title", "text": "text"},
    }
    config = folder / "kb.yaml"
    config.write_text(write_yaml({"flow": "index", "knowledge_base": name, "sources": [source]}))
    llmops(folder, "golden", "import", "--beir", str(beir), "--out", str(folder / "golden.jsonl"))
    outcome = llmops(folder, "index", str(config))
    found = llmops(
        *(folder, "kb", "measure", name, "--golden", str(folder / "golden.jsonl"), "-k", "10"),
        *(word for each in rerank for word in ("--rerank", each)),
    )
    llmops(folder, "down")
    return outcome, found


def report(name: str, outcome: dict[str, Any], found: dict[str, Any]) -> None:
    for mode, values in found["modes"].items():
        figures = "".join(f"{values[metric]['value']:>13.4f}" for metric in METRICS)
        sys.stdout.write(
            f"{name:<16}{mode:<18}{figures}{outcome['chunks']['total']:>9}{outcome['seconds']:>9.0f}\n"
        )
    sys.stdout.flush()


def feedbackqa(data: Path, folder: Path) -> Path:
    """FeedbackQA in BEIR's layout: the passages of all four domains as documents, the questions of
    `test`.
    """
    corpus, queries, judgements = [], [], ["query-id\tcorpus-id\tscore"]
    for file in sorted(
        (data / "feedbackqa" / "experiments" / "feedbackQA_data").glob("*/test.json")
    ):
        content, domain = json.loads(file.read_text("utf-8")), file.parent.name
        corpus += [passage(domain, one) for one in content["passages"]]
        queries += [
            {"_id": f"{domain}/{one['id']}", "text": one["question"]} for one in content["examples"]
        ]
        judgements += [
            f"{domain}/{one['id']}\t{domain}/{one['passage_id']}\t1" for one in content["examples"]
        ]
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        )
    (folder / "qrels" / "test.tsv").write_text("\n".join(judgements) + "\n")
    return folder


def passage(domain: str, one: dict[str, Any]) -> dict[str, str]:
    """A passage as a document: the page's title, and the section's headings before its content."""
    part = one["reference"]
    text = "\n".join(filter(None, [*part["section_headers"], part["section_content"]]))
    return {"_id": f"{domain}/{one['passage_id']}", "title": part["page_title"] or "", "text": text}


if __name__ == "__main__":
    raise SystemExit(main())
