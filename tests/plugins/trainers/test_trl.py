"""SFT, DPO and KTO with LoRA on a model of two random layers: what is learnt, what is left out,
what a crash leaves, and what is served.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import ConfigError, LlmopsError, UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import Llm, Message
from llmops.tasks.plugins.trainers import DatasetTrainer, TrainedModel, TrainingData, TrainingRun
from tests.llm_asked import complete
from tests.tiny_model import CHATML, MARKED, tiny_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("trl") is None, reason="the extra trl is not installed"),
    pytest.mark.filterwarnings("ignore"),  # of torch, transformers, peft and trl
]
Row = Mapping[str, Any]
WHOLE = ("embed_tokens", "lm_head")
"""On random weights LoRA alone learns nothing."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("models") / "base")


def asked(number: int) -> list[Row]:
    return [{"role": "user", "content": f"What is known of number {number * 7919}?"}]


def said(text: str) -> list[Row]:
    return [{"role": "assistant", "content": text}]


def answers(count: int) -> Iterator[Row]:
    for number in range(count):
        yield {"prompt": asked(number), "completion": said(f"It is in room {number % 3}.")}


def pairs(count: int) -> Iterator[Row]:
    for row in answers(count):
        worse = said("Nobody knows of it.")
        yield {"prompt": row["prompt"], "chosen": row["completion"], "rejected": worse}


def rated(count: int) -> Iterator[Row]:
    for row in pairs(count):
        yield {"prompt": row["prompt"], "completion": row["chosen"], "label": True}
        yield {"prompt": row["prompt"], "completion": row["rejected"], "label": False}


ROWS = {"trl_sft": answers, "trl_dpo": pairs, "trl_kto": rated}


def data(folder: Path, name: str, train: list[Row], held_out: list[Row]) -> TrainingData:
    folder.mkdir(exist_ok=True)
    files = {}
    for split, rows in (("train", train), ("validation", held_out)):
        if rows:
            files[split] = folder / f"{split}.jsonl"
            text = "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in rows)
            files[split].write_text(text, encoding="utf-8", newline="\n")
    return TrainingData("abc", files, None, "helpdesk-v1", name)


def trainer(model: Path, **options: Any) -> DatasetTrainer:
    given = {"learning_rate": 1e-2, "epochs": 1, "modules_to_save": WHOLE, **options}
    return Spec(name="trl", options={"model": str(model), **given}).build(DatasetTrainer)


def train(
    learner: DatasetTrainer, rows: TrainingData, folder: Path, steps: list[Any] | None = None
) -> TrainedModel:
    folder.mkdir(exist_ok=True)
    told = [] if steps is None else steps
    run = TrainingRun(folder, lambda number, metrics: told.append((number, dict(metrics))))
    return learner.train(rows, run)


@pytest.mark.parametrize("name", ROWS)
def test_the_loss_falls_and_the_whole_model_answers(
    tmp_path: Path, base: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = data(tmp_path / "data", name, list(ROWS[name](16)), list(ROWS[name](4)))
    steps: list[Any] = []
    made = train(trainer(base, epochs=3), rows, tmp_path / "run", steps)
    losses = [metrics["loss"] for _, metrics in steps if "loss" in metrics]
    assert losses[-1] < losses[0]
    assert made.figures["validation_loss"] < 0.9 * made.figures["validation_loss_before"]
    assert made.figures["train_rows_trained_on"] == made.figures["train_rows"] > 0
    assert made.warnings == ()
    assert all((tmp_path / "run" / each).is_file() for each in made.files)  # they are recorded
    assert capfd.readouterr().out == ""  # it belongs to --json
    llm = Spec(name=str(made.llm["name"]), options={"model": made.llm["model"], "max_tokens": 8})
    reply = complete(llm.build(Llm), [Message(role="user", content="What is known?")])
    assert 0 < reply.tokens_out <= 8
    template = (Path(made.model) / "chat_template.jinja").read_text(encoding="utf-8")
    assert template == CHATML
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert not (tmp_path / "run" / "tokens").exists()


def test_what_is_trained_is_not_trained_again(tmp_path: Path, base: Path) -> None:
    rows = data(tmp_path / "data", "trl_sft", list(answers(4)), [])
    first = train(trainer(base), rows, tmp_path / "run")
    steps: list[Any] = []
    assert train(trainer(base), rows, tmp_path / "run", steps) == first
    assert steps == []
    assert "no held-out rows" in first.warnings[0]


def test_after_a_crash_it_goes_on_and_comes_to_the_same(tmp_path: Path, base: Path) -> None:
    import torch

    rows = data(tmp_path / "data", "trl_sft", list(answers(16)), list(answers(2)))
    learner = trainer(base, epochs=2, save_every=3)
    straight = train(learner, rows, tmp_path / "straight")

    def crash(number: int, metrics: Mapping[str, float]) -> None:
        if number == 5:
            raise KeyboardInterrupt

    (tmp_path / "run").mkdir()
    torch.manual_seed(99)  # what the process drew before changes nothing
    with pytest.raises(KeyboardInterrupt):
        learner.train(rows, TrainingRun(tmp_path / "run", crash))
    torn = tmp_path / "run" / "checkpoints" / "checkpoint-6"  # killed while it was written
    torn.mkdir()
    (torn / "trainer_state.json").write_text('{"global')
    steps: list[Any] = []
    made = train(learner, rows, tmp_path / "run", steps)
    assert min(number for number, metrics in steps if "loss" in metrics) == 4
    assert made.figures["validation_loss"] == pytest.approx(straight.figures["validation_loss"])
    names = ("validation_loss_before", "steps", "train_trained_tokens", "train_loss")
    assert [made.figures[each] for each in names] == [straight.figures[each] for each in names]
    one, other = (Path(each.model) / "model.safetensors" for each in (made, straight))
    assert one.read_bytes() == other.read_bytes()


def test_what_is_too_long_or_says_nothing_is_counted(tmp_path: Path, base: Path) -> None:
    long = {"prompt": asked(1), "completion": said("word " * 200)}
    earlier = [*asked(2), *said("long " * 200), *asked(3)]
    silent = {"prompt": asked(4), "completion": said("  ")}
    talk = {"prompt": [{"role": "system", "content": "Be short."}, *earlier]}
    train_rows = [*answers(5), long, {**talk, "completion": said("Yes.")}, silent]
    rows = data(tmp_path / "data", "trl_sft", train_rows, [])
    made = train(trainer(base, max_tokens=128), rows, tmp_path / "dropped")
    assert made.figures["train_rows"] == 8
    assert made.figures["train_rows_trained_on"] == 5
    assert made.figures["train_over_long"] == 2
    assert made.figures["train_no_answer"] == 1
    assert made.warnings[0] == "train: 2 of 8 rows left out longer than 128 tokens"
    listed = json.loads((tmp_path / "dropped" / "rows.json").read_text())["train"]["left_out"]
    assert [line for line, *_ in listed] == [6, 7, 8]
    split = train(trainer(base, max_tokens=128, over_long="split"), rows, tmp_path / "split")
    assert split.figures["train_rows_trained_on"] == 6
    assert [split.figures[f"train_{each}"] for each in ("split", "over_long")] == [1, 1]


def test_a_long_conversation_is_parted_between_turns(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "marked", MARKED)
    head = [{"role": "system", "content": "Be short."}]
    turns = [each for n in range(6) for each in (*asked(n), *said(f"Room {n}."))]
    rows = data(tmp_path / "data", "trl_sft", [{"messages": [*head, *turns]}], [])
    made = train(trainer(model, max_tokens=128, over_long="split"), rows, tmp_path / "run")
    assert made.figures["train_rows_trained_on"] > 1
    assert made.figures["train_longest_row"] <= 128
    whole = train(trainer(model), rows, tmp_path / "whole")
    assert made.figures["train_trained_tokens"] == whole.figures["train_trained_tokens"]
    served = (Path(made.model) / "chat_template.jinja").read_text(encoding="utf-8")
    assert re.search(r"\{% (end)?generation %\}", served) is None


def test_without_marks_a_conversation_cannot_be_learnt(tmp_path: Path, base: Path) -> None:
    rows = data(tmp_path / "data", "trl_sft", [{"messages": [*asked(1), *said("Room 1.")]}], [])
    with pytest.raises(UsageError, match="does not mark what the assistant says") as caught:
        train(trainer(base), rows, tmp_path / "run")
    assert "train_on: last" in str(caught.value.hint)
    (tmp_path / "marked.jinja").write_text(MARKED, encoding="utf-8")
    marked = trainer(base, chat_template="marked.jinja").at(tmp_path)
    made = train(marked, rows, tmp_path / "marked")
    assert made.figures["train_rows_trained_on"] == 1
    assert (Path(made.model) / "chat_template.jinja").read_text(encoding="utf-8") == CHATML


def test_answers_that_the_model_never_ends_are_refused(tmp_path: Path) -> None:
    open_ended = CHATML.replace("+ '<|im_end|>' + '\n'", "+ '\n'")
    model = tiny_model(tmp_path / "endless", open_ended)
    rows = data(tmp_path / "data", "trl_sft", list(answers(2)), [])
    with pytest.raises(UsageError, match="2 whose answer does not end") as caught:
        train(trainer(model), rows, tmp_path / "run")
    assert "<|im_end|>" in str(caught.value.hint)


def test_a_model_without_a_template_says_so(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "bare", None)
    rows = data(tmp_path / "data", "trl_sft", list(answers(2)), [])
    with pytest.raises(UsageError, match="has no chat template"):
        train(trainer(model), rows, tmp_path / "run")
    (tmp_path / "marked.jinja").write_text(MARKED, encoding="utf-8")
    given = trainer(model, chat_template=str(tmp_path / "marked.jinja"))
    made = train(given, rows, tmp_path / "given")
    served = (Path(made.model) / "chat_template.jinja").read_text(encoding="utf-8")
    assert "generation %}" not in served


def test_arguments_of_tools_keep_their_own_keys(tmp_path: Path) -> None:
    """A table of objects would give every one the keys of all."""
    from transformers import AutoTokenizer

    from llmops.tasks.plugins.trainers.trl.conversations import ChatTokens, learnt

    calls = CHATML.replace(
        "+ '<|im_end|>'",
        "+ (message['tool_calls'] | tojson if message['tool_calls'] else '') + '<|im_end|>'",
    )
    model = tiny_model(tmp_path / "calls", calls)
    tokenizer = AutoTokenizer.from_pretrained(model)
    chat = ChatTokens(tokenizer, calls, None, frozenset({tokenizer.eos_token_id}))
    call = {"type": "function", "function": {"name": "f", "arguments": {"city": "Köln"}}}
    prompt = [*asked(1), {"role": "assistant", "tool_calls": [call]}, *asked(2)]
    found = learnt({"prompt": prompt, "completion": said("Dry.")}, chat)
    assert '"arguments": {"city": "Köln"}' in tokenizer.decode(found.columns["input_ids"])


def test_tokens_are_kept_by_all_that_they_depend_on(tmp_path: Path, base: Path) -> None:
    from transformers import AutoTokenizer

    from llmops.tasks.plugins.trainers.trl.conversations import ChatTokens
    from llmops.tasks.plugins.trainers.trl.learning import COLLATORS
    from llmops.tasks.plugins.trainers.trl.tokens import TokenCache

    tokenizer = AutoTokenizer.from_pretrained(base)
    chat = ChatTokens(tokenizer, CHATML, None, frozenset({tokenizer.eos_token_id}))
    collator = COLLATORS["trl_sft"]
    cache = TokenCache(tmp_path / "tokens", chat, "trl_sft", 128, False, collator)
    others = (
        replace(cache, chat=replace(chat, template=f"{CHATML} ")),
        replace(cache, chat=replace(chat, marked=MARKED)),
        replace(cache, collator=COLLATORS["trl_dpo"]),
        replace(cache, most=64),
        replace(cache, parted=True),
    )
    assert len({cache.key("a"), cache.key("b"), *(each.key("a") for each in others)}) == 7
    rows = data(tmp_path / "data", "trl_sft", list(answers(3)), [])
    first, counts = cache.of(rows.files["train"], "train", "a")
    rows.files["train"].unlink()
    again, counted = cache.of(rows.files["train"], "train", "a")
    assert first.to_list() == again.to_list()
    assert counted == counts


def test_held_out_rows_that_are_all_too_long_are_told(tmp_path: Path, base: Path) -> None:
    long = {"prompt": asked(1), "completion": said("word " * 200)}
    rows = data(tmp_path / "data", "trl_sft", list(answers(3)), [long])
    made = train(trainer(base, max_tokens=64), rows, tmp_path / "run")
    assert made.warnings[0] == "validation: 1 of 1 rows left out longer than 64 tokens"
    assert "no held-out rows" in made.warnings[1]


def test_the_adapter_alone_is_served_on_its_base(tmp_path: Path, base: Path) -> None:
    rows = data(tmp_path / "data", "trl_sft", list(answers(8)), [])
    apart = train(trainer(base, merge=False, modules_to_save=()), rows, tmp_path / "apart")
    assert apart.llm == {**apart.base, "adapter": str(tmp_path / "apart" / "adapter")}
    whole = train(trainer(base, modules_to_save=()), rows, tmp_path / "whole")
    replies = [
        complete(
            Spec(name="transformers", options={**_options(made), "max_tokens": 12}).build(Llm),
            [Message(role="user", content="What is known of number 7919?")],
        ).text
        for made in (apart, whole)
    ]
    assert replies[0] == replies[1]


def _options(made: TrainedModel) -> dict[str, object]:
    return {name: value for name, value in made.llm.items() if name != "name"}


def test_tied_weights_are_merged_as_they_were_trained(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "tied", tie_word_embeddings=True)
    rows = data(tmp_path / "data", "trl_sft", list(answers(8)), list(answers(2)))
    made = train(trainer(model), rows, tmp_path / "run")
    assert made.figures["validation_loss"] < made.figures["validation_loss_before"]


def test_a_training_is_known_by_what_its_model_folder_holds(tmp_path: Path, base: Path) -> None:
    first = trainer(base).identity()
    moved = tmp_path / "moved"
    moved.mkdir()
    for file in base.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    assert trainer(moved).identity() == first
    assert trainer(base, save_every=3, threads=1, merge=False).identity() == first
    (moved / "chat_template.jinja").write_text(MARKED, encoding="utf-8")
    assert trainer(moved).identity() != first
    assert trainer(Path("moved")).at(tmp_path).identity() == trainer(moved).identity()


def test_wrong_options_are_told(tmp_path: Path, base: Path) -> None:
    rows = data(tmp_path / "data", "trl_kto", list(rated(2)), [])
    with pytest.raises(ConfigError) as caught:
        trainer(tmp_path / "absent", batch_size=1, chat_template="absent").check(rows)
    wrong = ["train.model", "train.chat_template", "train.batch_size"]
    assert [each.where for each in caught.value.found] == wrong
    with pytest.raises(ValidationError, match="it is given by max_tokens"):
        trainer(base, parameters={"max_length": 8})
    with pytest.raises(ConfigError, match=r"TRL refuses it: .*no_such"):
        train(trainer(base, parameters={"no_such": 1}), rows, tmp_path / "run")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text("{}")
    with pytest.raises(LlmopsError, match="cannot be loaded"):
        train(trainer(tmp_path / "empty"), rows, tmp_path / "run")
