"""What TRL makes of the rows that we write for it, where it is installed."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.exporters import Exporter
from llmops.tasks.rows import Row
from tests.plugins.exporters.rows import ODD, Shelf, pair, several, single, with_tools
from tests.tiny_model import CHATML, tiny_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("trl") is None, reason="the extra trl is not installed"),
    pytest.mark.filterwarnings("ignore"),  # of torch, transformers and trl
]
KEYS = {
    "trl_sft": {"prompt", "completion"},
    "trl_dpo": {"prompt", "chosen", "rejected"},
    "trl_kto": {"prompt", "completion", "label"},
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model(tmp_path_factory.mktemp("models") / "base"))


def records(name: str, *rows: Row, **options: Any) -> list[Mapping[str, Any]]:
    exporter = Spec(name=name, options=options).build(Exporter)
    return [record.content for row in rows for record in exporter.records(row, Shelf())]


def rows_of(name: str) -> list[Row]:
    if name == "trl_dpo":
        return [pair(each, "Nobody.") for each in ODD]
    more = [several(), with_tools()] if name == "trl_sft" else []
    return [*map(single, ODD), pair(), *more]


@pytest.mark.parametrize("name", KEYS)
def test_its_own_checks_pass_and_texts_are_whole(name: str, tokenizer: Any) -> None:
    from trl.data_utils import extract_prompt, is_conversational, maybe_apply_chat_template

    odd = 0
    for record in records(name, *rows_of(name)):
        assert is_conversational(record)
        assert set(record) - {"tools"} == KEYS[name]
        templated = maybe_apply_chat_template(dict(record), tokenizer)
        answer = record.get("completion") or record["chosen"]
        said = templated.get("completion") or templated["chosen"]
        assert said == f"{answer[-1]['content']}<|im_end|>\n"
        assert templated["prompt"].endswith("<|im_start|>assistant\n")
        odd += answer[-1]["content"] in ODD
        if name == "trl_dpo":  # what TRL does where a set has no prompt of its own
            joined = {key: [*record["prompt"], *record[key]] for key in ("chosen", "rejected")}
            assert extract_prompt(joined)["prompt"] == record["prompt"]
    assert odd == len(ODD)


def test_whole_conversations_are_language_modelling(tokenizer: Any) -> None:
    from trl.data_utils import is_conversational, maybe_apply_chat_template

    for record in records("trl_sft", several(), with_tools(), train_on="all"):
        assert is_conversational(record)
        text = maybe_apply_chat_template(dict(record), tokenizer)["text"]
        assert text.count("<|im_end|>") == len(record["messages"])


def test_pairs_are_what_ratings_are_made_of(tokenizer: Any) -> None:
    from datasets import Dataset
    from trl.data_utils import unpair_preference_dataset

    theirs = unpair_preference_dataset(Dataset.from_list(records("trl_dpo", pair()))).to_list()
    ours = records("trl_kto", pair())
    assert [[each[key] for key in KEYS["trl_kto"]] for each in theirs] == [
        [each[key] for key in KEYS["trl_kto"]] for each in ours
    ]
    assert tokenizer.chat_template == CHATML


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    from datasets import load_dataset

    from tests.datasets.training.runs import built, line, pair_line, spec_of

    rows = [*(line(n) for n in range(12)), *(pair_line(n) for n in range(20, 30))]
    _, published = built(spec_of(tmp_path / "home", tmp_path, rows, export=list(KEYS)))
    for file in published.manifest.files:
        path = str(published.folder / file.path)
        cache = str(tmp_path / "cache")
        found = load_dataset("json", data_files=path, split="train", cache_dir=cache)
        assert set(found.column_names) == KEYS[file.format]
