"""A local model that is loaded, and how it answers."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
import transformers
from jinja2 import TemplateError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    StoppingCriteria,
    StoppingCriteriaList,
    TextStreamer,
)

from llmops.tasks.errors import DocumentError, Unavailable
from llmops.tasks.plugins._model_folder import ends_of
from llmops.tasks.plugins.llms import Reply, Request
from llmops.tasks.plugins.llms._local import KEPT, Halt, Heard, Sampling, cut_at, plain

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class LocalModel:
    """`context`: tokens of prompt and reply that it takes at most."""

    def __init__(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
        self._model, self._tokenizer = model, tokenizer
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._context = int(positions or tokenizer.model_max_length)

    def answer(self, request: Request, sampling: Sampling, halt: Halt, heard: Heard) -> Reply:
        """Raises DocumentError for a prompt that is too long, or parameters that are unknown."""
        tokens = self._prompt(request)
        torch.manual_seed(sampling.seed)
        room = self._context - tokens.shape[1]
        if room < 1:
            raise DocumentError(
                f"the prompt has {tokens.shape[1]:,} tokens, and the model takes {self._context:,}"
            )
        drawn = {"do_sample": True, "temperature": sampling.temperature}
        given = drawn if sampling.temperature else {"do_sample": False}
        most = min(sampling.max_tokens, room)
        config = self._config({"max_new_tokens": most, **given}, sampling)
        try:
            with torch.inference_mode():
                found = self._model.generate(
                    input_ids=tokens,
                    attention_mask=torch.ones_like(tokens),
                    generation_config=config,
                    stopping_criteria=StoppingCriteriaList([_Stopped(halt)]),
                    streamer=_Streamer(self._tokenizer, heard),
                    **({"tokenizer": self._tokenizer} if config.stop_strings else {}),
                )
        except (ValueError, TypeError) as error:
            raise DocumentError(f"transformers refuses the request: {error!s:.200}") from error
        made = found[0, tokens.shape[1] :].tolist()
        return self._reply(made, int(tokens.shape[1]), config)

    def _reply(self, made: list[int], size: int, config: "GenerationConfig") -> Reply:
        ended = bool(made) and made[-1] in config.eos_token_id
        text = self._tokenizer.decode(made, skip_special_tokens=True)
        if (before := cut_at(text, config.stop_strings or [])) is not None:
            text, ended = before, True
        whole = ended or len(made) < config.max_new_tokens
        finish = "stop" if whole else "length"
        return Reply(text=text, tokens_in=size, tokens_out=len(made), finish=finish)

    def _prompt(self, request: Request) -> torch.Tensor:
        if request.tools:
            raise DocumentError("the model transformers calls no tools: ask without them")
        said = [plain(message) for message in request.messages]
        try:
            found = self._tokenizer.apply_chat_template(
                said, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
        except (ValueError, TypeError, KeyError, TemplateError) as error:
            raise DocumentError(
                f"the chat template refuses the messages: {error!s:.200}"
            ) from error
        tokens: torch.Tensor = found["input_ids"].to(self._model.device)
        return tokens

    def _config(self, given: Mapping[str, object], sampling: Sampling) -> "GenerationConfig":
        own = self._model.generation_config
        said = {
            "eos_token_id": sorted(ends_of(self._tokenizer, self._model)),
            "pad_token_id": self._tokenizer.pad_token_id,
            "bos_token_id": own.bos_token_id,
            "stop_strings": sampling.stops or None,
            **given,
            **{name: value for name, value in sampling.more.items() if name != "stop"},
        }
        unknown = sorted(name for name in said if not hasattr(own, name))
        if unknown:
            raise DocumentError(f"parameters that transformers does not know: {', '.join(unknown)}")
        return GenerationConfig(**said)


class _Stopped(StoppingCriteria):  # type: ignore[misc]  # torch is not there where types are checked
    def __init__(self, halt: Halt) -> None:
        self._halt = halt

    def __call__(self, input_ids: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        return torch.full((input_ids.shape[0],), self._halt(), device=input_ids.device)


class _Streamer(TextStreamer):  # type: ignore[misc]
    def __init__(self, tokenizer: "PreTrainedTokenizerBase", heard: Heard) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._told = heard

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        del stream_end
        if text:
            self._told(text)


@lru_cache(maxsize=KEPT)
def opened(
    model: str, adapter: str | None, threads: int | None, contents: tuple[str, ...]
) -> LocalModel:
    """Loaded once for each content of the folder. Raises Unavailable where it cannot be."""
    del contents
    if threads is not None:
        torch.set_num_threads(threads)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    gpu = torch.cuda.is_available()
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
        loaded = AutoModelForCausalLM.from_pretrained(
            model, dtype="auto" if gpu else torch.float32, local_files_only=True
        )
        if adapter is not None:
            from peft import PeftModel

            loaded = PeftModel.from_pretrained(loaded, adapter)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise Unavailable(
            f"the model {adapter or model} cannot be loaded: {error!s:.300}",
            hint="model names a folder with config.json, weights and tokenizer; a relative path "
            "starts where the command is run",
        ) from error
    if not tokenizer.chat_template:
        raise Unavailable(
            f"the model {model} has no chat template",
            hint="add chat_template.jinja to its folder, or take an instruct version",
        )
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return LocalModel(loaded.to("cuda" if gpu else "cpu").eval(), tokenizer)
