"""The settings of a model that a prompt may bring along: parameters of OpenAI-compatible endpoints,
each with its type.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from llmops.tasks.errors import did_you_mean

Whole = Annotated[int, Field(ge=1)]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Settings(TypedDict, total=False):
    """The parameters of OpenAI's chat completions, and the three of sampling that vLLM, llama.cpp
    and Ollama add to them.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]  # pydantic's own name

    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
    top_p: Share
    max_tokens: Whole
    max_completion_tokens: Whole
    seed: int
    stop: str | Annotated[list[str], Field(min_length=1, max_length=4)]
    presence_penalty: Penalty
    frequency_penalty: Penalty
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]]
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"]
    verbosity: Literal["low", "medium", "high"]
    top_k: Whole
    min_p: Share
    repetition_penalty: Annotated[float, Field(gt=0, allow_inf_nan=False)]


KNOWN = tuple(Settings.__annotations__)
ELSEWHERE = {
    "model": "llm",
    "model_name": "llm",
    "provider": "llm",
    "base_url": "llm",
    "api_key": "llm",
    "stream": "llm",
    "tools": "config",
    "response_format": "output",
    "stop_sequences": "stop",
    "messages": "messages",
}
PLACES = {
    "llm": "which model answers is said beside the prompt, by `llm` in the config",
    "stop": "it is called `stop`",
    "output": "the schema of the answer is the key `output`",
    "messages": "`messages` is a key of the file itself",
    "config": "a prompt has none",
}


def problems(settings: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the settings: the key, a sentence, how to mend it."""
    try:
        TypeAdapter(Settings).validate_python(dict(settings))
    except ValidationError as error:
        seen: set[str] = set()
        for one in error.errors(include_url=False):
            key = str(one["loc"][0]) if one["loc"] else ""
            if key not in seen:  # `stop` is a text or a list: one sentence for both
                seen.add(key)
                yield _problem(key, one["type"], one["msg"], settings.get(key))


def _problem(key: str, kind: str, said: str, value: object) -> tuple[str, str, str]:
    if kind == "extra_forbidden":
        close = did_you_mean(key, KNOWN) or f"allowed: {', '.join(KNOWN)}"
        hint = PLACES[ELSEWHERE[key]] if key in ELSEWHERE else close
        return key, f"unknown setting {key!r}", hint
    if key == "stop":
        said = "input should be a text, or a list of one to four texts"
    return key, f"{said[0].lower()}{said[1:]}, got {value!r:.80}", ""
