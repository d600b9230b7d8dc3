"""What was trained, as files: the adapter, and the whole model that a runtime loads."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from llmops.tasks.errors import LlmopsError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTTrainer

ADAPTER, MODEL = "adapter", "model"
NEAR = 0.05
"""Logits this near are the same, as a share of the largest: a merged model rounds otherwise."""


def save_adapter(
    learning: "SFTTrainer", tokenizer: "PreTrainedTokenizerBase", folder: Path
) -> None:
    """LoRA's weights, with the tokenizer beside."""
    learning.model.save_pretrained(str(folder / ADAPTER))
    tokenizer.save_pretrained(str(folder / ADAPTER))


def merge(learning: "SFTTrainer", tokenizer: "PreTrainedTokenizerBase", folder: Path) -> None:
    """A folder of the whole model, with the model's own chat template. Raises LlmopsError where it
    does not say, loaded again, what was trained.
    """
    from transformers import AutoModelForCausalLM

    part = folder / f"{MODEL}.part"
    shutil.rmtree(part, ignore_errors=True)
    tokens = _some_tokens(learning)
    wanted = _logits(learning.model, tokens)
    whole = learning.model.merge_and_unload()
    kind = whole.dtype
    whole.save_pretrained(str(part))
    tokenizer.save_pretrained(str(part))
    del whole
    loaded = AutoModelForCausalLM.from_pretrained(str(part), dtype=kind)
    apart = float((_logits(loaded, tokens) - wanted).abs().max())
    if apart > NEAR * max(1.0, float(wanted.abs().max())):
        raise LlmopsError(
            f"the merged model says something else than the trained one (logits {apart:.3g} apart)",
            hint=f"the adapter is in {folder / ADAPTER}; merge: false serves it as it is",
        )
    shutil.rmtree(folder / MODEL, ignore_errors=True)
    part.rename(folder / MODEL)


def _some_tokens(learning: "SFTTrainer") -> list[int]:
    row = learning.train_dataset[0]
    return list(row["input_ids"] if "input_ids" in row else row["prompt_ids"])[:256]


def _logits(model: "PreTrainedModel", tokens: list[int]):  # type: ignore[no-untyped-def]
    import torch

    model.eval()
    with torch.no_grad():
        found = model(input_ids=torch.tensor([tokens], device=model.device), use_cache=False)
    return found.logits.float().cpu()
