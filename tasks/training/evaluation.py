"""The config that lets `llmops evaluate` decide whether a trained language model is better than the
one that it was made from.
"""

from pathlib import Path

from llmops.tasks.plugins.trainers import TrainedModel
from llmops.tasks.yaml_files import write_yaml

FILE = "evaluate.yaml"
HEAD = """\
# Is the trained model better than the one that it was made from? llmops evaluate decides, on cases
# that neither has seen. To do: `cases` must be cases that the data set was decontaminated against,
# and `prompt` the one that your application uses.
# Keys stand in the environment: add api_key: "${NAME}" to both arms where the service wants one.
"""


def write_evaluation(folder: Path, name: str, made: TrainedModel) -> Path:
    """Beside the model. `cases` and `prompt` are the user's to fill in: reading the config fails
    until they are there.
    """
    config = {
        "flow": "evaluate",
        "name": f"{name}-model"[:63],
        "cases": f"cases/{name}.jsonl",
        "arms": {
            "baseline": {"prompt": f"prompts/{name}.yaml", "llm": dict(made.base)},
            "candidate": {"prompt": f"prompts/{name}.yaml", "llm": dict(made.llm)},
        },
        "scorers": ["token_f1"],
        "decide": {"metric": "token_f1", "rule": "better"},
    }
    path = folder / FILE
    path.write_text(HEAD + write_yaml(config), encoding="utf-8", newline="\n")
    return path
