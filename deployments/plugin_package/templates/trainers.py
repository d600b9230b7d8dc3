"""A trainer that counts words: the frame of one that trains."""

import json
from collections import Counter
from typing import ClassVar

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins.trainers import (
    DatasetTrainer,
    Kind,
    TrainedModel,
    TrainingData,
    TrainingRun,
)


class ExampleTrainer(DatasetTrainer):
    """How often the training file has each word, the `most` frequent ones. Nothing can answer with
    that: a real trainer says in `llm` how configs name what it made, and a gate decides.
    """

    kind: ClassVar[Kind] = "llm"
    formats: ClassVar[tuple[str, ...]] = ("openai_chat",)
    askable: ClassVar[bool] = False
    most: int = 100

    def train(self, data: TrainingData, run: TrainingRun) -> TrainedModel:
        lines = data.files["train"].read_text(encoding="utf-8").splitlines()
        if not lines:
            raise UsageError("the training file has no row", hint="collect more answers first")
        counted: Counter[str] = Counter()
        for number, line in enumerate(lines):
            counted.update(word.lower() for word in line.split())
            run.step(number, {"words": float(len(counted))})
        text = json.dumps(dict(sorted(counted.most_common(self.most))), ensure_ascii=False)
        (run.folder / "words.json").write_text(text, encoding="utf-8")
        figures = {"rows": float(len(lines)), "words": float(len(counted))}
        return TrainedModel(("words.json",), figures, remark="words.json is there to be read")
