"""Learns `tasks/plugins/cleaners/injection/injection.json`, the small linear model of the cleaner
`injection`.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.train_injection

Positives: the training split of deepset/prompt-injections (Apache-2.0). Negatives: its harmless
prompts, and windows of ordinary documents: every second page of the Dify documentation (CC BY 4.0),
the first 1,000 abstracts of SciFact (ODC-By), half of chunking_evaluation (MIT). The cut is where
one in a thousand other documents of these sets (the other Dify pages, the next 1,500 abstracts)
lies above. scikit-learn is there because MLflow needs it.
"""

import base64
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet

from benchmarks.command import data_folder
from llmops.tasks.plugins.cleaners.injection.signs import FILE, SIZE, features, windows

ALARMS, MOST_WINDOWS = 0.001, 20_000


def main() -> int:
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # it ships no types

    data = data_folder()
    prompts = parquet.read_table(
        next((data / "deepset-prompt-injections" / "data" / "raw").glob("train-*.parquet"))
    ).to_pylist()
    seen, others = ordinary(data)
    negatives = [text[start:end] for text in seen for start, end in windows(text)]
    random.Random(1).shuffle(negatives)
    texts = [*(one["text"] for one in prompts), *negatives[:MOST_WINDOWS]]
    wanted = [one["label"] for one in prompts] + [0] * (len(texts) - len(prompts))
    fitted = LogisticRegression(C=50, class_weight={0: 1, 1: 5}, max_iter=300).fit(
        matrix(texts), wanted
    )
    scale = float(np.abs(fitted.coef_).max()) / 127
    weights = np.rint(fitted.coef_[0] / scale).astype(np.int8)
    bias = float(fitted.intercept_[0])
    worst = [
        float((matrix([text[a:b] for a, b in windows(text)] or [""]) @ (weights * scale)).max())
        + bias
        for text in others
    ]
    cut = float(np.quantile(worst, 1 - ALARMS))
    content = {
        "weights": base64.b64encode(weights.tobytes()).decode(),
        "scale": scale,
        "bias": bias,
        "cut": cut,
    }
    FILE.write_text(json.dumps(content) + "\n")
    sys.stdout.write(
        f"{FILE.name}: {FILE.stat().st_size:,} bytes, {len(texts):,} texts, cut {cut:.2f} "
        f"on {len(others):,} documents\n"
    )
    return 0


def ordinary(data: Path) -> tuple[list[str], list[str]]:
    """(documents to learn from, documents to set the cut on)."""
    pages = [
        path.read_text("utf-8", "replace") for path in sorted((data / "dify-docs").rglob("*.md*"))
    ]
    abstracts = [
        json.loads(line)["text"]
        for line in (data / "beir" / "scifact" / "corpus.jsonl").read_text("utf-8").splitlines()
    ]
    paths = (
        path
        for ending in ("md", "txt")
        for path in sorted((data / "chunking_eval").rglob(f"*.{ending}"))
    )
    books = [path.read_text("utf-8", "replace") for path in paths]
    return [*pages[::2], *abstracts[:1000], *books[::2]], [*pages[1::2], *abstracts[1000:2500]]


def matrix(texts: Sequence[str]) -> Any:
    """One row per text: its features at length one."""
    from scipy.sparse import csr_matrix

    places, values, ends = list[int](), list[float](), [0]
    for text in texts:
        counts = features(text)
        length = float(np.sqrt(sum(count * count for count in counts.values()))) or 1.0
        places += counts
        values += [count / length for count in counts.values()]
        ends.append(len(places))
    return csr_matrix((values, places, ends), shape=(len(texts), SIZE))


if __name__ == "__main__":
    raise SystemExit(main())
