"""Incremental ingestion: 10,000 files, cold, unchanged, and with 1 % edited; times and memory.

    python -m benchmarks.incremental [--files 10000]

With the `hash` embedder, so that what is measured is our own work. `flow` is the time inside the
flow, `wall` that of the whole command with its imports.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.command import llmops
from llmops.tasks.yaml_files import write_yaml

WORDS = [
    "river",
    "stone",
    "lamp",
    "winter",
    "garden",
    "copper",
    "signal",
    "paper",
    "morning",
    "engine",
    "salt",
    "harbour",
    "violet",
    "thread",
    "ladder",
    "mirror",
]


def prose(chance: random.Random, words: int) -> str:
    """Sentences of about ten words."""
    return " ".join(
        f"{' '.join(chance.choices(WORDS, k=10))} {chance.randint(0, 99999)}.".capitalize()
        for _ in range(words // 10)
    )


def write(folder: Path, numbers: range, seed: int) -> None:
    for number in numbers:
        file = folder / f"{number // 100:03}" / f"{number:05}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f"# Document {number}\n\n{prose(random.Random(seed * 1_000_003 + number), 280)}\n"
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=10_000)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "kb.yaml"
        config.write_text(
            write_yaml(
                {
                    "flow": "index",
                    "knowledge_base": "bench",
                    "sources": [{"name": "files", "path": "docs"}],
                    "embed": "hash",
                }
            )
        )
        write(folder / "docs", range(files), 1)
        sys.stdout.write(
            f"{'run':<12}{'status':<11}{'flow s':>8}{'wall s':>8}{'chunks':>8}{'computed':>10}{'peak MB':>9}\n"  # noqa: E501
        )
        run("cold", folder, config)
        run("unchanged", folder, config)
        write(folder / "docs", range(files // 100), 2)
        run("1 % edited", folder, config)
        llmops(folder, "down")
    return 0


def run(what: str, folder: Path, config: Path) -> None:
    found = llmops(folder, "index", str(config))
    sys.stdout.write(
        f"{what:<12}{found['status']:<11}{found['seconds']:>8.1f}{found['wall_seconds']:>8.1f}{found['chunks']['total']:>8}"
        f"{found['embeddings']['computed']:>10}{found['peak_mb']:>9.0f}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
