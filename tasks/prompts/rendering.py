"""From values to the texts that stand in a prompt, or every mistake at once."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tasks.errors import UsageError

if TYPE_CHECKING:
    from tasks.prompts import Prompt


def filled(prompt: "Prompt", values: Mapping[str, Any]) -> dict[str, str]:
    """The text of every variable that the messages use. Raises UsageError for missing and extra ones."""
    missing = [name for name in prompt.names if name not in values]
    extra = sorted(set(values) - set(prompt.names))
    if missing or extra:
        parts = [f"missing {', '.join(missing)}"] * bool(missing) + [f"not used: {', '.join(extra)}"] * bool(extra)
        raise UsageError(f"the variables of the prompt {prompt.name!r} do not fit: {'; '.join(parts)}")
    return {name: _text(values[name]) for name in prompt.names}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
