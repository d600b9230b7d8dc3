"""A JSON schema as a grammar: no token that breaks it can be drawn."""

import json
from functools import lru_cache
from typing import TYPE_CHECKING

import llama_cpp
from llama_cpp.llama_grammar import JSON_GBNF, LlamaGrammar, json_schema_to_gbnf

from llmops.tasks.errors import DocumentError

if TYPE_CHECKING:
    from llmops.tasks.plugins.llms._chat import ResponseFormat

ADVICE = "say it with fewer keywords, or set json_mode: object"


def grammar_of(wanted: "ResponseFormat", vocabulary: object) -> LlamaGrammar:
    """Raises DocumentError for a schema that cannot be written as one."""
    if wanted["type"] == "json_object":
        return LlamaGrammar.from_string(JSON_GBNF)
    rules = _rules(json.dumps(wanted["json_schema"]["schema"]))  # its order is that of the reply
    checked = llama_cpp.llama_sampler_init_grammar(vocabulary, rules.encode(), b"root")
    if not checked:  # the library would go on with it, and the process would crash
        raise DocumentError(f"llama.cpp cannot follow the schema of the output; {ADVICE}")
    llama_cpp.llama_sampler_free(checked)
    return LlamaGrammar.from_string(rules)


@lru_cache(maxsize=64)
def _rules(schema: str) -> str:
    try:
        return str(json_schema_to_gbnf(schema))
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError) as e:
        raise DocumentError(
            f"the schema of the output is no grammar: {type(e).__name__} {e!s:.200}; {ADVICE}"
        ) from e
