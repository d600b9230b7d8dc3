"""FeedbackQA as training rows and as documents: `python -m benchmarks.feedbackqa DATA OUT`.

Each question was asked of three passages, each judged by two or three people. A passage is an
answer whose score is the mean of its ratings; the best and the worst passage of a question are a
pair where people told them apart.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmops.tasks.schemas import sha256

RATINGS = {"Bad": 0.0, "Could be Improved": 1 / 3, "Acceptable": 2 / 3, "Excellent": 1.0}
LICENCE = "Apache-2.0"


def entries(data: Path, name: str = "feedback_*.json") -> Iterator[dict[str, Any]]:
    """Every judged passage of the files of that name: question, text, uri and score."""
    for file in sorted(data.glob(f"**/{name}")):
        for entry in json.loads(file.read_text(encoding="utf-8")):
            passage = entry["passage"]
            heads = passage["reference"]["section_headers"]
            text = passage["reference"]["section_content"]
            ratings = [RATINGS[each] for each in entry["rating"]]
            yield {
                "question": entry["question"],
                "text": "\n".join([*heads[-1:], text]),
                "uri": f"{passage['source']}/{passage['passage_id']}",
                "title": passage["reference"]["page_title"],
                "score": sum(ratings) / len(ratings),
                "ratings": len(ratings),
            }


def row(entry: dict[str, Any], number: int) -> dict[str, Any]:
    """A passage as an answer."""
    question = sha256(entry["question"])[:12]
    return {
        "id": f"{question}-{number}",
        "messages": [
            {"role": "user", "content": entry["question"]},
            {"role": "assistant", "content": entry["text"]},
        ],
        "score": round(entry["score"], 4),
        "group": question,
        "lineage": {"uri": entry["uri"], "licence": LICENCE, "ratings": entry["ratings"]},
    }


def pair(answers: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The best against the worst of a question; None where people found them alike."""
    best, worst = max(answers, key=score), min(answers, key=score)
    if best["score"] < 0.5 or best["score"] - worst["score"] < 1 / 3:
        return None
    question = sha256(best["question"])[:12]
    return {
        "id": f"{question}-pair",
        "messages": [{"role": "user", "content": best["question"]}],
        "chosen": [{"role": "assistant", "content": best["text"]}],
        "rejected": [{"role": "assistant", "content": worst["text"]}],
        "group": question,
        "lineage": {"uri": best["uri"], "licence": LICENCE},
    }


def score(entry: dict[str, Any]) -> float:
    return float(entry["score"])


def write(data: Path, out: Path) -> dict[str, int]:
    """Write `rows.jsonl` and `passages.jsonl`. Returns how many of what there is."""
    asked: dict[str, list[dict[str, Any]]] = {}
    for entry in entries(data):
        asked.setdefault(entry["question"], []).append(entry)
    rows = [row(each, n) for answers in asked.values() for n, each in enumerate(answers)]
    pairs = [made for answers in asked.values() if (made := pair(answers))]
    passages = {each["uri"]: each for answers in asked.values() for each in answers}
    out.mkdir(parents=True, exist_ok=True)
    _lines(out / "rows.jsonl", [*rows, *pairs])
    documents = [{n: e[n] for n in ("uri", "title", "text")} for e in passages.values()]
    _lines(out / "passages.jsonl", documents)
    ratings = sum(each["lineage"]["ratings"] for each in rows)
    return {"ratings": ratings, "rows": len(rows), "pairs": len(pairs), "passages": len(passages)}


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in rows)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(write(Path(sys.argv[1]), Path(sys.argv[2]))) + "\n")
