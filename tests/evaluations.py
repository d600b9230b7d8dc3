"""Evaluations through the `llmops` command against a model of this machine: the better prompt is
right more often, not always.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from llmops.tasks.yaml_files import write_yaml
from tests.commandline import Office, Said, llmops

RIGHT = {"plain": 0.5, "better": 0.85, "worse": 0.15, "same": 0.5}
Body = dict[str, Any]


def knows(style: str, number: str) -> bool:
    """Whether a prompt of that style gets this question right: settled by a hash, so that every run
    sees the same model.
    """
    draw = (
        int(
            hashlib.sha256(
                f"{style if style != 'same' else 'plain'}/{number}".encode()
            ).hexdigest()[:8],
            16,
        )
        / 0xFFFFFFFF
    )
    return draw < RIGHT[style]


def reply(messages: list[Body]) -> str:
    """What the model says: `answer N` for the question N, or something else."""
    whole = "\n".join(str(message["content"]) for message in messages)
    style, number = re.search(r"style: (\w+)", whole), re.search(r"question (\d+)", whole)
    assert style is not None, whole
    assert number is not None, whole
    return f"answer {number[1]}" if knows(style[1], number[1]) else "something else"


class Bench:
    """A folder with prompts, cases and a config. `url`: the model's address; `name`: of the
    evaluation and in every prompt, so that nothing is remembered from another test in the shared
    home."""

    def __init__(self, office: Office, url: str, cases: int = 60) -> None:
        self.folder, self.home, self.url = office.folder, office.home, url
        self.name = office.kb.replace("kb-", "ev-")
        for style in RIGHT:
            self.prompt(style, f"{self.name}, style: {style}\n{{{{question}}}}")
        self.cases(
            [
                {
                    "id": f"c{n}",
                    "inputs": {"question": f"question {n}"},
                    "expected": {"answer": f"answer {n}"},
                    "tags": ["even" if n % 2 == 0 else "odd"],
                }
                for n in range(cases)
            ]
        )

    def prompt(self, name: str, text: str, **keys: Any) -> Path:
        file = self.folder / f"{name}.yaml"
        file.write_text(
            write_yaml({"name": self.name, "messages": [{"role": "user", "content": text}], **keys})
        )
        return file

    def cases(self, rows: list[Body]) -> None:
        (self.folder / "cases.jsonl").write_text("\n".join(map(json.dumps, rows)))

    def arm(self, prompt: str, **llm: Any) -> Body:
        return {
            "prompt": prompt,
            "llm": {
                "name": "openai",
                "model": "local",
                "base_url": self.url,
                "price_in": 1,
                "price_out": 2,
            }
            | llm,
        }

    def config(self, candidate: str = "better.yaml", **keys: Any) -> Path:
        content = {
            "flow": "evaluate",
            "name": self.name,
            "cases": "cases.jsonl",
            "scorers": ["exact_match"],
            "decide": {"metric": "exact_match"},
            "arms": {"baseline": self.arm("plain.yaml"), "candidate": self.arm(candidate)},
        }
        file = self.folder / "evaluate.yaml"
        file.write_text(
            write_yaml(
                {key: value for key, value in (content | keys).items() if value is not None},
            )
        )
        return file

    def evaluate(self, *words: str | Path, candidate: str = "better.yaml", **keys: Any) -> Said:
        return llmops("evaluate", self.config(candidate, **keys), "--json", *words)
