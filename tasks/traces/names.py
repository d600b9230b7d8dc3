"""The names of attributes in traces: OpenTelemetry's conventions for generative AI, which are still
in development, so that they stand in this file alone and their version on every trace.

https://github.com/open-telemetry/semantic-conventions-genai
"""

from collections.abc import Mapping, Sequence
from typing import Final

CONVENTIONS: Final = "semantic-conventions-genai 1.42 (development)"
CONVENTIONS_KEY: Final = "llmops.conventions"

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
TEMPERATURE: Final = "gen_ai.request.temperature"
TOP_P: Final = "gen_ai.request.top_p"
MAX_TOKENS: Final = "gen_ai.request.max_tokens"
SEED: Final = "gen_ai.request.seed"
STREAM: Final = "gen_ai.request.stream"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHED_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM: Final = "gen_ai.system_instructions"
CONVERSATION: Final = "gen_ai.conversation.id"
PROMPT: Final = "gen_ai.prompt.name"
DATA_SOURCE: Final = "gen_ai.data_source.id"
QUERY: Final = "gen_ai.retrieval.query.text"
DOCUMENTS: Final = "gen_ai.retrieval.documents"

# ours, where the conventions have no name
COST: Final = "llmops.cost_usd"
CITATIONS: Final = "llmops.citations"
STATUS: Final = "llmops.status"
KEY: Final = "llmops.key_id"
LEFT_OUT: Final = "llmops.spans_left_out"
TRAINED: Final = "llmops.trained_model"
"""Which version of a trained model a step has asked, as in models:/NAME/3."""

PLAIN: Final = frozenset(
    {
        *(OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_ID, RESPONSE_MODEL, FINISH_REASONS),
        *(CONVERSATION, PROMPT, DATA_SOURCE, STATUS, TRAINED),
    }
)
"""Attributes whose texts say nothing of what was asked or answered."""
IDENTIFYING: Final = frozenset(
    {"id", "chunk_id", "doc_id", "uri", "knowledge_base", "version", "number", "score", "page"}
)
"""What stays of a passage or a citation where content is left out."""


def retrieval(
    query: str, data_source: str, documents: Sequence[tuple[str, float]]
) -> dict[str, object]:
    """Attributes of a search. `data_source`: `name@version`; `documents`: chunk ids and scores."""
    return {
        OPERATION: "retrieval",
        QUERY: query,
        DATA_SOURCE: data_source,
        DOCUMENTS: [{"id": chunk, "score": score} for chunk, score in documents],
    }


def usage(model: str, tokens_in: int, tokens_out: int, cost_usd: float) -> dict[str, object]:
    """Attributes of a paid call, as every span that paid has them."""
    return {
        OPERATION: "chat",
        REQUEST_MODEL: model,
        INPUT_TOKENS: tokens_in,
        OUTPUT_TOKENS: tokens_out,
        COST: cost_usd,
    }


def number(attributes: Mapping[str, object], name: str) -> float:
    """The number that an attribute holds; 0 where it holds none."""
    value = attributes.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
