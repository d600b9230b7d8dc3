"""How fast the default embedder is in fp32 and in int8, and how near the two are.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.embedding --rounds 5 --texts 200

Texts are SciFact's abstracts: `mixed` cut to 40 to 254 tokens, `full` 254, `short` 15. Rounds are
interleaved, and each says chunks a second by the clock and of processor time. `--also` adds a class
of LlamaIndex by import path, with its defaults for the same model.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from benchmarks.command import data_folder
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder

LENGTHS = {"mixed": (40, 254), "full": (254, 254), "short": (15, 15)}
SEED = 7


class Pace(NamedTuple):
    """Texts a second: by the clock, and of processor time."""

    clock: float
    processor: float


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--also", metavar="PACKAGE.MODULE:CLASS")
    chosen = parser.parse_args()
    contenders = {
        "fp32": Spec(name="minilm").build(Embedder),
        "int8": Spec(name="minilm", options={"precision": "int8"}).build(Embedder),
    }
    if chosen.also:
        model = {"model_name": "sentence-transformers/all-MiniLM-L6-v2"}
        options = {"path": chosen.also, "options": model}
        contenders[chosen.also] = Spec(name="llamaindex", options=options).build(Embedder)
    for kind, (least, most) in LENGTHS.items():
        texts = cut(abstracts(chosen.texts), least, most, contenders["fp32"])
        exact = contenders["fp32"].embed(texts)
        near = {name: (exact * each.embed(texts)).sum(axis=1) for name, each in contenders.items()}
        rounds = [
            {name: pace(each.embed, texts) for name, each in contenders.items()}
            for _ in range(chosen.rounds)
        ]
        for name, cosine in near.items():
            told = {"texts": kind, "embedder": name, "n": len(texts)}
            told |= {"cosine": [round(float(cosine.mean()), 4), round(float(cosine.min()), 4)]}
            for field in Pace._fields:
                mine = [getattr(each[name], field) for each in rounds]
                told |= spread(field, mine, [getattr(each["fp32"], field) for each in rounds])
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
    return 0


def spread(field: str, mine: Sequence[float], exact: Sequence[float]) -> dict[str, list[float]]:
    """Median, least and most: of the rounds, and of their ratios to fp32 in the same round."""
    ratios = [one / other for one, other in zip(mine, exact, strict=True)]
    return {
        field: [round(of(mine), 1) for of in (median, min, max)],
        f"{field} against fp32": [round(of(ratios), 2) for of in (median, min, max)],
    }


def abstracts(number: int) -> list[str]:
    with (data_folder() / "beir" / "scifact" / "corpus.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [row["text"] for row in random.Random(SEED).sample(rows, number)]


def cut(texts: Sequence[str], least: int, most: int, embedder: Embedder) -> list[str]:
    """Each to a number of tokens from `least` to `most`; what is too short is repeated."""
    dealt, found = random.Random(SEED), []
    for text in texts:
        long = text
        while len(offsets := embedder.token_offsets(long)) < most:
            long = f"{long} {text}"
        found.append(long[: offsets[dealt.randint(least, most) - 1][1]])
    return found


def pace(embed: Callable[[Sequence[str]], np.ndarray], texts: Sequence[str]) -> Pace:
    clock, processor = time.perf_counter(), time.process_time()
    embed(texts)
    return Pace(
        len(texts) / (time.perf_counter() - clock), len(texts) / (time.process_time() - processor)
    )


if __name__ == "__main__":
    raise SystemExit(main())
